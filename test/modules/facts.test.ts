// What `setup` says of this machine, in three shells and beside Ansible's own setup; and what it makes of other hosts' files.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromValue } from '../../src/core/value.ts'
import { selectCollectors } from '../../src/modules/facts/collectors.ts'
import { renderDistribution, renderPackageManager } from '../../src/modules/facts/distribution.ts'
import { renderNetwork } from '../../src/modules/facts/network.ts'
import { setup } from '../../src/modules/setup.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { asAction, shells, withDefaults } from './harness.ts'

type Facts = Readonly<Record<string, unknown>>

async function gather(shell: string, args: Facts = {}): Promise<Facts> {
  const session = await openLocalSession({ shell: shells[shell]! })
  try {
    const { facts } = await asAction(setup).run(makeTarget({ session }), withDefaults(setup, args))
    return Object.fromEntries([...facts!].map(([name, value]) => [name, fromValue(value)]))
  } finally {
    await session.close()
  }
}

/** Facts that are the same a moment later, and that no two programs see in two ways. */
const steady = [
  'system kernel kernel_version machine architecture nodename hostname userspace_bits machine_id',
  'distribution distribution_version distribution_major_version distribution_release os_family',
  'user_id user_uid user_gid user_dir user_shell user_gecos real_user_id effective_user_id',
  'memtotal_mb swaptotal_mb processor processor_count processor_cores processor_vcpus processor_nproc',
  'pkg_mgr service_mgr fips dns proc_cmdline cmdline default_ipv4 default_ipv6 lo python_version',
]
  .flatMap(line => line.split(' '))
  .map(name => `ansible_${name}`)

function askAnsible(): Facts | undefined {
  const environment = { ...process.env, ANSIBLE_STDOUT_CALLBACK: 'minimal', ANSIBLE_LOCALHOST_WARNING: '0' }
  const asked = [
    'localhost',
    '-c',
    'local',
    '-m',
    'setup',
    '-e',
    'ansible_python_interpreter=/usr/bin/python3',
  ]
  const { stdout } = spawnSync('ansible', asked, { encoding: 'utf8', env: environment, maxBuffer: 2 ** 24 })
  return stdout ? JSON.parse(stdout.slice(stdout.indexOf('{'))).ansible_facts : undefined
}

it('says of this machine what Ansible says', async context => {
  const theirs = askAnsible()
  if (!theirs) {
    if (process.env['CI']) throw new Error('ansible is missing')
    return context.skip('ansible is not installed')
  }
  const ours = await gather('dash')
  const pick = (facts: Facts): Facts =>
    Object.fromEntries(steady.filter(name => theirs[name] !== undefined).map(name => [name, facts[name]]))
  expect(pick(ours)).toEqual(pick(theirs))
  const env = ours['ansible_env'] as Facts
  expect(env['PATH']).toBe(process.env['PATH'])
})

it.each(Object.keys(shells))('%s sees the same', async shell => {
  const [here, dash] = [await gather(shell), await gather('dash')]
  // A host with busybox alone has neither lsb_release nor Python.
  const names = steady.filter(name => !(shell === 'busybox' && name === 'ansible_python_version'))
  for (const name of names) expect([name, here[name]]).toEqual([name, dash[name]])
  expect(Object.keys(here).length).toBeGreaterThan(60)
})

it('reads local facts, keeps what the filter names, and says of both what it did', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-facts-'))
  writeFileSync(join(folder, 'json.fact'), '{"a": [1, null]}')
  writeFileSync(join(folder, 'ini.fact'), '[General]\nKey = value: 1\n; no\n[b]\nx: y\n')
  writeFileSync(join(folder, 'bad.fact'), 'neither')
  writeFileSync(join(folder, 'program.fact'), '#!/bin/sh\necho \'{"ran": true}\'\n')
  writeFileSync(join(folder, 'broken.fact'), '#!/bin/sh\necho oh; exit 3\n')
  writeFileSync(join(folder, 'empty.fact'), '')
  symlinkSync('/none', join(folder, 'dead.fact'))
  for (const name of ['program', 'broken']) chmodSync(join(folder, `${name}.fact`), 0o755)
  const facts = await gather('dash', {
    gather_subset: ['!all'],
    filter: ['local', 'ansible_sys*', '['],
    fact_path: folder,
  })
  rmSync(folder, { recursive: true })
  expect(facts).toEqual({
    ansible_local: {
      json: { a: [1, null] },
      ini: { General: { key: 'value: 1' }, b: { x: 'y' } },
      bad: `error loading facts as JSON or ini - please check content: ${folder}/bad.fact`,
      program: { ran: true },
      broken: `Failure executing fact script (${folder}/broken.fact), rc: 3, err: oh`,
      empty: {},
      dead: `Could not stat fact (${folder}/dead.fact): [Errno 2] No such file or directory: '${folder}/dead.fact'`,
    },
    ansible_system: 'Linux',
    gather_subset: ['!all'],
    module_setup: true,
  })
})

describe('gather_subset', () => {
  const has = (subset: string[]): string => {
    const chosen = selectCollectors(subset)
    return ['platform', 'env', 'hardware', 'network', 'virtual'].filter(name => chosen.has(name)).join(' ')
  }
  it.each([
    [['all'], 'platform env hardware network virtual'],
    [['min'], 'platform env'],
    [['!all'], 'platform env'],
    [['!all', '!min'], ''],
    [['network'], 'platform env network'],
    [['!hardware'], 'platform env network virtual'],
    [['all', '!network', '!virtual'], 'platform env hardware'],
    [['!all', '!min', 'default_ipv4', 'machine'], 'platform network'],
    [['!min', 'env'], 'env'],
    [['facter'], 'platform env'],
  ])('%s', (subset, expected) => expect(has(subset)).toBe(expected))
  it('refuses a name that is none', () => expect(() => selectCollectors(['netwrok'])).toThrow('netwrok'))
})

describe('other hosts', () => {
  const about = (os_release: string, more = {}): string => {
    const raw = { os_release, os_release_path: '/etc/os-release', ...more }
    const facts = renderDistribution(raw, 'Linux')
    return [
      'distribution',
      'distribution_version',
      'distribution_major_version',
      'distribution_release',
      'os_family',
    ]
      .map(name => facts[name])
      .join(' ')
  }
  it.each([
    [
      'ID=ubuntu\nNAME="Ubuntu"\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n',
      {},
      'Ubuntu 22.04 22 jammy Debian',
    ],
    [
      'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
      { debian_version: '12.5\n' },
      'Debian 12.5 12 bookworm Debian',
    ],
    [
      'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\n',
      { alpine_release: '3.19.1\n' },
      'Alpine 3.19.1 3 NA Alpine',
    ],
    [
      'NAME="Rocky Linux"\nVERSION="9.3 (Blue Onyx)"\nID="rocky"\nVERSION_ID="9.3"\n',
      {},
      'Rocky 9.3 9 Blue Onyx RedHat',
    ],
    ['NAME="Foo OS"\nID=foo\nVERSION_ID=1\n', {}, 'Foo 1 1 NA Foo'],
  ])('%j', (text, more, expected) => expect(about(text, more)).toBe(expected))
  it('the package manager is the one of the family where several are there', () => {
    expect(renderPackageManager({ managers: ' /usr/bin/yum /usr/bin/apt-get' }, 'Debian')).toEqual({
      pkg_mgr: 'apt',
    })
    expect(renderPackageManager({ managers: ' /sbin/apk' }, 'Alpine')).toEqual({ pkg_mgr: 'apk' })
    expect(renderPackageManager({ managers: '' }, 'Alpine')).toEqual({ pkg_mgr: 'unknown' })
  })
  it('a host without ip is read by its ifconfig', () => {
    const ifconfig =
      'eth0: flags=4163<UP>  mtu 1500\n    inet 10.1.2.3  netmask 255.255.0.0  broadcast 10.1.255.255\n'
    const facts = renderNetwork({ ifconfig, links: 'eth0|mtu|1500\neth0|operstate|up' })
    expect(facts['all_ipv4_addresses']).toEqual(['10.1.2.3'])
    expect(facts['eth0']).toMatchObject({
      active: true,
      ipv4: { network: '10.1.0.0', prefix: '16' },
      mtu: 1500,
    })
  })
})
