// Python's small languages that several parts read: INI files, shell patterns, escapes in URLs.
import { expect, it } from 'vitest'
import { parseGlob } from '../../src/core/glob.ts'
import { decodePercent } from '../../src/core/percent.ts'
import { type IniRules, parseIni } from '../../src/core/python-ini.ts'

function read(text: string, rules: IniRules = {}): unknown {
  try {
    const { entries } = parseIni(text, rules, (why, line, col) => {
      throw `${line}:${col} ${why}`
    })
    return entries.map(({ section, key, value }) => [section, key, value])
  } catch (said) {
    return said
  }
}

it('an INI file is what ConfigParser makes of it', () => {
  expect(read('[g]\nK: 1\n  more\n# c\n  ; d\n  still\n')).toEqual([['g', 'K', '1\nmore\nstill']])
  expect(read('[g]\nflag\n', { allowNoValue: true })).toEqual([['g', 'flag', undefined]])
  expect(read('[g]\nflag\n')).toBe('2:1 this is neither a [section] nor a setting: flag')
  expect(read('[g]\na=1\n[h]\na=2\n A = 3')).toEqual([
    ['g', 'a', '1'],
    ['h', 'a', '2\nA = 3'],
  ])
  expect(read('[g]\na=1\nA = 3')).toBe('3:1 Duplicate option in [g]: a stands in line 2 already')
  expect(read('[g]\na=1\nA = 3', { isCaseSensitive: true })).toHaveLength(2)
})

it('a shell pattern is what fnmatch makes of it', () => {
  const cases = [
    ['*.log', 'a/.b.log', true],
    ['[!a-c]?', 'd\n', true],
    ['[]]x', ']x', true],
    ['[ab', '[ab', true],
    ['[z-a]', 'b', false],
    ['a.c', 'abc', false],
  ] as const
  expect(cases.map(([pattern, name]) => [pattern, name, parseGlob(pattern).test(name)])).toEqual(cases)
})

it('what is no escape in a URL stays', () => {
  expect(['%41%c3%bc', '100%', '%zz%4', 'a+b'].map(decodePercent)).toEqual(['Aü', '100%', '%zz%4', 'a+b'])
})
