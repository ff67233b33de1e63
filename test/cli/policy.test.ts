// What a user types about the policy, and what goes wrong: on hosts that are this machine, and one that is down.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { rota } from './rota.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-cli-policy-'))
afterAll(() => rmSync(folder, { recursive: true }))
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text)
const policy = `- name: app
  hosts: app
  playbook: rotate.yml
  read:
    - env_read: { path: "{{ env_file }}" }
      register: now
  secrets:
    KEY:
      class: token
      cryptoperiod: 90d
      owner: a@example.org
      rotated: 2020-01-01
      agrees:
        - assert: { that: now.env.KEY == 'one-and-the-same-key', quiet: true, fail_msg: the copy is another }
`
beforeEach(() => {
  put('.env', 'KEY=one-and-the-same-key\n')
  put(
    'rotate.yml',
    '- hosts: app\n  rotation:\n    name: app\n    secrets: { KEY: { length: 48, current: "{{ old.env.KEY }}" } }\n    preflight:\n      - env_read: { path: "{{ env_file }}" }\n        register: old\n    change:\n      - env_file: { path: "{{ env_file }}", values: "{{ pending }}" }\n',
  )
  put('rota.yml', policy)
  put(
    'hosts',
    `[app]\na ansible_connection=local\ndown ansible_host=127.0.0.1 ansible_port=1\n[app:vars]\nenv_file=${folder}/.env\nrota_host_folder=${folder}/host\n`,
  )
})
const run = (...args: string[]) => rota(folder, args)

describe('rota status', () => {
  it('says of each host how it stands, and goes on where one does not answer', () => {
    const { exit, stdout } = run('status', '-i', 'hosts')
    expect(stdout).toMatch(/^a +app +KEY +\d+d +OVERDUE \d+d +agrees 1 +by policy$/m)
    expect(stdout).toContain('down: not reached')
    expect(exit).toBe(12)
  })
  it('takes a pattern, and forms for programs', () => {
    const { secrets } = JSON.parse(run('status', 'a', '-i', 'hosts', '--format', 'json').stdout)
    expect(secrets).toMatchObject([
      { host: 'a', secret: 'KEY', timeliness: 'overdue', owner: 'a@example.org' },
    ])
    expect(run('status', '-i', 'hosts', '--offline', '--format', 'ics').stdout).toContain(
      'SUMMARY:Rotate app: KEY\r\n',
    )
  })
  it('tells drift from what could not be asked', () => {
    put('.env', 'KEY=another-key-altogether\n')
    const drift = run('status', 'a', '-i', 'hosts')
    expect([drift.exit, drift.stdout]).toEqual([
      13,
      expect.stringContaining('a KEY: DRIFT, assert: the copy is another'),
    ])
    rmSync(join(folder, '.env'))
    const broken = run('status', 'a', '-i', 'hosts')
    expect(broken.stdout).toMatch(/a KEY: not asked, read: .*does not exist/)
    expect(broken.exit).toBe(12)
  })
  it('changes nothing, even when a task would', () => {
    put(
      'rota.yml',
      policy.replace(/- assert: .*/, `- copy: { dest: ${folder}/made, content: "{{ now.env.KEY }}" }`),
    )
    expect(run('status', 'a', '-i', 'hosts').exit).toBe(13)
    expect(existsSync(join(folder, 'made'))).toBe(false)
  })
  it('knows what was rotated from another machine', () => {
    expect(run('run', 'rotate.yml', '-i', 'hosts', '-l', 'a').exit).toBe(0)
    const args = ['status', 'a', '-i', 'hosts']
    expect(run(...args).stdout).toMatch(/KEY +0h +ok, due in 89d .* \d{8}T\d{6}Z-\w{4}$/m)
    const elsewhere = rota(folder, args, { env: { XDG_STATE_HOME: join(folder, 'other') } })
    expect(elsewhere.stdout).toMatch(/KEY +0h +ok, due in 89d .* \d{8}T\d{6}Z-\w{4} elsewhere$/m)
  })
  it('without a policy shows the runs, and says what a policy is for', () => {
    rmSync(join(folder, 'rota.yml'))
    expect(run('status').exit).toBe(0)
    const { exit, stderr } = run('status', '--format', 'json')
    expect([exit, stderr]).toEqual([64, expect.stringContaining('--format is about the secrets of a policy')])
  })
})

describe('what is wrong', () => {
  it.each([
    [
      'a policy with a mistake',
      () => put('rota.yml', policy.replace('owner', 'onwer')),
      65,
      /E_POLICY[\s\S]*rota\.yml:\d+:\d+[\s\S]*did you mean owner\?/,
    ],
    [
      'a secret that the playbook does not rotate',
      () => put('rota.yml', policy.replace('KEY:', 'CAY:')),
      65,
      /does not rotate CAY[\s\S]*it rotates KEY/,
    ],
    [
      'a playbook without a rotation',
      () => put('rotate.yml', '- hosts: app\n  tasks: []\n'),
      65,
      /has no rotation/,
    ],
    [
      'a playbook that is not there',
      () => rmSync(join(folder, 'rotate.yml')),
      65,
      /cannot read .*rotate\.yml/,
    ],
  ])('%s is said before a host is asked', (_, spoil, code, says) => {
    spoil()
    const { exit, stderr, stdout } = run('status', '-i', 'hosts')
    expect([exit, stdout]).toEqual([code, ''])
    expect(stderr).toMatch(says)
  })
})

describe('rota incident', () => {
  it('rotates with that reason; a host that is down does not go unnoticed', () => {
    const { exit, stdout } = run('incident', 'a', '-i', 'hosts')
    expect(stdout).toContain('app on a (rotate.yml): rotated')
    expect(exit).toBe(0)
    expect(run('status', 'latest').stdout).toContain('incident')
    const both = run('incident', 'app', '-i', 'hosts')
    expect(both.exit).toBe(4)
    expect(both.stdout).toMatch(
      /app on a, down \(rotate\.yml\): exit 4: at least one host could not be reached/,
    )
  })
  it.each([
    [['app', '--secret', 'NO=-'], 64, /no application on these hosts has a secret of that name/],
    [['nobody'], 65, /E_HOSTS/],
    [['app', '--policy', 'none.yml'], 65, /cannot read none\.yml/],
  ])('refuses %j', (args, code, says) => {
    const { exit, stderr } = run('incident', ...args, '-i', 'hosts')
    expect(exit).toBe(code)
    expect(stderr).toMatch(says)
  })
})

describe('rota schedule', () => {
  it('prints what keeps the periods of the policy, and writes only where it is told', () => {
    const { exit, stdout } = run('schedule', 'systemd', '-i', 'hosts')
    expect(exit).toBe(0)
    expect(stdout).toContain('OnCalendar=monthly')
    expect(stdout).toMatch(/^ExecStart=.*rota\.mjs run rotate\.yml -i hosts$/m)
    expect(existsSync(join(folder, 'units'))).toBe(false)
    expect(run('schedule', 'github', 'rotate.yml', '--every', 'weekly', '--to', 'made').stdout).toBe(
      'made/.github/workflows/rota-rotate.yml\n',
    )
  })
  it.each([
    [['at'], 64, /use one of: systemd, cron, github, gitlab/],
    [['cron', 'none.yml'], 65, /cannot read none\.yml/],
    [['cron', '--every', 'hourly'], 64, /Allowed choices are/],
  ])('refuses %j', (args, code, says) => {
    const { exit, stderr } = run('schedule', ...args)
    expect(exit).toBe(code)
    expect(stderr).toMatch(says)
  })
})
