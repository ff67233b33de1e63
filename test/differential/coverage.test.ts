// Every keyword, filter, test and lookup occurs in the corpus, so that a new one brings its playbook.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { keywords } from '../../src/load/keywords.ts'
import { language } from '../../src/template/language.ts'
import { lookups } from '../../src/template/lookups/lookups.ts'
import { corpus } from './site.ts'

const text = readdirSync(corpus, { recursive: true, encoding: 'utf8' })
  .filter(name => /[.](yml|yaml|j2)$/.test(name))
  .map(name => readFileSync(join(corpus, name), 'utf8'))
  .join('\n')

const missing = (names: Iterable<string>, pattern: (name: string) => RegExp): string[] =>
  [...names].filter(name => !pattern(name).test(text))

it('keywords', () => {
  const { play, import_playbook, block, task, handler, loop_control } = keywords
  const names = [play, import_playbook, block, task, handler, loop_control].flatMap(level =>
    Object.keys(level),
  )
  // rota's own.
  expect(missing(names, name => new RegExp(`(^|[ {-])${name}:`, 'm'))).toEqual(['rotation'])
})

it('filters', () => {
  const found = missing(language.filters.keys(), name => new RegExp(`\\| *${name}\\b|map\\('${name}'`))
  // rota's own, and those of collections that ansible-core lacks: test/template has their cases.
  expect(found.sort()).toEqual(
    [
      ...['hmac', 'json_query', 'ipaddr', 'ipv4', 'ipv6', 'ipsubnet', 'ipmath', 'nthhost'],
      'network_in_network',
    ].sort(),
  )
})

it('tests', () => {
  const words = (name: string): RegExp =>
    new RegExp(
      `is (not )?${name.replace(/\W/g, '\\$&')}(?!\\w)|(select|reject)(attr)?\\([^)]*'${name.replace(/\W/g, '\\$&')}'`,
    )
  expect(missing(language.tests.keys(), words)).toEqual([])
})

it('lookups', () => {
  expect(missing(lookups.keys(), name => new RegExp(`(lookup|query|q)\\('${name}'|with_${name}:`))).toEqual(
    [],
  )
})
