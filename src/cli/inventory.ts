import { exits, problem } from '../core/error.ts'
import { fromValue, type Value } from '../core/value.ts'
import type { Inventory, InventoryHost } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { scopeOf } from '../vars/scope.ts'
import { configureFlags } from './config-flags.ts'
import { loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { openRunVault } from './vault-passwords.ts'

type InventoryFlags = RunFlags & { readonly list?: boolean; readonly graph?: boolean; readonly host?: string }

/** `rota inventory --list | --graph | --host NAME`, in ansible-inventory's forms. Throws E_USAGE without one of them. */
export async function inventoryCommand(given: InventoryFlags): Promise<number> {
  const { flags, config } = configureFlags(given)
  const vault = await openRunVault(flags, config.values)
  const inventory = await loadRunInventory(flags.inventory, [], vault, false, config.values.groupNames)
  if (flags.host !== undefined) writeJson(variablesOf(findHost(inventory, flags.host)))
  else if (flags.graph) process.stdout.write(renderGraph(inventory, 'all', ''))
  else if (flags.list) writeJson(renderList(inventory, flags.limit))
  else
    throw problem(
      'E_USAGE',
      'No action selected, at least one of --host, --graph or --list needs to be specified.',
      { hint: 'rota inventory --list, --graph or --host NAME' },
    )
  return exits.ok.code
}

function writeJson(data: unknown): void {
  process.stdout.write(`${JSON.stringify(data, null, 4)}\n`)
}

function findHost(inventory: Inventory, name: string): InventoryHost {
  const host = inventory.hosts.get(name)
  if (host) return host
  throw problem('E_HOSTS', `there is no host "${name}" in the inventory`, {
    hint: 'rota inventory --graph shows all hosts',
  })
}

/** As written: templates are shown, not rendered; secrets by their names. */
function variablesOf(host: InventoryHost): Readonly<Record<string, unknown>> {
  const scope = scopeOf(host.layers)
  const names = [...scope.names()].sort()
  return Object.fromEntries(names.map(name => [name, fromValue(scope.get(name) as Value)]))
}

function renderList(inventory: Inventory, limit: string | undefined): unknown {
  const hosts = new Set(selectHosts(inventory, 'all', limit))
  const hostvars = Object.fromEntries(
    [...inventory.hosts.values()]
      .filter(({ name }) => hosts.has(name))
      .map(host => [host.name, variablesOf(host)] as const)
      .filter(([, variables]) => Object.keys(variables).length > 0),
  )
  const groups = [...inventory.groups.values()].map(group => {
    const members = group.hosts.filter(name => hosts.has(name))
    return [
      group.name,
      {
        ...(group.children.length > 0 && { children: group.children }),
        ...(members.length > 0 && { hosts: members }),
      },
    ] as const
  })
  const shown = groups.filter(([name, members]) => name === 'all' || Object.keys(members).length > 0)
  return { _meta: { hostvars }, ...Object.fromEntries(shown) }
}

function renderGraph(inventory: Inventory, name: string, lead: string): string {
  const group = inventory.groups.get(name)
  const inner = lead === '' ? '  |--' : `  |${lead}`
  return [
    `${lead}@${name}:\n`,
    ...[...(group?.children ?? [])].sort().map(child => renderGraph(inventory, child, inner)),
    // As in ansible-inventory: a host that only `all` names is shown as ungrouped.
    ...(name === 'all' ? [] : [...(group?.hosts ?? [])]).sort().map(host => `${inner}${host}\n`),
  ].join('')
}
