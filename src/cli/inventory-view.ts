import { problem } from '../core/error.ts'
import { Secret } from '../core/secret.ts'
import { type Dict, fromValue, isDict, Template, Unopened, type Value } from '../core/value.ts'
import type { Inventory, InventoryGroup, InventoryHost, Layer } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { renderToml } from '../inventory/toml.ts'
import { dumpYaml } from '../load/yaml-dump.ts'
import { toText } from '../template/python/text.ts'
import { scopeOf } from '../vars/scope.ts'

/** What of an inventory is shown. */
export interface InventoryView {
  readonly inventory: Inventory
  /** Only these hosts. */
  readonly limit: string | undefined
  /** Variables stand where they are defined, instead of all with the host. */
  readonly isExport: boolean
  readonly extraVars: ReadonlyMap<string, Value>
}

const ownRanks = ['inventory file host vars', 'inventory host_vars/*', 'playbook host_vars/*']

/** The variables of a host as written: templates are shown, not rendered; secrets by their names. */
export function viewHost({ isExport, extraVars }: InventoryView, host: InventoryHost): Dict {
  const extra: Layer = { rank: 'extra vars', from: '--extra-vars', values: extraVars }
  return viewLayers(
    isExport ? host.layers.filter(({ rank }) => ownRanks.includes(rank)) : [...host.layers, extra],
  )
}

function viewGroup({ inventory }: InventoryView, { name, priority = 1 }: InventoryGroup): Dict {
  const own = viewLayers(inventory.layersOf?.group(name) ?? [])
  return priority === 1 ? own : new Map([...own, ['ansible_group_priority', priority]])
}

function viewLayers(layers: readonly Layer[]): Dict {
  const scope = scopeOf(layers)
  return new Map([...scope.names()].map(name => [name, plain(scope.get(name) as Value)]))
}

/** For people: what is not opened as ansible-inventory shows it, which is how it can be read in again. */
function plain(value: Value): Value {
  if (value instanceof Unopened) return new Map([['__ansible_vault', value.text]])
  if (value instanceof Secret || value instanceof Template) return value.toJSON()
  if (Array.isArray(value)) return (value as readonly Value[]).map(plain)
  return isDict(value) ? new Map([...value].map(([key, member]) => [key, plain(member)])) : value
}

export type DataForm = 'json' | 'yaml' | 'toml'

/** All groups from `all` on: nested as a YAML inventory has them, one beside the other in JSON and TOML. */
export function viewGroups(view: InventoryView, form: DataForm): Dict {
  const { inventory } = view
  const hosts = new Set(selectHosts(inventory, 'all', view.limit))
  const seen = new Set<string>()
  const hostOf = (name: string): Dict => {
    if (seen.has(name)) return new Map()
    seen.add(name)
    return viewHost(view, inventory.hosts.get(name)!)
  }
  const visit = (name: string): (readonly [string, Dict])[] => {
    const group = inventory.groups.get(name)!
    const members = name === 'all' ? [] : group.hosts.filter(host => hosts.has(host))
    const children = group.children.filter(child => form !== 'toml' || child !== 'ungrouped' || hasLone)
    const below = children.map(child => [child, visit(child)] as const)
    const isTree = form === 'yaml'
    const shown = new Map<string, Value>([
      ['children', isTree ? new Map(below.flatMap(([, groups]) => groups)) : children],
      ['hosts', form === 'json' ? members : new Map(members.map(host => [host, hostOf(host)]))],
      ['vars', view.isExport ? viewGroup(view, group) : new Map()],
    ])
    if (form === 'toml' && name === 'all') shown.delete('children')
    const filled = new Map([...shown].filter(([, part]) => sizeOf(part) > 0))
    if (isTree) return [[name, filled]]
    return [...(filled.size > 0 ? [[name, filled] as const] : []), ...below.flatMap(([, groups]) => groups)]
  }
  const hasLone = inventory.groups.get('ungrouped')!.hosts.length > 0
  const groups = visit('all')
  if (form !== 'json') return new Map(groups)
  const hostvars = [...hosts]
    .map(name => [name, viewHost(view, inventory.hosts.get(name) ?? inventory.localhost!)] as const)
    .filter(([, vars]) => vars.size > 0)
  return new Map([...groups, ['_meta', new Map([['hostvars', new Map(hostvars)]])]])
}

function sizeOf(part: Value): number {
  return isDict(part) ? [...part.keys()].length : (part as readonly Value[]).length
}

/** Data as text, keys sorted. */
export function renderData(data: Dict, form: DataForm): string {
  if (form === 'yaml') return dumpYaml(data, { isFlow: false })
  if (form === 'toml') return renderToml(data)
  return `${JSON.stringify(fromValue(sortKeys(data)), null, 4)}\n`
}

function sortKeys(value: Value): Value {
  if (Array.isArray(value)) return (value as readonly Value[]).map(sortKeys)
  if (!isDict(value)) return value
  const entries = [...value].map(([key, member]) => [String(key), sortKeys(member)] as const)
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Groups and hosts as a tree, with variables below them when asked for. Throws E_HOSTS. */
export function renderGraph(view: InventoryView, name: string, hasVars: boolean, depth = 0): string {
  const group = view.inventory.groups.get(name)
  if (!group)
    throw problem('E_HOSTS', `Pattern must be valid group name when using --graph: there is no ${name}`, {
      hint: 'rota inventory --graph shows all groups',
    })
  const line = (text: string, below: number): string =>
    below === 0 ? `${text}\n` : `${'  |'.repeat(below)}--${text}\n`
  const vars = (values: () => Dict, below: number): string[] => {
    const sorted = hasVars ? [...values()].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) : []
    return sorted.map(([key, value]) => line(`{${String(key)} = ${toText(value)}}`, below))
  }
  // As in ansible-inventory: a host that only `all` names is shown as ungrouped.
  const hosts = name === 'all' ? [] : group.hosts
  return [
    line(`@${name}:`, depth),
    ...group.children.map(child => renderGraph(view, child, hasVars, depth + 1)),
    ...hosts.flatMap(host => [
      line(host, depth + 1),
      ...vars(() => viewHost(view, view.inventory.hosts.get(host)!), depth + 2),
    ]),
    ...vars(() => viewGroup(view, group), depth + 1),
  ].join('')
}
