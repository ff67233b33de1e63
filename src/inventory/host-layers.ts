import { join } from 'node:path'
import type { InventoryHost, Layer } from '../core/vars.ts'
import type { Vault } from '../load/vault.ts'
import { type DraftGroup, type InventoryDraft, layersOf } from './draft.ts'
import { VarsFolder } from './vars-folders.ts'

interface Folders {
  readonly groups: readonly VarsFolder[]
  readonly hosts: readonly VarsFolder[]
}

/** Works out the groups of each host, and the layers of its variables in Ansible's order. */
export class HostLayers {
  readonly #draft: InventoryDraft
  readonly #inventory: Folders
  readonly #playbook: Folders
  readonly #parents = new Map<string, string[]>()
  readonly #directGroups = new Map<string, string[]>()
  readonly #depths = new Map<string, number>()
  readonly #groupLayers = new Map<string, readonly Layer[]>()

  constructor(
    draft: InventoryDraft,
    folders: { readonly inventory: readonly string[]; readonly playbook: readonly string[] },
    vault: Vault | undefined,
  ) {
    const open = (all: readonly string[], kind: string): VarsFolder[] =>
      [...new Set(all)].map(folder => new VarsFolder(join(folder, kind), vault))
    const both = (all: readonly string[]): Folders => ({
      groups: open(all, 'group_vars'),
      hosts: open(all, 'host_vars'),
    })
    this.#draft = draft
    this.#inventory = both(folders.inventory)
    this.#playbook = both(folders.playbook)
    for (const group of draft.groups.values()) {
      for (const child of group.children) push(this.#parents, child, group.name)
      for (const host of group.hosts) push(this.#directGroups, host, group.name)
    }
  }

  hostOf(name: string): InventoryHost {
    const groups = this.#groupsOf(this.#directGroups.get(name) ?? [])
    return { name, groups, layers: [...this.#layersOfGroups(groups), ...this.#layersOfHost(name)] }
  }

  /** What is said of one group itself; of one that no source names that is its group_vars. */
  layersOfGroup(name: string): readonly Layer[] {
    if (name === 'all') return this.#layersOfGroups([])
    const ofAll = this.#draft.group('all').layers.length
    return this.#layersOfGroups([name])
      .slice(ofAll)
      .filter(({ rank }) => !rank.endsWith('/all'))
  }

  /** host_vars of a host that no source names. */
  layersOfHost(name: string): readonly Layer[] {
    return this.#layersOfHost(name)
  }

  /** What `localhost` is when no source names it: it has only what all hosts have. */
  localhost(): InventoryHost {
    const reached: Layer = {
      rank: 'inventory file host vars',
      from: 'the implied localhost',
      values: new Map([['ansible_connection', 'local']]),
    }
    const layers = [...this.#layersOfGroups([]), reached, ...this.#layersOfHost('localhost')]
    return { name: 'localhost', groups: [], layers }
  }

  /** The groups and all above them, without `all`: by depth, then priority, then name. */
  #groupsOf(direct: readonly string[]): string[] {
    const found = new Set(direct)
    for (const group of found) for (const parent of this.#parents.get(group) ?? []) found.add(parent)
    found.delete('all')
    return [...found].sort((a, b) => {
      const depth = this.#depthOf(a) - this.#depthOf(b)
      const priority = this.#draft.group(a).priority - this.#draft.group(b).priority
      return depth || priority || (a < b ? -1 : 1)
    })
  }

  #depthOf(group: string): number {
    let depth = this.#depths.get(group)
    if (depth === undefined) {
      const parents = this.#parents.get(group) ?? []
      depth = parents.length === 0 ? 0 : 1 + Math.max(...parents.map(parent => this.#depthOf(parent)))
      this.#depths.set(group, depth)
    }
    return depth
  }

  #layersOfGroups(groups: readonly string[]): readonly Layer[] {
    const key = groups.join('\0')
    let layers = this.#groupLayers.get(key)
    if (layers === undefined) {
      const drafts: DraftGroup[] = ['all', ...groups].map(name => this.#draft.group(name))
      const { groups: inventory } = this.#inventory
      const { groups: playbook } = this.#playbook
      layers = [
        ...drafts.flatMap(group => layersOf(group.layers, 'inventory file group vars')),
        ...inventory.flatMap(folder => folder.layersFor('all', 'inventory group_vars/all')),
        ...playbook.flatMap(folder => folder.layersFor('all', 'playbook group_vars/all')),
        ...inventory.flatMap(folder =>
          groups.flatMap(name => folder.layersFor(name, 'inventory group_vars/*')),
        ),
        ...playbook.flatMap(folder =>
          groups.flatMap(name => folder.layersFor(name, 'playbook group_vars/*')),
        ),
      ]
      this.#groupLayers.set(key, layers)
    }
    return layers
  }

  #layersOfHost(name: string): readonly Layer[] {
    return [
      ...layersOf(this.#draft.hosts.get(name) ?? [], 'inventory file host vars'),
      ...this.#inventory.hosts.flatMap(folder => folder.layersFor(name, 'inventory host_vars/*')),
      ...this.#playbook.hosts.flatMap(folder => folder.layersFor(name, 'playbook host_vars/*')),
    ]
  }
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}
