import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Clean } from '../../src/core/redact.ts'
import { renderHostResult } from '../../src/report/ad-hoc.ts'
import { rota } from './rota.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-cli-exec-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(
  join(folder, 'hosts'),
  'a ansible_connection=local\nb ansible_connection=local\ndown ansible_host=127.0.0.1 ansible_port=1\n',
)
const exec = (...args: string[]) => rota(folder, ['exec', '-i', 'hosts', ...args])

it('output that a full disk swallows is not a success', () => {
  const full = openSync('/dev/full', 'w')
  const listing = rota(folder, ['inventory', '-i', 'hosts', '--list'], { stdout: full })
  closeSync(full)
  expect([listing.exit, listing.stderr]).toEqual([
    1,
    expect.stringMatching(/^ERROR! it was done, but .*ENOSPC.* \(E_FILE\)$/m),
  ])
})

describe('rota exec', () => {
  it('without an inventory says so', () => {
    const { exit, stdout, stderr } = rota(folder, ['exec', 'all', '-m', 'ping'])
    expect([exit, stdout, stderr]).toEqual([
      0,
      '',
      '[WARNING]: No inventory was parsed, only implicit localhost is available: name one with -i\n',
    ])
  })
  it('writes each result into a tree of its own, for its owner alone', () => {
    expect(exec('a', '-m', 'ping', '-t', 'tree').exit).toBe(0)
    expect(readFileSync(join(folder, 'tree/a'), 'utf8')).toBe('{"changed":false,"ping":"pong"}')
    expect(statSync(join(folder, 'tree/a')).mode & 0o777).toBe(0o600)
  })
  it('takes templates, JSON arguments and -e', () => {
    expect(
      exec('a', '-m', 'debug', '-a', 'msg={{ inventory_hostname }}-{{ x }}', '-e', 'x=1').stdout,
    ).toContain('"msg": "a-1"')
    expect(exec('a', '-m', 'debug', '-a', '{"msg": ["{{ inventory_hostname }}", 3]}', '-o').stdout).toBe(
      'a | SUCCESS => {"msg": ["a",3]}\n',
    )
  })
  it('reports several hosts, and ends with 4 when one cannot be reached', () => {
    const { stdout, exit } = exec('all', '-a', 'true')
    expect(exit).toBe(4)
    expect(stdout).toContain('a | CHANGED | rc=0 >>\n')
    expect(stdout).toContain('b | CHANGED | rc=0 >>\n')
    expect(stdout).toMatch(/^down \| UNREACHABLE! => \{$/m)
  })
  it.each([
    [['a', '-m', 'nosuch'], 65, 'ERROR! there is no module nosuch'],
    [['a', '-m', 'copy', '-a', 'dset=/x'], 65, 'ERROR! Unsupported parameters for (copy) module: dset'],
    [['a', '-m', 'import_playbook', '-a', 'x.yml'], 64, 'ERROR! import_playbook makes no sense by itself'],
    [['a', '-a', '{"cmd"'], 64, 'ERROR! -a begins with { and is not JSON'],
    [['nobody', '-m', 'ping'], 65, 'E_HOSTS'],
    [['a', '-m', 'shell'], 64, 'ERROR! No argument passed to shell module'],
  ])('refuses %j', (args, exit, said) => {
    const ran = exec(...args)
    expect(ran).toMatchObject({ exit, stdout: '' })
    expect(ran.stderr).toContain(said)
  })
  it('lists hosts without asking what to run on them', () => {
    expect(exec('all,!down', '--list-hosts').stdout).toBe('  hosts (2):\n    a\n    b\n')
  })
  it('shows a job as JSON, as what asks for it reads it', () => {
    const result = '{"ansible_job_id":"j1","rc":0,"stdout":"x"}' as Clean
    expect(
      renderHostResult({ host: 'a', status: 'changed', result }, { module: 'command', isOneLine: true }),
    ).toBe('a | CHANGED => {"ansible_job_id": "j1","rc": 0,"stdout": "x"}')
  })
  it('shows a result that is no JSON as its message', () => {
    const event = { host: 'a', status: 'failed', message: 'it broke' as Clean } as const
    expect(renderHostResult(event, { module: 'command', isOneLine: true })).toBe(
      'a | FAILED! => {"msg": "it broke"}',
    )
  })
})

const hasAnsible = spawnSync('ansible', ['--version']).status === 0
if (!hasAnsible && process.env['CI']) throw new Error('ansible-core is not installed')
if (!hasAnsible) console.log('skipped: ansible-core is not installed')

describe.skipIf(!hasAnsible)('against ansible', () => {
  // What Ansible says of its Python interpreter is not said by rota.
  const facts = /\n? *"ansible_facts": \{\s*"discovered_interpreter_python": "[^"]*"\s*\},?/
  it.each([
    [['a', '-m', 'shell', '-a', 'exit 3']],
    [['a', '-m', 'command', '-a', 'printf "one\\ntwo"', '-o']],
    [['a', '-m', 'fail', '-a', 'msg=no', '-o']],
    [['a', '-m', 'fail', '-a', 'msg=no']],
    [['a', '-m', 'set_fact', '-a', 'x=1']],
  ])('shows %j alike', args => {
    const theirs = spawnSync('ansible', ['-i', 'hosts', ...args], { cwd: folder, encoding: 'utf8' })
    const ours = exec(...args)
    expect(ours.stdout).toBe(theirs.stdout.replace(facts, ''))
    expect(ours.exit).toBe(theirs.status)
  })
})
