// The inventory plugin constructed: groups and variables by expressions. The names of groups are those that ansible-inventory 2.14 makes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadRunInventory } from '../../src/cli/load-run.ts'
import { RotaError } from '../../src/core/error.ts'
import type { Value } from '../../src/core/value.ts'
import type { Inventory } from '../../src/core/vars.ts'

const root = mkdtempSync(join(tmpdir(), 'rota-constructed-'))
afterAll(() => rmSync(root, { recursive: true }))
const hosts = `
all:
  hosts:
    web1: { os: debian, tags: { tier: front, env: '' }, roles: [web, ''], port: 80 }
    db1: { os: '', roles: [db], port: 5432 }
`
let count = 0
function load(constructed: string, extraVars?: ReadonlyMap<string, Value>): Promise<Inventory> {
  const files = [`hosts-${count}.yml`, `constructed-${count++}.yml`].map(name => join(root, name))
  writeFileSync(files[0]!, hosts)
  writeFileSync(files[1]!, `plugin: ansible.builtin.constructed\n${constructed}`)
  return loadRunInventory(files, { extraVars })
}
const groupsOf = ({ hosts: all }: Inventory, host: string) =>
  all.get(host)!.groups.filter(group => group !== 'ungrouped')

it('groups by condition and variables by expression; what cannot be evaluated is passed over', async () => {
  const inventory = await load(
    "compose: { url: \"'http://' ~ inventory_hostname ~ ':' ~ port\", lost: nothing.at.all }\ngroups: { big: port > 1000, fronts: tags.tier == 'front', urls: \"url is match('http')\" }",
  )
  expect(groupsOf(inventory, 'web1').sort()).toEqual(['fronts', 'urls'])
  expect(groupsOf(inventory, 'db1').sort()).toEqual(['big', 'urls'])
  const values = new Map(inventory.hosts.get('web1')!.layers.flatMap(layer => [...layer.values]))
  expect(values.get('url')).toBe('http://web1:80')
  expect(values.has('lost')).toBe(false)
})

it('groups by the value of a key: a text, a list and a mapping', async () => {
  const inventory = await load(
    'keyed_groups: [{key: os, prefix: os, default_value: unknown}, {key: roles, prefix: r, separator: "-"}, {key: tags, trailing_separator: false, parent_group: tagged}]',
  )
  expect(groupsOf(inventory, 'web1').sort()).toEqual([
    '_env',
    '_tier_front',
    'os_debian',
    'r_',
    'r_web',
    'tagged',
  ])
  expect(groupsOf(inventory, 'db1').sort()).toEqual(['os_unknown', 'r_db'])
  expect(inventory.groups.get('tagged')!.children).toEqual(['_tier_front', '_env'])
})

it('with strict, and for options that there are not, it says where', async () => {
  const problem = async (text: string) => {
    const error = await load(text).catch((thrown: unknown) => thrown)
    return error instanceof RotaError ? `${error.at?.line} ${error.code} ${error.message}` : String(error)
  }
  expect(await problem('strict: true\ngroups: { x: nothing }')).toBe("3 E_UNDEFINED 'nothing' is undefined")
  expect(await problem('cache: true')).toBe('2 E_INVENTORY constructed has no option cache here')
})

it('uses the variables of the command line where it is told to', async () => {
  const extraVars = new Map([['word', 'hey']])
  const groups = 'groups: { said: word is defined }'
  const [used, unused] = await Promise.all(
    [`use_extra_vars: true\n${groups}`, groups].map(text => load(text, extraVars)),
  )
  expect([used!.groups.has('said'), unused!.groups.has('said')]).toEqual([true, false])
})
