import { join, resolve } from 'node:path'
import { exits, problem, RotaError } from '../core/error.ts'
import { renderSource } from '../core/source.ts'
import type { Templar } from '../core/templar.ts'
import { isDict, type Scope, Template, type Value } from '../core/value.ts'
import type { Inventory, InventoryHost, Layer } from '../core/vars.ts'
import { renderDidYouMean } from '../load/problem.ts'
import { type Definition, explain } from '../vars/scope.ts'
import { configureFlags } from './config-flags.ts'
import { parseExtraVars } from './extra-vars.ts'
import { loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { createOperatorTemplar } from './templar.ts'
import { openRunVault } from './vault-passwords.ts'
import { selectScopeOf } from './wiring.ts'

export interface VarsFlags extends RunFlags {
  readonly explain?: string
  readonly playbookDir?: string
}

/**
 * `rota vars HOST [--explain NAME]`: what the inventory, group_vars, host_vars and -e say of a host: every name with its value and
 * the place that decides it, or every definition of one name, the winner first. Secrets are shown by their names.
 */
export async function varsCommand(name: string, given: VarsFlags): Promise<number> {
  const { flags, config } = configureFlags(given)
  const vault = await openRunVault(flags, config.values)
  const folder = resolve(flags.playbookDir ?? '.')
  const besides = flags.playbookDir === undefined ? [] : [join(folder, '(no playbook)')]
  const extra = parseExtraVars(flags.extraVars ?? [], vault)
  const inventory = await loadRunInventory(flags.inventory, {
    playbooks: besides,
    vault,
    config: config.values,
    extraVars: extra,
  })
  const host = findHost(inventory, name)
  const layers: readonly Layer[] = [
    ...host.layers,
    { rank: 'extra vars', from: '--extra-vars', values: extra },
  ]
  const scope = selectScopeOf(config.values)(layers, magicOf(host, inventory, folder))
  const look: Look = { host: name, layers, scope, templar: createOperatorTemplar(() => new Date(), vault) }
  process.stdout.write(flags.explain === undefined ? renderAll(look) : renderOne(look, flags.explain))
  return exits.ok.code
}

interface Look {
  readonly host: string
  readonly layers: readonly Layer[]
  readonly scope: Scope
  readonly templar: Templar
}

function findHost(inventory: Inventory, name: string): InventoryHost {
  const host = inventory.hosts.get(name) ?? (name === 'localhost' ? inventory.localhost : undefined)
  if (host) return host
  throw problem('E_HOSTS', `there is no host "${name}" in the inventory`, {
    hint: renderDidYouMean(name, [...inventory.hosts.keys()], 'rota inventory --graph shows all hosts'),
  })
}

/** The special variables that can be said without a play. */
function magicOf(host: InventoryHost, inventory: Inventory, folder: string): Scope {
  const groups = new Map<string, Value>(
    [...inventory.groups.values()].map(group => [group.name, group.hosts]),
  )
  const magic = new Map<string, Value>([
    ['inventory_hostname', host.name],
    ['inventory_hostname_short', host.name.split('.')[0]!],
    ['group_names', host.groups.length > 0 ? [...host.groups].sort() : ['ungrouped']],
    ['groups', groups],
    ['playbook_dir', folder],
  ])
  return { get: name => magic.get(name), names: () => magic.keys() }
}

function renderAll(look: Look): string {
  const names = [...new Set(look.layers.flatMap(({ values }) => [...values.keys()]))].sort()
  if (names.length === 0) return `${look.host} has no variables\n`
  const rows = names.map(name => {
    const [winner] = explain(name, look.layers)
    return { name, value: renderValue(look, name), from: placeOf(winner!) }
  })
  return rows.map(({ name, value, from }) => `${name}: ${value}\n    ${from}\n`).join('')
}

/** Throws E_VARS when it is defined nowhere. */
function renderOne(look: Look, name: string): string {
  const definitions = explain(name, look.layers)
  const [winner] = definitions
  if (!winner) {
    const known = look.layers.flatMap(({ values }) => [...values.keys()])
    throw problem('E_VARS', `${name} is not defined for ${look.host} by the inventory or -e`, {
      hint: renderDidYouMean(
        name,
        known,
        'plays, roles and tasks may define it: rota vars reads none of them',
      ),
    })
  }
  const width = Math.max(...definitions.map(({ rank }) => rank.length))
  const rows = definitions.map(definition => {
    const mark = definition.wins ? '→' : ' '
    return `${mark} ${definition.rank.padEnd(width)}  ${renderWritten(definition.value)}\n  ${' '.repeat(width)}  ${placeOf(definition)}\n`
  })
  return `${name} of ${look.host} is ${renderValue(look, name)}\n\n${rows.join('')}`
}

function placeOf({ from, at }: Definition): string {
  return at === undefined ? from : renderSource(at)
}

/** As it is in a play; what stops it from being rendered, where there is something. */
function renderValue({ templar, scope }: Look, name: string): string {
  const value = scope.get(name) ?? null
  try {
    return renderWritten(templar.render(value, scope))
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    return `${renderWritten(value)}  (${error.message})`
  }
}

/** JSON, and templates as they are written; a Secret shows its label. */
function renderWritten(value: Value): string {
  if (value instanceof Template) return value.toJSON()
  return JSON.stringify(value, (_, member: unknown) => {
    if (isDict(member)) return Object.fromEntries([...member].map(([key, each]) => [String(key), each]))
    return typeof member === 'bigint' ? Number(member) : member
  })
}
