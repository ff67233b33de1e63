// Fifty hosts are one transaction: one whose verify is red brings all of them back.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Desk, openDesk } from '../../demo/site.ts'
import { verifyEvidence } from '../../src/evidence/verify.ts'
import { type LabHost, labKeyFile, startLabHosts, stopLabHosts, whyNoLab } from '../lab/labhosts.ts'

const noLab = whyNoLab()
if (noLab) console.log(`the fifty hosts are skipped: ${noLab}`)

const COUNT = 50
const nameOf = (number: number): string => `host${String(number).padStart(2, '0')}.example`
const playbook = `
- hosts: panel
  gather_facts: false
  rotation:
    name: fifty
    secrets: { API_KEY: { length: 32, current: "{{ old.env.API_KEY }}" } }
    preflight:
      - env_read: { path: /root/app.env, names: [API_KEY] }
        register: old
    change:
      - env_file: { path: /root/app.env, values: { API_KEY: "{{ pending.API_KEY }}" } }
    converge:
      - command: cp /root/app.env /root/running.env
    verify:
      - command: cmp /root/app.env /root/running.env
      - command: "false"
        when: inventory_hostname == red | default('') and secrets.API_KEY != current.API_KEY
`

describe.skipIf(noLab !== undefined)('fifty hosts', () => {
  let hosts: readonly LabHost[] = []
  let folder: string
  let desk: Desk
  let file: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rota-fifty-'))
    hosts = startLabHosts(COUNT, '--kind', 'tiny', '--prefix', 'fifty')
    const names = hosts.map((host, i) => {
      onHost(
        host,
        `umask 077; printf 'API_KEY=old-key-of-host-${i + 1}-0123456789\\n' >/root/app.env; cp /root/app.env /root/running.env`,
      )
      // A list of their own: new hosts come with new keys each time.
      const options = `-F none -o UserKnownHostsFile=${join(folder, 'known_hosts')}`
      const login = { ansible_host: host.address, ansible_port: host.port, ansible_ssh_common_args: options }
      return [nameOf(i + 1), login] as const
    })
    desk = openDesk(join(folder, 'desk'), Object.fromEntries(names))
    file = join(folder, 'fifty.yml')
    writeFileSync(file, playbook)
  }, 240_000)
  afterAll(() => {
    stopLabHosts(hosts)
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  function onHost(host: LabHost, command: string): string {
    const spaces = ['-m', '-p', '-u', '-i', '-n', '-r', '-w']
    return execFileSync('nsenter', ['-t', String(host.pid), ...spaces, '/bin/sh', '-c', command], {
      encoding: 'utf8',
    })
  }
  const rotate = (...more: string[]) =>
    desk.rota([
      'run',
      file,
      '-i',
      desk.inventory,
      '-u',
      'root',
      '--private-key',
      labKeyFile,
      '--accept-new-host-keys',
      ...more,
    ])
  /** What is written and what runs, on every host. */
  const look = (): string[] => hosts.map(host => onHost(host, 'cat /root/app.env /root/running.env'))

  it('host 37 is red: all fifty are on their old secrets, exit 10, and the evidence says so of each', async () => {
    const before = look()
    expect(new Set(before).size).toBe(COUNT)
    const done = await rotate('-e', `red=${nameOf(37)}`)
    expect(done.code, done.output).toBe(10)
    expect(look()).toEqual(before)
    const evidence = join(desk.runs, readdirSync(desk.runs).sort().at(-1)!, 'evidence')
    expect((await verifyEvidence(evidence)).problems).toEqual([])
    const summary = JSON.parse(readFileSync(join(evidence, 'summary.json'), 'utf8'))
    const states = Object.entries(summary.hosts as Record<string, { state: string }>)
    expect(states.map(([name, { state }]) => [name, state]).sort()).toEqual(
      [...Array(COUNT).keys()].map(i => [nameOf(i + 1), 'rolled_back']),
    )
    const locks = hosts.map(host =>
      onHost(
        host,
        'cat "$(ls -v /root/.local/state/rota/lock.* /var/lib/rota/lock.* 2>/dev/null | tail -n 1)" | head -n 1',
      ),
    )
    expect(new Set(locks)).toEqual(new Set(['free\n']))
  }, 240_000)

  it('nobody is red: all fifty are on new secrets, each on its own', async () => {
    const before = look()
    const done = await rotate()
    expect(done.code, done.output).toBe(0)
    const after = look()
    expect(new Set([...before, ...after]).size).toBe(2 * COUNT)
  }, 240_000)
})
