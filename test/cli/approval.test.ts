// Plan, approve, apply, as two operators type them; the second one's signatures are also made and checked by stock ssh-keygen.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Operator, openDesks, type Site } from './desks.ts'

const isThere = spawnSync('ssh-keygen', ['-?']).error === undefined
if (!isThere && process.env['CI']) throw new Error('ssh-keygen is missing')
if (!isThere) console.log('skipped: ssh-keygen is missing (Debian: openssh-client)')

vi.setConfig({ testTimeout: 120_000 })

let site: Site
let alice: Operator
let bobsKey: string
const at = (name: string): string => join(site.folder, name)
beforeAll(async () => {
  site = openDesks(['one', 'two'])
  site.writePlaybook('    approval: true\n    downtime: "{{ inventory_hostname }} for a second"')
  alice = await site.operator('alice')
  if (!isThere) return
  bobsKey = makeKey('bob')
  mkdirSync(join(alice.home, '.ssh'), { recursive: true })
  writeFileSync(at('allowed_signers'), `bob@example.com namespaces="approval@rota" ${publicLine(bobsKey)}\n`)
})
afterAll(() => site.close())

function makeKey(name: string): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)])
  return at(name)
}
const publicLine = (file: string) => readFileSync(`${file}.pub`, 'utf8').trim()
const plan = (...more: string[]) =>
  site.rota(alice, ['plan', site.playbook, '-i', site.inventory, '-o', at('plan.json'), ...more])
const apply = (...more: string[]) => site.rota(alice, ['apply', at('plan.json'), ...more])
const keys = () => ['one', 'two'].map(host => site.key(host))

interface Statement {
  readonly plan: string
  readonly user: string
  readonly expires: string
}
/** An approval as rota writes it, changed, and signed by stock ssh-keygen. */
function approveAs(
  user: string,
  change: Partial<Statement> = {},
  key = bobsKey,
  namespace = 'approval@rota',
): void {
  const text = execFileSync('sha256sum', [at('plan.json')], { encoding: 'utf8' })
  const whole = {
    v: 1,
    plan: text.split(' ')[0],
    user,
    machine: 'desk',
    at: new Date().toISOString(),
    expires: new Date(Date.now() + 3_600_000).toISOString(),
    ...change,
  }
  const file = at('plan.json.approval')
  writeFileSync(file, `${JSON.stringify(whole)}\n`)
  rmSync(`${file}.sig`, { force: true })
  execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', key, '-n', namespace, file], { stdio: 'ignore' })
}
async function expectRefused(message: string | RegExp, ...more: string[]): Promise<void> {
  const before = keys()
  const done = await apply(...more)
  expect(done.exit, done.stdout + done.stderr).toBe(8)
  expect(done.stderr).toMatch(message)
  expect(keys()).toEqual(before)
}

describe.skipIf(!isThere)('a rotation that needs an approval', () => {
  it('is not run alone; --check may look', async () => {
    const before = keys()
    const done = await site.rota(alice, ['run', site.playbook, '-i', site.inventory])
    expect([done.exit, done.stderr]).toEqual([8, expect.stringContaining('rota plan PLAYBOOK')])
    const look = await site.rota(alice, ['run', site.playbook, '-i', site.inventory, '--check'])
    expect(look.exit, look.stderr).toBe(0)
    expect(keys()).toEqual(before)
  })

  it('the plan says per host and secret what is done, and no value', async () => {
    const before = keys()
    const done = await plan()
    expect(done.exit, done.stderr).toBe(0)
    expect(keys()).toEqual(before)
    const text = readFileSync(at('plan.json'), 'utf8')
    expect(JSON.parse(text)).toMatchObject({
      v: 1,
      rotation: 'app',
      reason: 'scheduled',
      commit: 'run',
      downtime: 'one for a second',
      hosts: ['one', 'two'].map(host => ({
        host,
        wave: 1,
        secrets: [
          {
            name: 'API_KEY',
            value: 'made by rota, 32 characters',
            replaces: true,
            logsOut: 'users of the API',
          },
        ],
        changes: [
          {
            module: 'env_file',
            what: expect.stringMatching(/^Write the key \(.*rotate.yml:\d+\)$/),
            base: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
        ],
        converge: ['Restart'],
      })),
    })
    for (const shown of [
      'converge  Restart',
      'logs out users of the API',
      'change    env_file: Write the key',
    ])
      expect(done.stdout).toContain(shown)
    for (const value of before) expect(`${text}${done.stdout}`.includes(value)).toBe(false)
  })

  it('without an approval it is not applied; what rota signs, ssh-keygen verifies; oneself does not count', async () => {
    await expectRefused(/there is no .*plan.json.approval/)
    const bob = await site.operator('bob')
    const asked = await site.rota(bob, ['approve', at('plan.json'), '--key', bobsKey])
    expect([asked.exit, asked.stderr]).toEqual([64, expect.stringContaining('--yes')])
    expect(existsSync(at('plan.json.approval'))).toBe(false)
    const approved = await site.rota(bob, ['approve', at('plan.json'), '--key', bobsKey, '--yes'])
    expect(approved.exit, approved.stderr).toBe(0)
    const sig = at('plan.json.approval.sig')
    const verify = [
      '-Y',
      'verify',
      '-f',
      at('allowed_signers'),
      '-I',
      'bob@example.com',
      '-n',
      'approval@rota',
      '-s',
      sig,
    ]
    const input = readFileSync(at('plan.json.approval'))
    expect(spawnSync('ssh-keygen', verify, { input }).status).toBe(0)
    // The same person at the same machine under another name of rota's is still the same user.
    await expectRefused(/so is the executor/)
  })

  it('refuses an approval that expired, is of another plan, of a key that is not listed, or for something else', async () => {
    approveAs('bob', { expires: '2020-01-01T00:00:00.000Z' })
    await expectRefused('expired at 2020-01-01')
    approveAs('bob', { plan: 'f'.repeat(64) })
    await expectRefused('of another plan')
    approveAs('bob', {}, makeKey('eve'))
    await expectRefused('may not approve')
    approveAs('bob', {}, bobsKey, 'git')
    await expectRefused('it is for "git"')
    approveAs('bob')
    writeFileSync(
      at('plan.json.approval'),
      readFileSync(at('plan.json.approval'), 'utf8').replace('"desk"', '"lamp"'),
    )
    await expectRefused('the signature is not of this text')
    approveAs('bob')
    await expectRefused(/there is no .*nobody/, '--allowed-signers', at('nobody'))
  })

  it('refuses an approver whose key the executor holds, or who is the executor by another key', async () => {
    approveAs('bob')
    cpSync(`${bobsKey}.pub`, join(alice.home, '.ssh', 'id.pub'))
    await expectRefused('is the executor’s own')
    rmSync(join(alice.home, '.ssh', 'id.pub'))
    const other = makeKey('bobs-laptop')
    writeFileSync(
      at('signers'),
      `bob@example.com ${publicLine(bobsKey)}\nbob@example.com ${publicLine(other)}\n`,
    )
    cpSync(`${other}.pub`, join(alice.home, '.ssh', 'id.pub'))
    await expectRefused('another key of theirs', '--allowed-signers', at('signers'))
    rmSync(join(alice.home, '.ssh', 'id.pub'))
  })

  it('refuses when the plan, playbook, inventory, hosts or the state of a host are others by now', async () => {
    approveAs('bob')
    const changed = async (file: string, from: string | RegExp, to: string, message: string | RegExp) => {
      const text = readFileSync(file, 'utf8')
      expect(text.replace(from, to)).not.toBe(text)
      writeFileSync(file, text.replace(from, to))
      await expectRefused(message)
      writeFileSync(file, text)
    }
    await changed(at('plan.json'), '"wave": 1', '"wave": 2', 'of another plan')
    await changed(site.playbook, 'cp .env running', 'cp .env  running', 'the playbook, the inventory')
    await changed(
      site.inventory,
      '"ansible_connection"',
      '"more": 1, "ansible_connection"',
      'the playbook, the inventory',
    )
    await changed(
      join(site.folder, 'two', '.env'),
      'A=1',
      'A=2',
      'two: it is no longer as it was when planned',
    )
    await expectRefused(/the hosts are one/, '--limit', 'one')
  })

  it('refuses when the hosts’ clocks say that the approval has expired, whatever the executor’s says', async () => {
    approveAs('bob')
    mkdirSync(at('bin'))
    writeFileSync(at('bin/date'), '#!/bin/sh\nprintf "2099-01-01T00:00:00Z\\n"\n', { mode: 0o755 })
    site.env['PATH'] = `${at('bin')}:${process.env['PATH']}`
    await expectRefused('by the clocks of 2 of 2 hosts')
    site.env['PATH'] = process.env['PATH']!
  })

  it('refuses when a file that a template or a task reads is another one by now', async () => {
    const text = readFileSync(site.playbook, 'utf8')
    writeFileSync(at('note.txt'), 'one')
    const more = `change:
      - copy: { src: ${at('note.txt')}, dest: "{{ folder }}/note" }
      - copy: { content: "{{ lookup('file', '${at('looked.txt')}') }}", dest: "{{ folder }}/looked" }
`
    writeFileSync(at('looked.txt'), 'one')
    writeFileSync(at('step.sh'), 'one')
    const own = join(dirname(site.playbook), 'library', 'own')
    mkdirSync(dirname(own))
    writeFileSync(own, 'one')
    const script = 'converge:\n      - script: step.sh --now\n      - own:\n'
    writeFileSync(site.playbook, text.replace('change:\n', more).replace('converge:\n', script))
    const done = await plan()
    expect(done.exit, done.stderr).toBe(0)
    approveAs('bob')
    for (const file of [...['note.txt', 'looked.txt', 'step.sh'].map(at), own]) {
      writeFileSync(file, 'two')
      await expectRefused(`${basename(file)} is another file`)
      writeFileSync(file, 'one')
    }
    rmSync(dirname(own), { recursive: true })
    writeFileSync(site.playbook, text)
    expect((await plan()).exit).toBe(0)
  })

  it('applies the very same, once; the evidence says who approved', async () => {
    approveAs('bob')
    const before = keys()
    const done = await apply()
    expect(done.exit, done.stdout + done.stderr).toBe(0)
    expect(keys().some((key, i) => key === before[i])).toBe(false)
    const folder = join(alice.runs, alice.lastRun())
    const summary = JSON.parse(readFileSync(join(folder, 'evidence', 'summary.json'), 'utf8'))
    expect(summary.operator.approvedBy).toMatch(/^bob@example.com \(bob@desk\) with SHA256:/)
    for (const name of ['plan.json', 'plan.json.approval', 'plan.json.approval.sig'])
      expect(existsSync(join(folder, name))).toBe(true)
    await expectRefused('no longer as it was when planned')
  })

  it('only recipients of the plan can apply it', async () => {
    expect((await plan()).exit).toBe(0)
    approveAs('bob')
    const carol = await site.operator('carol')
    const refused = await site.rota(carol, ['apply', at('plan.json')])
    expect([refused.exit, refused.stderr]).toEqual([
      65,
      expect.stringContaining('not sealed to this identity'),
    ])
    expect((await plan('--recipient', carol.recipient)).exit).toBe(0)
    approveAs('bob')
    const done = await site.rota(carol, ['apply', at('plan.json')])
    expect(done.exit, done.stderr).toBe(0)
  })

  it('a file that is no plan', async () => {
    writeFileSync(at('plan.json'), '[]')
    approveAs('bob')
    await expectRefused('is no plan')
  })
})
