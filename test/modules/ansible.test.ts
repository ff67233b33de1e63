// The same arguments on the same files through Ansible's own modules: file, mode, changed and msg have to agree.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Module } from '../../src/core/module.ts'
import type { Session } from '../../src/core/remote.ts'
import { blockinfile } from '../../src/modules/blockinfile.ts'
import { file } from '../../src/modules/file.ts'
import { lineinfile } from '../../src/modules/lineinfile.ts'
import { replace } from '../../src/modules/replace.ts'
import { stat } from '../../src/modules/stat.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, makeFolder } from './harness.ts'

const python = '/usr/bin/python3'
const isThere = spawnSync(python, ['-c', 'import ansible.modules.lineinfile']).status === 0
if (!isThere) {
  if (process.env['CI']) throw new Error('ansible-core is missing')
  console.log('skipped: ansible-core is not installed')
}

interface Trial {
  readonly text: string
  readonly mode: number
  readonly args: Readonly<Record<string, unknown>>
}
interface Answer {
  readonly changed: boolean
  readonly text: string
  readonly mode: string
  readonly msg: string
  readonly failed: boolean
}

function left(path: string): Pick<Answer, 'text' | 'mode'> {
  const mode = (statSync(path).mode & 0o7777).toString(8)
  // Who is not root may not read every mode.
  chmodSync(path, 0o600)
  return { text: readFileSync(path, 'utf8'), mode }
}

function putFile(path: string, { text, mode }: Trial): void {
  writeFileSync(path, text)
  chmodSync(path, mode)
}

function askAnsible(folder: string, module: string, trials: readonly Trial[]): Answer[] {
  const lines = trials.map((trial, i) => {
    const path = join(folder, `ansible-${i}`)
    putFile(path, trial)
    return JSON.stringify({ module, args: { ...trial.args, path } })
  })
  const ran = spawnSync(python, [join(import.meta.dirname, 'ansible-oracle.py')], {
    input: `${lines.join('\n')}\n`,
    maxBuffer: 1e8,
  })
  const answers = ran.stdout.toString().trim().split('\n')
  expect([ran.stderr.toString(), answers.length]).toEqual(['', trials.length])
  return answers.map((line, i) => {
    const { changed = false, msg = '', failed = false } = JSON.parse(line)
    return { changed, msg, failed, ...left(join(folder, `ansible-${i}`)) }
  })
}

const option = <T>(name: string, values: fc.Arbitrary<T>) =>
  fc.option(values, { nil: undefined }).map(value => (value === undefined ? {} : { [name]: value }))
const line = fc.constantFrom('a', 'b', 'ab', 'a=1', 'a=2', '# a', '', 'b a', ' a')
const text = fc
  .tuple(fc.array(line, { maxLength: 5 }), fc.boolean())
  .map(([lines, isOpen]) => (lines.length === 0 ? '' : `${lines.join('\n')}${isOpen ? '' : '\n'}`))
const pattern = fc.constantFrom(
  'a',
  '^a',
  'a$',
  '^a=',
  '^(#\\s*)?a',
  '=(?P<n>\\d)',
  'z',
  '(?i)A',
  '^$',
  '[ab]+',
  '^\\s',
  'a\\Z',
  '.',
)

const lineTrial = fc
  .tuple(
    text,
    fc.oneof(option('regexp', pattern), option('search_string', fc.constantFrom('a', '=', 'z'))),
    fc.oneof(
      option('insertafter', fc.oneof(pattern, fc.constant('EOF'))),
      option('insertbefore', fc.oneof(pattern, fc.constant('BOF'))),
    ),
    option('firstmatch', fc.boolean()),
    fc.constantFrom('present', 'present', 'absent'),
    line,
  )
  .map(([content, find, place, first, state, wanted]) => ({
    text: content,
    mode: 0o644,
    args: { ...find, ...place, ...first, state, line: wanted },
  }))
  // After an open last line Ansible adds to that line itself.
  .filter(({ text: all, args }) => !('insertafter' in args) || !/[^\n]$/.test(all))

const backrefTrial = fc
  .tuple(
    text,
    fc.constantFrom('^(\\w)=(\\d)$', '(?P<n>[ab])', '^(#)? ?(a)'),
    fc.constantFrom('<\\1>', 'a', '\\g<1>\\n', 'x\\\\'),
  )
  .map(([content, regexp, wanted]) => ({
    text: content,
    mode: 0o644,
    args: { regexp, line: wanted, backrefs: true },
  }))

const blockTrial = fc
  .tuple(
    fc.tuple(
      text,
      fc.constantFrom(
        '',
        '# BEGIN ANSIBLE MANAGED BLOCK\nx\n# END ANSIBLE MANAGED BLOCK\n',
        '# BEGIN ANSIBLE MANAGED BLOCK\n',
        '# END ANSIBLE MANAGED BLOCK\nx\n# BEGIN ANSIBLE MANAGED BLOCK\n',
      ),
      text,
    ),
    fc.oneof(
      option('insertafter', fc.oneof(pattern, fc.constant('EOF'))),
      option('insertbefore', fc.oneof(pattern, fc.constant('BOF'))),
    ),
    fc.constantFrom('x', 'x\ny', 'x\n', '', 'a\n\nb'),
    fc.constantFrom('present', 'present', 'absent'),
  )
  .map(([[head, block, tail], place, content, state]) => ({
    text: `${block === '' || head === '' || head.endsWith('\n') ? head : `${head}\n`}${block}${tail}`,
    mode: 0o644,
    args: { ...place, block: content, state },
  }))
  // Ansible ends an open last line even where there is no block to remove, which is none of its business.
  .filter(({ text: all, args }) => (args.block !== '' && args.state === 'present') || !/[^\n]$/.test(all))

const replaceTrial = fc
  .tuple(
    text,
    pattern,
    fc.constantFrom('', 'x', 'a', '<\\g<0>>', '\\n', 'x\\\\y'),
    option('after', fc.constantFrom('a', '^b', '=')),
    option('before', fc.constantFrom('b', '#', 'a$')),
  )
  .map(([content, regexp, replacement, after, before]) => ({
    text: content,
    mode: 0o644,
    args: { regexp, replace: replacement, ...after, ...before },
  }))

const clause = fc
  .tuple(
    fc.constantFrom('', 'u', 'g', 'o', 'a', 'ug', 'go'),
    fc.constantFrom('+', '-', '='),
    fc.constantFrom('r', 'w', 'x', 'X', 'rw', 'rwX', 's', 't', 'rx', 'u', 'g', ''),
  )
  .map(parts => parts.join(''))
const modeTrial = fc
  .tuple(
    fc.constantFrom(0o644, 0o755, 0o600, 0o4755, 0o2640, 0o1777, 0),
    fc.oneof(
      fc.array(clause, { minLength: 1, maxLength: 3 }).map(parts => parts.join(',')),
      fc.constantFrom('0600', '755', '4711', '01777'),
    ),
  )
  .map(([mode, asked]) => ({ text: 'x', mode, args: { mode: asked } }))

describe.skipIf(!isThere)('as Ansible', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-ansible-'))
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: ['/bin/dash'] })
  })
  afterAll(async () => {
    await session.close()
    rmSync(folder, { recursive: true })
  })

  async function ask(module: Module, trial: Trial, i: number): Promise<Answer> {
    const path = join(folder, `rota-${i}`)
    putFile(path, trial)
    try {
      const done = await apply(makeTarget({ session }), module, { ...trial.args, path })
      return { changed: done.changed, msg: String(done.result['msg'] ?? ''), failed: false, ...left(path) }
    } catch (error) {
      return { changed: false, msg: (error as Error).message, failed: true, ...left(path) }
    }
  }

  it('stat', async () => {
    const at = makeFolder({
      a: { text: 'hi\n', mode: 0o4640 },
      l: { link: 'a' },
      broken: { link: 'no' },
      'd/x': '',
      bin: Buffer.from([0, 1, 2]),
    })
    const cases = ['a', 'l', 'broken', 'd', 'bin', 'none'].flatMap(name =>
      [true, false].map(follow => ({ path: join(at, name), follow })),
    )
    const ran = spawnSync(python, [join(import.meta.dirname, 'ansible-oracle.py')], {
      input: cases.map(args => `${JSON.stringify({ module: 'stat', args })}\n`).join(''),
    })
    const answers = ran.stdout
      .toString()
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).stat)
    for (const [i, args] of cases.entries()) {
      const { values } = await act(makeTarget({ session }), stat, args)
      const mine = JSON.parse(JSON.stringify(values!['stat']))
      // Reading a file moves its access time.
      const theirs = { ...answers[i] }
      if ('atime' in theirs) theirs.atime = mine.atime
      expect([args, mine]).toEqual([args, theirs])
    }
  })

  it.each([
    ['lineinfile', lineinfile, lineTrial],
    ['lineinfile', lineinfile, backrefTrial],
    ['blockinfile', blockinfile, blockTrial],
    ['replace', replace, replaceTrial],
    ['file', file, modeTrial],
  ] as const)('%s', { timeout: 120_000 }, async (name, module, arbitrary) => {
    const trials: Trial[] = fc.sample(arbitrary as fc.Arbitrary<Trial>, {
      numRuns: Number(process.env['TRIALS'] ?? 50),
      seed: Number(process.env['SEED'] ?? 20261123),
    })
    const wanted = askAnsible(folder, name, trials)
    const differing: unknown[] = []
    for (const [i, trial] of trials.entries()) {
      const mine = await ask(module, trial, i)
      const theirs = wanted[i]!
      const isSame = theirs.failed
        ? mine.failed && mine.text === theirs.text
        : JSON.stringify(mine) ===
          JSON.stringify({ ...mine, ...theirs, msg: name === 'replace' ? mine.msg : theirs.msg })
      if (!isSame) differing.push({ trial, theirs, mine })
    }
    expect(differing).toEqual([])
  })
})
