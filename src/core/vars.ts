import type { Source } from './source.ts'
import type { Value } from './value.ts'

/**
 * Where a variable may be defined, weakest first: Ansible's documented order of precedence
 * (docs.ansible.com, "Understanding variable precedence").
 */
export const ranks = [
  'command line values',
  'role defaults',
  'inventory file group vars',
  'inventory group_vars/all',
  'playbook group_vars/all',
  'inventory group_vars/*',
  'playbook group_vars/*',
  'inventory file host vars',
  'inventory host_vars/*',
  'playbook host_vars/*',
  'host facts',
  'play vars',
  'play vars_prompt',
  'play vars_files',
  'role vars',
  'block vars',
  'task vars',
  'include_vars',
  'set_facts / registered vars',
  'role params',
  'include params',
  'extra vars',
  'magic',
] as const
export type Rank = (typeof ranks)[number]

/** A group of definitions made in one place. Within one rank a later layer wins. */
export interface Layer {
  readonly rank: Rank
  /** What it is and where it stands, for `rota vars --explain`: "group_vars/web.yml". */
  readonly from: string
  readonly values: ReadonlyMap<string, Value>
  /** Where each name is defined, as far as known. */
  readonly at?: ReadonlyMap<string, Source>
}

export interface InventoryHost {
  readonly name: string
  /** Without `all`; parents before children, as precedence applies them. */
  readonly groups: readonly string[]
  /** Everything the inventory, group_vars and host_vars say of the host; weakest first. */
  readonly layers: readonly Layer[]
}
export interface InventoryGroup {
  readonly name: string
  readonly hosts: readonly string[]
  readonly children: readonly string[]
  /** ansible_group_priority: 1 where nothing is said. */
  readonly priority?: number
}
export interface Inventory {
  readonly hosts: ReadonlyMap<string, InventoryHost>
  readonly groups: ReadonlyMap<string, InventoryGroup>
  /** What `localhost` is when no source names it; it belongs to no group, and is not among `hosts`. */
  readonly localhost?: InventoryHost
  /** What the sources hold for hosts and groups that come up while playbooks run (add_host, group_by). */
  readonly layersOf?: {
    readonly group: (name: string) => readonly Layer[]
    readonly host: (name: string) => readonly Layer[]
  }
  /** Files and lists it was made from. */
  readonly sources: readonly string[]
}
