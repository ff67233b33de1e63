// authorized_key, known_hosts and cron: their life in three shells, and the same texts as Ansible's own modules.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Module } from '../../src/core/module.ts'
import type { Session } from '../../src/core/remote.ts'
import { authorizedKey } from '../../src/modules/authorized-key.ts'
import { cron } from '../../src/modules/cron.ts'
import { knownHosts } from '../../src/modules/known-hosts.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { apply, describeCases, shells } from './harness.ts'
import { live } from './lifecycle.ts'
import { askAnsible, hasAnsible, hasCollections } from './oracle.ts'
import { hasSandbox, useSandbox } from './sandbox.ts'

const user = userInfo().username
const A = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
const B = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGnJ5Zl4m0RHsW1g3kq7WQfT6gYbzVnqkGWQ0yWnZ5xq'
const C = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8'

describeCases(authorizedKey, [
  {
    name: 'makes folder and file for the user alone',
    args: {
      user,
      path: 'DIR/.ssh/authorized_keys',
      key: `${A} ann`,
      key_options: 'no-pty,from="10.0.0.1, x"',
    },
    expect: {
      '.ssh/authorized_keys': `no-pty,from="10.0.0.1, x" ${A} ann\n`,
      'mode:.ssh': '0700',
      'mode:.ssh/authorized_keys': '0600',
    },
    result: { keyfile: 'DIR/.ssh/authorized_keys', user, state: 'file' },
  },
  {
    name: 'is there already, with other blanks',
    files: { f: `# all\n${A}  ann e\n` },
    args: { user, path: 'DIR/f', key: `${A} ann e`, manage_dir: false },
    changed: false,
  },
  {
    name: 'is the only one',
    files: { f: `# all\n${B} ben\n${A} ann\nno key\n` },
    args: { user, path: 'DIR/f', key: `${A} ann`, manage_dir: false, exclusive: true },
    expect: { f: `${A} ann\n` },
  },
  {
    name: 'goes away whatever stands beside it',
    files: { f: `${B} ben\nno-pty ${A} other\n` },
    args: { user, path: 'DIR/f', key: A, state: 'absent' },
    expect: { f: `${B} ben\n` },
  },
  { name: 'no file to take it from', args: { user, path: 'DIR/f', key: A, state: 'absent' }, changed: false },
  { name: 'no key', args: { user, path: 'DIR/f', key: 'hello' }, fails: /invalid key specified: hello/ },
  { name: 'no user', args: { user: 'no-such-user', path: 'DIR/f', key: A }, fails: /Failed to lookup user/ },
  { name: 'no folder', args: { user, path: 'DIR/a/f', key: A, manage_dir: false }, fails: /does not exist/ },
])

describeCases(knownHosts, [
  {
    name: 'makes the file',
    args: { name: 'h.example', path: 'DIR/.ssh/known_hosts', key: `h.example ${A}` },
    expect: { '.ssh/known_hosts': `h.example ${A}\n`, 'mode:.ssh': '0700' },
  },
  {
    name: 'replaces another key of the type',
    files: { f: `a ${B}\nh.example,10.0.0.1 ${B}\nh.example ${C}\n` },
    args: { name: 'h.example', path: 'DIR/f', key: `h.example ${A}` },
    expect: { f: `a ${B}\nh.example ${C}\nh.example ${A}\n` },
  },
  {
    name: 'removes all keys of a host',
    files: { f: `h ${A}\nb ${A}\n[h]:2222 ${A}\nx,h ${C}\n` },
    args: { name: 'h', path: 'DIR/f', state: 'absent' },
    expect: { f: `b ${A}\n[h]:2222 ${A}\n` },
  },
  { name: 'no key', args: { name: 'h', path: 'DIR/f' }, fails: /No key specified/ },
  { name: 'another host', args: { name: 'h', path: 'DIR/f', key: `g ${A}` }, fails: /does not match/ },
])

describe('known_hosts', () => {
  it('hashes a name that ssh-keygen finds, and leaves it then', async () => {
    const { execFileSync } = await import('node:child_process')
    const session = await openLocalSession({ shell: shells['dash']! })
    const at = mkdtempSync(join(tmpdir(), 'rota-known-'))
    const path = join(at, 'f')
    const args = { name: '[h.example]:2222', path, key: `[h.example]:2222 ${A}`, hash_host: true }
    expect((await apply(makeTarget({ session }), knownHosts, args)).changed).toBe(true)
    expect(readFileSync(path, 'utf8')).toMatch(/^\|1\|\S+\|\S+ ssh-ed25519 /)
    expect(execFileSync('ssh-keygen', ['-F', '[h.example]:2222', '-f', path]).toString()).toContain(
      'found: line 1',
    )
    expect((await apply(makeTarget({ session }), knownHosts, args)).changed).toBe(false)
    expect((await apply(makeTarget({ session }), knownHosts, { ...args, state: 'absent' })).changed).toBe(
      true,
    )
    expect(readFileSync(path, 'utf8')).toBe('')
    writeFileSync(path, `a.example ${A}\nb.example ${B}\n`)
    execFileSync('ssh-keygen', ['-H', '-f', path], { stdio: 'ignore' })
    const gone = { name: 'a.example', path, state: 'absent' }
    expect((await apply(makeTarget({ session }), knownHosts, gone)).changed).toBe(true)
    expect(readFileSync(path, 'utf8')).toMatch(/^\|1\|\S+ ssh-ed25519 \S+nZ5xq\n$/)
    rmSync(at, { recursive: true })
    await session.close()
  })
})

describeCases(cron, [
  {
    name: 'makes a file',
    args: { name: 'n', cron_file: 'DIR/f', user: 'root', job: '/bin/true', minute: '5', hour: '*/2' },
    expect: { f: '#Ansible: n\n5 */2 * * * root /bin/true\n', 'mode:f': '0644' },
    result: { jobs: ['n'], envs: [], cron_file: 'DIR/f' },
  },
  {
    name: 'a special time, disabled',
    files: { f: 'A=b\n#Ansible: n\n1 2 3 4 5 root x\n#Ansible: m\n* * * * * root y\n' },
    args: { name: 'n', cron_file: 'DIR/f', user: 'root', job: 'z', special_time: 'reboot', disabled: true },
    expect: { f: 'A=b\n#Ansible: n\n#@reboot root z\n#Ansible: m\n* * * * * root y\n' },
    result: { jobs: ['n', 'm'], envs: ['A'] },
  },
  {
    name: 'marks a job that stands there',
    files: { f: '* * * * * root x\n' },
    args: { name: 'n', cron_file: 'DIR/f', user: 'root', job: 'x' },
    expect: { f: '#Ansible: n\n* * * * * root x\n' },
  },
  {
    name: 'removes a job',
    files: { f: 'A=b\n#Ansible: n\n1 2 3 4 5 root x\nend\n' },
    args: { name: 'n', cron_file: 'DIR/f', state: 'absent' },
    expect: { f: 'A=b\nend\n' },
  },
  {
    name: 'removes the file when nothing is left in it',
    files: { f: '#Ansible: n\n1 2 3 4 5 root x\n\n    \n\t\n' },
    args: { name: 'n', cron_file: 'DIR/f', state: 'absent' },
    expect: { f: null },
  },
  {
    name: 'finds no file',
    args: { name: 'n', cron_file: 'DIR/f', state: 'absent' },
    changed: false,
  },
  {
    name: 'sets a variable',
    files: { f: 'A="1"\n* * * * * root x\n' },
    args: { name: 'B', env: true, cron_file: 'DIR/f', job: '2', insertafter: 'A' },
    expect: { f: 'A="1"\nB="2"\n* * * * * root x\n' },
  },
  {
    name: 'the table of the system',
    args: { name: 'n', cron_file: '/etc/crontab', user: 'root', job: 'x' },
    fails: /Will not manage \/etc\/crontab via cron_file/,
  },
  { name: 'no user', args: { name: 'n', cron_file: 'DIR/f', job: 'x' }, fails: /must specify user/ },
  { name: 'no job', args: { name: 'n', cron_file: 'DIR/f', user: 'root' }, fails: /must specify 'job'/ },
  {
    name: 'two lines',
    args: { name: 'n', cron_file: 'DIR/f', user: 'root', job: 'x\n* * * * * root y' },
    fails: /line breaks/,
  },
  {
    name: 'no such variable',
    files: { f: '' },
    args: { name: 'B', env: true, cron_file: 'DIR/f', job: '2', insertbefore: 'A' },
    fails: /Variable named 'A' not found/,
  },
])

describe.skipIf(!hasSandbox).each(Object.keys(shells))('the crontab of a user under %s', shell => {
  const { session } = useSandbox(shell, {
    setUp: 'mkdir -p /var/spool/cron/crontabs; rm -f /var/spool/cron/crontabs/*',
    programs: { crontab: '#!/bin/sh\nexec busybox crontab "$@"\n' },
  })
  it('gets and loses a job', async () => {
    const world = 'cat /var/spool/cron/crontabs/root 2>/dev/null; exit 0'
    const one = { session: session(), module: cron, world }
    const made = await live({ ...one, args: { name: 'n', job: "echo '%d' \\%", minute: '1' }, keep: true })
    expect(made.world).toBe("#Ansible: n\n1 * * * * echo '%d' \\%\n")
    const more = await live({ ...one, args: { name: 'm', job: 'y', user: 'root' } })
    expect(more.result).toEqual({ jobs: ['n', 'm'], envs: [] })
    expect((await live({ ...one, args: { name: 'n', state: 'absent' } })).world).toBe('')
  })
})

const keyText = fc
  .array(fc.constantFrom(`${A} ann`, `${B} ben`, '# note', `${C} c d`), { maxLength: 4 })
  .map(lines => [...new Set(lines)].map(line => `${line}\n`).join(''))
const keyArgs = fc.record({
  key: fc.constantFrom(`${A} ann`, A, `${B} ben\n${C}`, `no-pty ${B}`),
  state: fc.constant('present'),
  exclusive: fc.boolean(),
})
const cronText = fc
  .array(
    fc.constantFrom(
      '#Ansible: n\n* * * * * root x',
      '#Ansible: m\n@daily root y',
      'A="1"',
      '# note',
      '1 2 3 4 5 root z',
    ),
    {
      maxLength: 4,
    },
  )
  .map(lines => [...new Set(lines)].map(line => `${line}\n`).join(''))
const cronArgs = fc
  .record(
    {
      name: fc.constantFrom('n', 'm', 'o'),
      job: fc.constantFrom('x', 'z'),
      user: fc.constant('root'),
      state: fc.constantFrom('present', 'present', 'absent'),
      disabled: fc.boolean(),
      special_time: fc.constantFrom('daily', 'reboot'),
      env: fc.boolean(),
    },
    { requiredKeys: ['name', 'job', 'user'] },
  )
  // A comment line in the table that is no mark is not told from one by Ansible, when the job below it is the wanted one.
  .map(args => args as Record<string, unknown>)

describe.skipIf(!hasAnsible || !hasCollections)('as Ansible', () => {
  let session: Session
  const folder = mkdtempSync(join(tmpdir(), 'rota-access-'))
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells['dash']! })
  })
  afterAll(async () => {
    await session.close()
    rmSync(folder, { recursive: true })
  })

  it.each([
    ['ansible.posix.authorized_key', authorizedKey, keyText, keyArgs, { user, manage_dir: false }, 'path'],
    ['cron', cron, cronText, cronArgs, {}, 'cron_file'],
  ] as const)('%s', { timeout: 120_000 }, async (name, module, texts, given, fixed, at) => {
    const trials = fc.sample(fc.tuple(texts, given as fc.Arbitrary<Record<string, unknown>>), {
      numRuns: Number(process.env['TRIALS'] ?? 60),
      seed: Number(process.env['SEED'] ?? 20261123),
    })
    mkdirSync(join(folder, name))
    const put = (who: string, i: number, text: string): string => {
      const path = join(folder, name, `${who}${i}`)
      writeFileSync(path, text)
      return path
    }
    const theirs = askAnsible(
      name,
      trials.map(([text, args], i) => ({ ...fixed, ...args, [at]: put('theirs', i, text) })),
    )
    const textOf = (path: string): string | null => (existsSync(path) ? readFileSync(path, 'utf8') : null)
    const differing: unknown[] = []
    for (const [i, [text, args]] of trials.entries()) {
      const path = put('mine', i, text)
      const { changed } = await apply(makeTarget({ session }), module as Module, {
        ...fixed,
        ...args,
        [at]: path,
      })
      const mine = [textOf(path), changed]
      const wanted = [
        textOf(join(folder, name, `theirs${i}`))?.replace(/ +$/gm, '') ?? null,
        theirs[i]!['changed'],
      ]
      if (JSON.stringify(mine) !== JSON.stringify(wanted))
        differing.push({ text, args, mine, wanted, msg: theirs[i]!['msg'] })
    }
    expect(differing).toEqual([])
  })
})
