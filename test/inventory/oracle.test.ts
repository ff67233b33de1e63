// Generated inventories, read by rota and by ansible-inventory: groups, order, ranges, types, precedence.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fromValue, type Value } from '../../src/core/value.ts'
import type { Inventory } from '../../src/core/vars.ts'
import { loadInventory } from '../../src/inventory/inventory.ts'
import { selectHosts } from '../../src/inventory/pattern.ts'
import { scopeOf } from '../../src/vars/scope.ts'
import { ansibleInventory, hasAnsible, python } from './oracle.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-inventory-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** mulberry32: the same inventories every time. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
}

const iniValues = [
  '1',
  '-2',
  '0644',
  '00',
  '1_000',
  '0x1F',
  '0o17',
  '0b11',
  '1e3',
  '1.5',
  '5.',
  '.5',
  'True',
  'False',
  'None',
  'true',
  'yes',
  'text',
  '[1,2]',
  '[]',
  '{}',
  "['a',None]",
  '1,2',
  '()',
  '(1,)',
  '"quoted"',
  "'5'",
  "u'x'",
  '/etc/x',
  'a:b',
  '10.0.0.1',
  '12345678901234567890',
  '1__0',
  '0_7',
  "'a' 'b'",
  "'a\\x41'",
  '+3',
  '--4',
  '08',
  '1e400x',
  'x=y',
  '""',
  '[1',
  "{'a':1}",
  '[[1,2],[3]]',
  '99.0',
  '1e-3',
  'nan',
  'a#b',
  'é',
  '- 5',
  '1 #c',
  'None#',
  '[1,',
  "['x' 'y']",
  '{1:2,}',
  '(1)',
]
const yamlValues = [
  '1',
  '0644',
  'yes',
  'text',
  '[a, 1]',
  '{a: b}',
  '1.5',
  '3.0',
  'null',
  '"05"',
  '12:30',
  '08',
  "'{{ x }}'",
]

interface Plan {
  readonly groups: readonly string[]
  readonly children: readonly (readonly [string, string])[]
  readonly hosts: readonly (readonly [string, string])[]
  readonly names: readonly string[]
}

function plan(prefix: string, next: (below: number) => number): Plan {
  const groups = Array.from({ length: 2 + next(6) }, (_, i) => `${prefix}g${next(3)}${i}`)
  const children = Array.from({ length: next(6) }, () => [next(groups.length), next(groups.length)] as const)
    .filter(([a, b]) => a < b)
    .map(([a, b]) => [groups[a]!, groups[b]!] as const)
  const entries = [
    `${prefix}h`,
    `${prefix}w[1:3]`,
    `${prefix}z[01:05:2]`,
    `${prefix}l[a:c]`,
    `${prefix}m[1:2]-[a:b].x`,
  ]
  const hosts = Array.from(
    { length: 1 + next(6) },
    () => [groups[next(groups.length)]!, entries[next(entries.length)]!] as const,
  )
  return { groups, children, hosts, names: [...groups, ...hosts.map(([, host]) => host)] }
}

function renderIni(prefix: string, next: (below: number) => number): string {
  const { groups, children, hosts } = plan(prefix, next)
  const value = (): string => iniValues[next(iniValues.length)]!
  const inline = (): string => (/['" \\#]/.test(value()) ? '1' : `"${value().replaceAll(/["\\]/g, '')}"`)
  const lines = next(3) === 0 ? [`[ungrouped]`, `${prefix}lone`, `${prefix}port:2222 v1=${inline()}`] : []
  for (const group of groups) {
    lines.push(`[${group}]${next(4) === 0 ? '  # comment' : ''}`)
    for (const [to, host] of hosts)
      if (to === group) lines.push(`${host}${next(2) ? ` v${next(4)}=${inline()} v5=${next(99)} # c` : ''}`)
    if (next(2)) {
      lines.push(`[${group}:vars]`, `v${next(4)}=${value()}`, `v${next(4)} = ${value()}`, '; comment', '')
      if (next(4) === 0) lines.push(`ansible_group_priority=${next(5)}`)
    }
  }
  for (const [parent, child] of children) lines.push(`[${parent}:children]`, child)
  return `${lines.join('\n')}\n`
}

function renderYaml(prefix: string, next: (below: number) => number): string {
  const { groups, children, hosts } = plan(prefix, next)
  const vars = (indent: string): string =>
    [0, 1].map(i => `${indent}v${next(2) * 2 + i}: ${yamlValues[next(yamlValues.length)]}\n`).join('')
  return groups
    .map(group => {
      const own = [...new Set(hosts.filter(([to]) => to === group).map(([, host]) => host))]
      const below = [...new Set(children.filter(([parent]) => parent === group).map(([, child]) => child))]
      return [
        `${group}:\n`,
        own.length > 0
          ? `  hosts:\n${own.map(host => `    ${host}:\n${next(2) ? vars('      ') : ''}`).join('')}`
          : '',
        below.length > 0 ? `  children:\n${below.map(child => `    ${child}:\n`).join('')}` : '',
        next(2) ? `  vars:\n${vars('    ')}` : '',
      ].join('')
    })
    .join('')
}

/** An inventory as `ansible-inventory --list` prints it. */
function list(inventory: Inventory): { groups: Record<string, unknown>; hostvars: Record<string, unknown> } {
  const hostvars: Record<string, unknown> = {}
  for (const host of inventory.hosts.values()) {
    const scope = scopeOf(host.layers)
    const entries = [...scope.names()].map(name => [name, fromValue(scope.get(name) as Value)] as const)
    if (entries.length > 0) hostvars[host.name] = Object.fromEntries(entries)
  }
  const groups: Record<string, unknown> = {}
  for (const { name, hosts, children } of inventory.groups.values())
    if (hosts.length + children.length > 0)
      groups[name] = { hosts: [...hosts].sort(), children: [...children].sort() }
  return {
    groups,
    hostvars: JSON.parse(JSON.stringify(hostvars, (_, v) => (typeof v === 'bigint' ? Number(v) : v))),
  }
}

function listOf(listed: ReturnType<typeof ansibleInventory>): ReturnType<typeof list> {
  const { _meta, ...rest } = listed
  const groups = Object.fromEntries(
    Object.entries(rest as Record<string, { hosts?: string[]; children?: string[] }>)
      .filter(([, { hosts = [], children = [] }]) => hosts.length + children.length > 0)
      .map(([name, { hosts = [], children = [] }]) => [
        name,
        { hosts: [...hosts].sort(), children: [...children].sort() },
      ]),
  )
  return { groups, hostvars: _meta.hostvars }
}

/** Ansible leaves out of `all` and of the list what has no hosts at all: only what both speak of is compared. */
function writeVars(at: string, names: readonly string[], next: (below: number) => number): void {
  for (const kind of ['group_vars', 'host_vars']) {
    mkdirSync(join(at, kind), { recursive: true })
    for (const name of kind === 'group_vars' ? ['all', 'ungrouped', ...names] : names) {
      if (next(3) > 0 || name.includes('[')) continue
      const text = (): string => `v${next(4)}: ${at.length}${next(100)}\nfrom_${next(3)}: ${name}\n`
      const ending = ['', '.yml', '.yaml', '.json'][next(4)]!
      if (next(3) === 0) {
        mkdirSync(join(at, kind, name))
        writeFileSync(join(at, kind, name, 'b.yml'), text())
        writeFileSync(join(at, kind, name, 'a'), text())
        writeFileSync(join(at, kind, name, 'c.txt'), text())
      } else
        writeFileSync(
          join(at, kind, `${name}${ending}`),
          ending === '.json' ? '{"v1": true, "x": "{{ y }}"}' : text(),
        )
    }
  }
}

describe.skipIf(!hasAnsible)('like ansible-inventory', () => {
  const kinds = [
    ['ini', renderIni],
    ['yml', renderYaml],
  ] as const
  it.each(kinds)('reads 150 generated %s inventories alike', { timeout: 120_000 }, async (kind, render) => {
    const next = chance(kind === 'ini' ? 7 : 11)
    for (const batch of [0, 1, 2]) {
      const at = join(folder, `${kind}${batch}`)
      mkdirSync(join(at, 'play'), { recursive: true })
      const texts = Array.from({ length: 50 }, (_, i) => render(`t${i}`, next))
      const file = join(at, kind === 'ini' ? 'hosts' : 'hosts.yml')
      writeFileSync(file, texts.join(''))
      const names = texts.flatMap(text => [...text.matchAll(/^\[?(t\w+)[\]:]/gm)].map(m => m[1]!))
      writeVars(at, [...new Set(names)], next)
      writeVars(join(at, 'play'), [...new Set(names)], next)
      const inventory = await loadInventory([file], { playbookFolders: [join(at, 'play')] })
      const wanted = listOf(ansibleInventory([file], join(at, 'play')))
      const got = list(inventory)
      expect(Object.keys(wanted.hostvars).length).toBeGreaterThan(100)
      expect(got.hostvars).toEqual(wanted.hostvars)
      for (const [name, group] of Object.entries(wanted.groups))
        expect([name, got.groups[name]]).toEqual([name, group])
    }
  })

  // What ansible-inventory does, without a process for each.
  const parseEach = `
import json, sys
from ansible.inventory.helpers import get_group_vars
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible.utils.vars import combine_vars
Display.warning = lambda *a, **k: None
def own(host):
    found = combine_vars(get_group_vars(host.get_groups()), host.vars)
    return {name: value for name, value in found.items() if name not in ('inventory_file', 'inventory_dir')}
def listed(file):
    inventory = InventoryManager(DataLoader(), sources=[file])
    inventory.reconcile_inventory()
    groups = {group.name: {'hosts': sorted(host.name for host in group.hosts), 'children': sorted(child.name for child in group.child_groups)}
              for group in inventory.groups.values()}
    hostvars = {host.name: own(host) for host in inventory.hosts.values()}
    return {'groups': {name: group for name, group in groups.items() if group['hosts'] or group['children']},
            'hostvars': {name: found for name, found in hostvars.items() if found}}
print(json.dumps([listed(file) for file in json.load(sys.stdin)]))
`
  it.each(kinds)(
    'reads 1,000 %s inventories of their own alike',
    { timeout: 120_000 },
    async (kind, render) => {
      const next = chance(kind === 'ini' ? 13 : 17)
      const at = join(folder, `each-${kind}`)
      mkdirSync(at)
      const files = Array.from({ length: 1000 }, (_, i) => {
        const file = join(at, kind === 'ini' ? `${i}` : `${i}.yml`)
        writeFileSync(file, render('t', next))
        return file
      })
      const wanted = python(parseEach, files)
      for (const [i, file] of files.entries())
        expect([file, list(await loadInventory([file]))]).toEqual([file, wanted[i]])
    },
  )

  it('selects by 400 generated patterns alike, in the same order', async () => {
    const file = join(folder, 'patterns')
    writeFileSync(
      file,
      `lone
[web]
web[01:12]
[db]
db[a:d].example.com
[old]
web03
dba.example.com
[prod:children]
web
db
[stage]
st[1:3]
web01
[mixed-name]
10.0.0.[1:3]
[empty]
`,
    )
    const next = chance(3)
    const names = [
      'web',
      'db',
      'old',
      'prod',
      'stage',
      'all',
      'lone',
      'web0*',
      '*.example.com',
      '~web\\d[13]',
      'web[0]',
      'db[1:2]',
      'web[-1]',
      'prod[2:]',
      '*',
      'w?b05',
      'empty',
      '~.*e',
      '10.0.0.*',
      'mixed-name',
      'ungrouped',
      'web[!0]*',
      'prod[0:3]',
      '10.0.0.1',
      'dba.example.com',
    ]
    const patterns = Array.from({ length: 400 }, () =>
      Array.from(
        { length: 1 + next(4) },
        (_, i) => ['', '', '&', '!'][i === 0 ? 0 : next(4)]! + names[next(names.length)]!,
      ).join(next(2) ? ':' : ','),
    )
    const script = `
import json, sys, warnings
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
Display.warning = lambda *a, **k: None
data = json.load(sys.stdin)
inventory = InventoryManager(DataLoader(), sources=[data['file']])
print(json.dumps([[host.name for host in inventory.get_hosts(p)] for p in data['patterns']]))
`
    const wanted: string[][] = python(script, { file, patterns })
    const inventory = await loadInventory([file])
    for (const [index, pattern] of patterns.entries())
      expect([pattern, selectHosts(inventory, pattern)]).toEqual([pattern, wanted[index]])
  })
})
