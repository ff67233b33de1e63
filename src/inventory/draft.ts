import type { Source } from '../core/source.ts'
import type { Value } from '../core/value.ts'
import type { Layer, Rank } from '../core/vars.ts'
import type { Vault } from '../load/vault.ts'
import { hideValue } from '../load/vaulted.ts'
import type { YamlDocument } from '../load/yaml.ts'

/** Variables of one host or group from one source. */
interface DraftLayer {
  readonly from: string
  readonly values: Map<string, Value>
  readonly at: Map<string, Source>
}
export interface DraftGroup {
  readonly name: string
  readonly hosts: Set<string>
  readonly children: Set<string>
  readonly layers: DraftLayer[]
  /** ansible_group_priority: among groups of one depth the higher wins. */
  priority: number
}

/** An inventory while its sources are read. Sources add up: later variables win. */
export class InventoryDraft {
  readonly groups = new Map<string, DraftGroup>()
  readonly hosts = new Map<string, DraftLayer[]>()
  /** Sources that are vaults: the texts of their variables are Secrets. */
  readonly secretSources = new Map<string, Vault | undefined>()
  /** Sources that make groups and variables of what the others say: applied when all are read. */
  readonly constructed: YamlDocument[] = []

  constructor() {
    this.group('all')
    this.group('ungrouped')
  }

  /** The group, made when it is new. */
  group(name: string): DraftGroup {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = { name, hosts: new Set(), children: new Set(), layers: [], priority: 1 }
      this.groups.set(name, group)
    }
    return group
  }

  addHost(name: string, group: string): void {
    if (!this.hosts.has(name)) this.hosts.set(name, [])
    this.group(group).hosts.add(name)
  }

  setHostVar(host: string, name: string, value: Value, from: string, at?: Source): void {
    setIn(this.hosts.get(host)!, name, this.#hide(name, value, from), from, at)
  }

  setGroupVar(groupName: string, name: string, value: Value, from: string, at?: Source): void {
    const group = this.group(groupName)
    if (name === 'ansible_group_priority') group.priority = Number(value)
    else setIn(group.layers, name, this.#hide(name, value, from), from, at)
  }

  #hide(name: string, value: Value, from: string): Value {
    return this.secretSources.has(from) ? hideValue(value, name, this.secretSources.get(from)) : value
  }

  /** Whether `child` may become a child of `parent`: false when the parent is below it. */
  canBeChild(parent: string, child: string): boolean {
    return parent !== child && !this.descendants(child).includes(parent)
  }

  /** The group and all groups below it: parents first, each once. */
  descendants(name: string): string[] {
    const found = new Set([name])
    for (const group of found) for (const child of this.groups.get(group)?.children ?? []) found.add(child)
    return [...found]
  }

  /** Gives groups other names; those that then have the same one become one. */
  renameGroups(rename: (name: string) => string): void {
    const before = [...this.groups.values()]
    this.groups.clear()
    for (const old of before) {
      const group = this.group(rename(old.name))
      for (const host of old.hosts) group.hosts.add(host)
      for (const child of old.children) group.children.add(rename(child))
      group.layers.push(...old.layers)
      group.priority = Math.max(group.priority, old.priority)
    }
  }

  /** Puts top groups below `all` and lone hosts into `ungrouped`. When all sources are read, and again when groups were constructed. */
  settle(): void {
    const all = this.group('all')
    const ungrouped = this.group('ungrouped')
    const children = new Set([...this.groups.values()].flatMap(group => [...group.children]))
    all.children.delete('ungrouped')
    const tops = [...this.groups.keys()].filter(
      name => name !== 'all' && name !== 'ungrouped' && !children.has(name),
    )
    const nested = [...all.children]
    all.children.clear()
    for (const name of ['ungrouped', ...nested, ...tops]) all.children.add(name)
    const grouped = new Set<string>()
    for (const { name, hosts } of this.groups.values())
      if (name !== 'all' && name !== 'ungrouped') for (const host of hosts) grouped.add(host)
    for (const host of this.hosts.keys())
      if (grouped.has(host)) ungrouped.hosts.delete(host)
      else ungrouped.hosts.add(host)
  }
}

function setIn(layers: DraftLayer[], name: string, value: Value, from: string, at: Source | undefined): void {
  let layer = layers.at(-1)
  if (layer?.from !== from) {
    layer = { from, values: new Map(), at: new Map() }
    layers.push(layer)
  }
  layer.values.set(name, value)
  if (at) layer.at.set(name, at)
}

/** Draft layers as layers of a rank. */
export function layersOf(layers: readonly DraftLayer[], rank: Rank): Layer[] {
  return layers.map(({ from, values, at }) => ({ rank, from, values, at }))
}
