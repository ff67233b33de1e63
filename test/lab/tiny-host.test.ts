// Every module on a host of busybox and dropbear alone (no bash, no Python, no coreutils), over a real SSH connection, by the built
// program: tiny-host.yml. Each module is run there, or the table says why it makes no sense.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { modules } from '../../src/modules/index.generated.ts'
import { rota } from '../cli/rota.ts'
import { type LabHost, labKeyFile, startLabHosts, stopLabHosts, whyNoLab } from './labhosts.ts'

const playbook = join(import.meta.dirname, 'tiny-host.yml')
const database = 'the host has no database, and no client of one'
const docker = 'the host has no container engine'
const packages = 'the host has no such package manager'
const operator = 'it does nothing on the host'
const later = 'it is a later addition for hosts that have its program'

const leftOut: Readonly<Record<string, string>> = {
  age_file: later,
  age_find: later,
  age_keygen: operator,
  apk: packages,
  apt: packages,
  apt_key: packages,
  apt_repository: packages,
  async_status: operator,
  backup: operator,
  compose_stack: docker,
  deb822_repository: packages,
  debconf: packages,
  dpkg_selections: packages,
  debug: operator,
  dnf: packages,
  docker_compose_v2: docker,
  docker_container: docker,
  docker_container_exec: docker,
  docker_exec: docker,
  env_read: operator,
  fail: operator,
  get_url: 'dropbear of the lab has nothing to fetch from; test/services has it',
  git: 'the host has no git',
  iptables: 'the host has no iptables',
  mysql_db: database,
  mysql_user: database,
  npm: packages,
  package: packages,
  package_facts: packages,
  pause: operator,
  pip: packages,
  postgresql_db: database,
  postgresql_dump: database,
  postgresql_query: database,
  postgresql_restore: database,
  postgresql_user: database,
  process_env: later,
  proxmox_token: operator,
  reboot: 'the host is a namespace of this machine',
  redis: database,
  redis_user: database,
  secret_copies: later,
  service: 'the host has no service manager',
  service_facts: 'the host has no service manager',
  set_fact: operator,
  set_stats: operator,
  setup: 'the play gathers facts',
  smtp_login: operator,
  synchronize: 'the host has no rsync',
  systemd: 'the host has no service manager',
  systemd_service: 'the host has no service manager',
  uri: 'dropbear of the lab has nothing to ask; test/services has it',
  validate_argument_spec: operator,
  verify_http: operator,
  verify_postgresql: database,
  yum: packages,
}

const why = whyNoLab()
if (why) console.log(`skipped, the tiny host: ${why}`)

it('has every module, or says why not', () => {
  const text = readFileSync(playbook, 'utf8')
  const isRun = (name: string) => new RegExp(`^ +(?:- )?${name}:`, 'm').test(text)
  expect(modules.map(({ name }) => name).filter(name => !isRun(name) && !(name in leftOut))).toEqual([])
  expect(Object.keys(leftOut).filter(isRun)).toEqual([])
})

describe.skipIf(why)('a host of busybox and dropbear', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-tiny-'))
  let hosts: readonly LabHost[] = []
  beforeAll(() => {
    hosts = startLabHosts(1, '--kind', 'tiny', '--prefix', 'modules-')
  }, 600_000)
  afterAll(() => {
    stopLabHosts(hosts)
    rmSync(folder, { recursive: true })
  })

  it('takes all that makes sense there', { timeout: 120_000 }, () => {
    const [host] = hosts
    const vars = {
      ansible_host: host!.address,
      ansible_port: host!.port,
      ansible_user: 'root',
      ansible_ssh_private_key_file: labKeyFile,
      ansible_ssh_common_args: `'-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=${folder}/known_hosts'`,
    }
    const words = Object.entries(vars).map(([name, value]) => `${name}=${value}`)
    writeFileSync(join(folder, 'hosts'), `tiny ${words.join(' ')}\n`)
    const ended = rota(folder, ['run', '-i', 'hosts', playbook, '-e', `fetched=${folder}`])
    expect(ended.stdout).toMatch(/^tiny +: ok=\d\d .*unreachable=0 +failed=0 /m)
    expect(ended.exit).toBe(0)
    expect(readFileSync(join(folder, 'conf'), 'utf8')).toContain('a=3')
  })
})
