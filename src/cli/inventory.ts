import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exits, problem } from '../core/error.ts'
import { configureFlags } from './config-flags.ts'
import { parseExtraVars } from './extra-vars.ts'
import { type InventoryView, renderData, renderGraph, viewGroups, viewHost } from './inventory-view.ts'
import { loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { openRunVault } from './vault-passwords.ts'

type InventoryFlags = RunFlags & {
  readonly list?: boolean
  readonly graph?: boolean
  readonly host?: string
  readonly yaml?: boolean
  readonly toml?: boolean
  readonly vars?: boolean
  readonly export?: boolean
  readonly playbookDir?: string
}

/** `rota inventory --list | --graph [GROUP] | --host NAME`, in ansible-inventory's forms. Throws E_USAGE without one of them. */
export async function inventoryCommand(group: string | undefined, given: InventoryFlags): Promise<number> {
  const { flags, config } = configureFlags(given)
  checkAction(flags)
  const vault = await openRunVault(flags, config.values)
  const extraVars = parseExtraVars(flags.extraVars ?? [], vault)
  const folder = flags.playbookDir ?? config.values.playbookDir ?? '.'
  const inventory = await loadRunInventory(flags.inventory, {
    playbooks: [join(folder, '(no playbook)')],
    vault,
    isLenient: true,
    config: config.values,
    extraVars,
  })
  const view = { inventory, limit: flags.limit, isExport: flags.export ?? false, extraVars }
  writeText(flags.output, renderView(view, group ?? 'all', flags))
  return exits.ok.code
}

function checkAction({ host, graph, list }: InventoryFlags): void {
  const actions = [host !== undefined, graph, list].filter(Boolean).length
  if (actions === 1) return
  throw problem(
    'E_USAGE',
    actions === 0
      ? 'No action selected, at least one of --host, --graph or --list needs to be specified.'
      : 'Conflicting options used, only one of --host, --graph or --list can be used at the same time.',
    { hint: 'rota inventory --list, --graph or --host NAME' },
  )
}

function renderView(view: InventoryView, group: string, flags: InventoryFlags): string {
  const form = flags.yaml ? 'yaml' : flags.toml ? 'toml' : 'json'
  if (flags.graph) return renderGraph(view, group, flags.vars ?? false)
  if (flags.host === undefined) return renderData(viewGroups(view, form), form)
  const { hosts, localhost } = view.inventory
  const host = hosts.get(flags.host) ?? (flags.host === 'localhost' ? localhost : undefined)
  if (host) return renderData(viewHost(view, host), form)
  throw problem('E_HOSTS', `Could not match supplied host pattern, ignoring: ${flags.host}`, {
    hint: 'name one host: rota inventory --graph shows all',
  })
}

function writeText(file: string | undefined, text: string): void {
  if (file === undefined) {
    process.stdout.write(text)
    return
  }
  try {
    writeFileSync(file, text)
  } catch (cause) {
    const why = `Unable to write to destination file (${file}): ${(cause as Error).message}`
    throw problem('E_FILE', why, { cause, hint: 'check that the folder exists and is writable' })
  }
}
