import type { Recap } from '../core/event.ts'
import type { Prove } from '../core/fence.ts'
import type { Clean } from '../core/redact.ts'
import type { Value } from '../core/value.ts'
import type { Inventory, InventoryGroup, InventoryHost, Layer } from '../core/vars.ts'
import type { FactCache } from './deps.ts'
import type { FactsKind } from './result.ts'

/** Why a host takes no more tasks. `failed` can still run rescue, always and forced handlers. */
export type Standing = 'in' | 'failed' | 'unreachable' | 'unknown'

/** What a run has learnt of a host. It outlives the plays. */
export interface HostState {
  readonly name: string
  readonly facts: Map<string, Value>
  /** Where its facts are kept beyond the run. */
  readonly cache: FactCache | undefined
  readonly included: Map<string, Value>
  /** set_fact and register. */
  readonly registered: Map<string, Value>
  /** `pending`, `current`, `secrets` and `stale` of a rotation. */
  readonly secrets: Map<string, Value>
  standing: Standing
  /** The last thing that went wrong, for the result of a rotation's phase. */
  failure: Clean | undefined
  /** What was good only now and then in a rotation's verify. */
  flake: Clean | undefined
  recap: { -readonly [K in keyof Recap]: Recap[K] }
  /** An include_role found no role: a failure that the recap has no count for. */
  isMissingRole: boolean
}

/** The hosts of a run: the inventory as it is now, and a state for each host that was met. */
export interface Fleet {
  inventory: Inventory
  /** Puts a host into groups (add_host, group_by). `own`: what it gets by it, above what it had in the same rank. */
  join(name: string, groups: readonly string[], own: readonly Layer[]): void
  /** Takes a whole inventory anew (meta: refresh_inventory); what joined while running stays. */
  setInventory(inventory: Inventory): void
  host(name: string): HostState
  /** The hosts that a rotation holds. */
  readonly fences: Map<string, Prove>
  isIn(name: string): boolean
  /** Every host that has taken part, in the order it came in. */
  states(): Iterable<HostState>
}

export function createFleet(inventory: Inventory, cache?: FactCache): Fleet {
  const states = new Map<string, HostState>()
  const host = (name: string): HostState => {
    let state = states.get(name)
    if (!state) {
      state = newState(name, cache)
      states.set(name, state)
    }
    return state
  }
  const joined: (readonly [string, readonly string[], readonly Layer[]])[] = []
  const created = new Set<string>()
  return {
    inventory: withStandardGroups(inventory),
    join(...one) {
      if (!this.inventory.hosts.has(one[0])) created.add(one[0])
      joined.push(one)
      this.inventory = addToInventory(this.inventory, ...one)
    },
    setInventory(fresh) {
      const isThere = (name: string): boolean => created.has(name) || fresh.hosts.has(name)
      const kept = joined.filter(([name]) => isThere(name))
      this.inventory = kept.reduce((all, one) => addToInventory(all, ...one), withStandardGroups(fresh))
    },
    host,
    fences: new Map(),
    isIn: name => (states.get(name)?.standing ?? 'in') === 'in',
    states: () => states.values(),
  }
}

function newState(name: string, cache: FactCache | undefined): HostState {
  return {
    name,
    facts: new Map(cache?.load(name)),
    cache,
    included: new Map(),
    registered: new Map(),
    secrets: new Map(),
    standing: 'in',
    failure: undefined,
    flake: undefined,
    recap: { ok: 0, changed: 0, unreachable: 0, failed: 0, skipped: 0, rescued: 0, ignored: 0, unknown: 0 },
    isMissingRole: false,
  }
}

/**
 * What a task found or set is the host's from now on. `set_fact` ranks above what modules find out; with `cacheable` it is, beside that,
 * a fact like those.
 */
export function storeFacts(
  host: HostState,
  facts: ReadonlyMap<string, Value>,
  kind: FactsKind = 'facts',
): void {
  const { registered, included } = host
  const store = { facts: host.facts, set_fact: registered, cacheable: registered, include_vars: included }[
    kind
  ]
  for (const [name, value] of facts) {
    store.set(name, value)
    if (kind === 'cacheable') host.facts.set(name, value)
  }
  if (kind === 'facts' || kind === 'cacheable') host.cache?.save(host.name, host.facts)
}

/** Whether its facts were gathered, in this run or before. */
export function hasFacts({ facts }: HostState): boolean {
  return facts.get('module_setup') === true
}

/** `all` and `ungrouped` exist in every inventory. */
function withStandardGroups(inventory: Inventory): Inventory {
  const hosts = [...inventory.hosts.values()]
  const alone = hosts.filter(host => host.groups.every(group => group === 'all' || group === 'ungrouped'))
  const group = (name: string, members: readonly InventoryHost[]): InventoryGroup => ({
    name,
    hosts: members.map(member => member.name),
    children: [],
  })
  return {
    ...inventory,
    groups: new Map([
      ['all', inventory.groups.get('all') ?? group('all', hosts)],
      ['ungrouped', inventory.groups.get('ungrouped') ?? group('ungrouped', alone)],
      ...inventory.groups,
    ]),
  }
}

/** Every host of a group and of its children, in inventory order. */
export function selectMembers(inventory: Inventory, name: string, seen: Set<string> = new Set()): string[] {
  if (name === 'all') return [...inventory.hosts.keys()]
  const members = new Set<string>()
  const visit = (group: string): void => {
    if (seen.has(group)) return
    seen.add(group)
    const { hosts = [], children = [] } = inventory.groups.get(group) ?? {}
    for (const host of hosts) members.add(host)
    for (const child of children) visit(child)
  }
  visit(name)
  return [...inventory.hosts.keys()].filter(host => members.has(host))
}

/** The inventory with a host in more groups. */
function addToInventory(
  inventory: Inventory,
  name: string,
  groups: readonly string[],
  own: readonly Layer[],
): Inventory {
  const old = inventory.hosts.get(name)
  const host: InventoryHost = {
    name,
    groups: [...new Set([...(old?.groups ?? []), ...groups])],
    layers: [...(old?.layers ?? []), ...own],
  }
  const joined = new Map(inventory.groups)
  for (const group of ['all', ...groups]) {
    const before = joined.get(group) ?? { name: group, hosts: [], children: [] }
    if (!before.hosts.includes(name)) joined.set(group, { ...before, hosts: [...before.hosts, name] })
  }
  return { ...inventory, hosts: new Map(inventory.hosts).set(name, host), groups: joined }
}
