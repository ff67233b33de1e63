// ini_file: its life in three shells, and the same texts as community.general's own module.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { iniFile } from '../../src/modules/ini-file.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { apply, describeCases } from './harness.ts'
import { askAnsible, hasCollections } from './oracle.ts'

describeCases(iniFile, [
  {
    name: 'sets an option',
    files: { f: '; mine\n[a]\nx = 1\n\n[b]\n' },
    args: { path: 'DIR/f', section: 'a', option: 'x', value: '2', mode: '0600' },
    expect: { f: '; mine\n[a]\nx = 2\n\n[b]\n', 'mode:f': '0600' },
    result: { path: 'DIR/f', msg: 'option changed' },
  },
  {
    name: 'makes file, folder and section',
    args: { path: 'DIR/new/f', section: 'a', option: 'x', value: '2' },
    expect: { 'new/f': '\n[a]\nx = 2\n' },
    result: { msg: 'section and option added' },
  },
  {
    name: 'holds a secret',
    files: { f: '[a]\n' },
    args: {
      path: 'DIR/f',
      section: 'a',
      option: 'x',
      value: new Secret('s3cret', 'value'),
      no_extra_spaces: true,
    },
    expect: { f: '[a]\nx=s3cret\n' },
  },
  {
    name: 'removes an option',
    files: { f: '[a]\nx = 1\n#x = 2\nx=3\n' },
    args: { path: 'DIR/f', section: 'a', option: 'x', state: 'absent' },
    expect: { f: '[a]\n#x = 2\n' },
  },
  {
    name: 'removes a section',
    files: { f: '[a]\nx = 1\n[b]\ny = 1\n' },
    args: { path: 'DIR/f', section: 'a', state: 'absent' },
    expect: { f: '[b]\ny = 1\n' },
    result: { msg: 'section removed' },
  },
  {
    name: 'leaves blanks when told to',
    files: { f: '[a]\nx=1\n' },
    args: { path: 'DIR/f', section: 'a', option: 'x', value: '1', ignore_spaces: true },
    changed: false,
  },
  {
    name: 'no file',
    args: { path: 'DIR/f', section: 'a', option: 'x', value: '1', create: false },
    fails: /does not exist/,
  },
  { name: 'no value', args: { path: 'DIR/f', section: 'a', option: 'x' }, fails: /No value set/ },
])

const line = fc.constantFrom(
  'x = 1',
  'x=1',
  ' x = 2',
  '#x = 1',
  '; x = 3',
  'x',
  'xx = 1',
  'y = 1',
  '',
  '# note',
  'x =',
  'y',
)
const text = fc
  .array(fc.oneof({ weight: 5, arbitrary: line }, { weight: 1, arbitrary: fc.constantFrom('[a]', '[b]') }), {
    maxLength: 8,
  })
  .chain(lines =>
    fc.boolean().map(isOpen => (lines.length === 0 ? '' : `${lines.join('\n')}${isOpen ? '' : '\n'}`)),
  )
const args = fc
  .record(
    {
      section: fc.constantFrom('a', 'a', 'b', 'c', undefined),
      option: fc.constantFrom('x', 'x', 'x', 'z', undefined),
      values: fc.constantFrom(['1'], ['2'], ['1', '2'], ['2', '9']),
      state: fc.constantFrom('present', 'present', 'absent'),
      exclusive: fc.boolean(),
      no_extra_spaces: fc.boolean(),
    },
    { requiredKeys: ['values'] },
  )
  .map(record => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)))

describe.skipIf(!hasCollections)('ini_file as community.general', () => {
  it('makes the same text', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-ini-'))
    const session = await openLocalSession({ shell: ['/bin/dash'] })
    // Of sections that stand there twice, and of neither section nor option, Ansible makes something of its own.
    const isClear = ([content, given]: [string, Record<string, unknown>]) =>
      !/(\[[ab]\]).*\1/s.test(content) && ('section' in given || 'option' in given)
    const trials = fc.sample(fc.tuple(text, args).filter(isClear), {
      numRuns: Number(process.env['TRIALS'] ?? 80),
      seed: Number(process.env['SEED'] ?? 20261123),
    })
    for (const [i, [content]] of trials.entries()) writeFileSync(join(folder, `theirs${i}`), content)
    const theirs = askAnsible(
      'community.general.ini_file',
      trials.map(([, given], i) => ({ ...given, path: join(folder, `theirs${i}`) })),
    )
    const differing: unknown[] = []
    let compared = 0
    for (const [i, [content, given]] of trials.entries()) {
      const path = join(folder, `mine${i}`)
      writeFileSync(path, content)
      const mine = await apply(makeTarget({ session }), iniFile, { ...given, path })
      // It has no answer for some that have no option, and begins a file that is empty with an empty line.
      if (theirs[i]!['msg'] === 'no answer' || content === '') continue
      compared++
      const [a, b] = [readFileSync(path, 'utf8'), readFileSync(join(folder, `theirs${i}`), 'utf8')]
      const isSame =
        a === b && mine.changed === theirs[i]!['changed'] && mine.result['msg'] === theirs[i]!['msg']
      if (!isSame)
        differing.push({
          content,
          given,
          mine: [a, mine.changed, mine.result['msg']],
          theirs: [b, theirs[i]!['changed'], theirs[i]!['msg']],
        })
    }
    expect(differing).toEqual([])
    expect(compared).toBeGreaterThan(trials.length / 2)
    await session.close()
    rmSync(folder, { recursive: true })
  })
})
