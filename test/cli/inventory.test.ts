// `rota inventory` prints what ansible-inventory prints, to the byte.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { hasAnsible } from '../inventory/oracle.ts'
import { rota } from './rota.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-cli-inventory-'))
afterAll(() => rmSync(folder, { recursive: true }))
for (const name of ['group_vars', 'host_vars', 'play/group_vars', 'empty'])
  mkdirSync(join(folder, name), { recursive: true })
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
write('group_vars/all.yml', 'town: příbor\n')
write('host_vars/b1.yml', 'deep: {list: [1, 2.5, {k: null}], text: "x\\ny", number: "5"}\n')
write('play/group_vars/web.yml', 'beside: the playbook\n')
write(
  'hosts',
  `lone v=1
[web]
b1 x=1 y="a b"
a1 z='[1, "two", None, True]'
[web:vars]
t="{{ x }}"
[db]
d1
[prod:children]
web
db
[prod:vars]
ansible_group_priority=5
pv=true
[hollow]
`,
)
write(
  'hosts.toml',
  `[web]
children = ["front"]
[web.vars]
port = 80
url = "http://{{ inventory_hostname }}"
[front.hosts.a]
weight = 2.0
[front.hosts."b[1:2]"]
`,
)
const list = (...args: string[]) => rota(folder, ['inventory', ...args])
const shown = (...args: string[]): string => {
  const { exit, stdout, stderr } = list(...args)
  expect([exit, stderr]).toEqual([0, ''])
  return stdout
}

describe.skipIf(!hasAnsible)('like ansible-inventory', () => {
  const env = { ...process.env, HOME: folder, ANSIBLE_NOCOLOR: '1' }
  it.each([
    '--list',
    '--list --export --playbook-dir play',
    '--list --yaml --export',
    '--graph --vars -e added=1 prod',
    '--host b1 -y -e @group_vars/all.yml --playbook-dir play',
  ])('%s', line => {
    const args = ['-i', 'hosts', ...line.split(' ')]
    const { status, stdout, stderr } = spawnSync('ansible-inventory', args, {
      cwd: folder,
      env,
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])
    expect(shown(...args)).toBe(stdout)
  })
})

describe('TOML', () => {
  it('is read as the tree that YAML has, and written so that it says the same again', () => {
    expect(shown('-i', 'hosts.toml', '--host', 'a')).toBe(
      `${JSON.stringify({ port: 80, town: 'příbor', url: 'http://{{ inventory_hostname }}', weight: 2 }, null, 4)}\n`,
    )
    list('-i', 'hosts', '--list', '--toml', '--export', '--output', 'again.toml')
    const [before, after] = ['hosts', 'again.toml'].map(file => shown('-i', file, '--graph', '--vars'))
    // Without hosts and variables a group is not written, and TOML has no null.
    expect(after!.replaceAll("'None'", 'None')).toBe(before!.replace('  |--@hollow:\n', ''))
  })
  it('says where it is broken, and what it has no form for', () => {
    write('broken.toml', '[web]\npassword = hunter2\n')
    const { exit, stderr } = list('-i', 'broken.toml', '--list')
    expect([exit, stderr]).toEqual([65, expect.stringContaining('broken.toml:2:12')])
    write('number.yml', 'web: { hosts: { a: { v: { 7: x } } } }\n')
    expect(list('-i', 'number.yml', '--list', '--toml').stderr).toContain(
      'ERROR! The source inventory contains',
    )
  })
})

it('a value in a vault that nothing opens is shown as it is written', () => {
  const armored = '$ANSIBLE_VAULT;1.1;AES256\n6162\n'
  write('sealed.yml', `all: { hosts: { h: { p: !vault "${armored.replaceAll('\n', '\\n')}" } } }\n`)
  expect(JSON.parse(shown('-i', 'sealed.yml', '--host', 'h'))).toEqual({
    p: { __ansible_vault: armored },
    town: 'příbor',
  })
})

it('takes exactly one action, and names that there are', () => {
  const said = (...args: string[]) => {
    const { exit, stderr } = list('-i', 'hosts', ...args)
    return `${exit} ${stderr.split('\n')[0]}`
  }
  expect(said()).toContain('64 ERROR! No action selected, at least one of --host, --graph or --list needs')
  expect(said('--list', '--graph')).toContain('64 ERROR! Conflicting options used, only one of')
  expect(said('--graph', 'nope')).toContain('65 ERROR! Pattern must be valid group name when using --graph')
  expect(said('--host', 'nope')).toContain('65 ERROR! Could not match supplied host pattern, ignoring: nope')
  expect(said('--list', '--output', 'nowhere/x')).toContain('65 ERROR! Unable to write to destination file')
})

it('a source that is not there is a warning, unless the configuration says that it is none', () => {
  const graph = (sources: string[], wish: Record<string, string> = {}) => {
    const args = ['inventory', ...sources.flatMap(source => ['-i', source]), '--graph']
    const { exit, stderr } = rota(folder, args, { env: wish })
    return `${exit} ${stderr}`
  }
  const none = 'No inventory was parsed, only implicit localhost is available'
  expect(graph(['/nowhere'])).toMatch(/^0 .*Unable to parse \/nowhere as an inventory source/)
  expect(graph(['/nowhere'])).toContain(none)
  expect(graph(['/nowhere', 'hosts'])).not.toContain(none)
  const [every, any] = ['ANSIBLE_INVENTORY_UNPARSED_FAILED', 'ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED']
  expect(graph(['/nowhere'], { [every]: 'True' })).toContain('ERROR! Completely failed to parse inventory')
  expect(graph(['/nowhere', 'hosts'], { [every]: 'True' })).toMatch(/^0 /)
  expect(graph(['hosts', 'empty'], { [any]: 'True' })).toContain(
    '65 ERROR! Completely failed to parse inventory source empty',
  )
})
