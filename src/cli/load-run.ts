import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { problem, type RotaError } from '../core/error.ts'
import type { Playbook, Rotation } from '../core/play.ts'
import { Template, type Value } from '../core/value.ts'
import type { Inventory, Layer } from '../core/vars.ts'
import type { Evaluator } from '../inventory/constructed.ts'
import { loadInventory } from '../inventory/inventory.ts'
import { type LoadOptions, loadPlaybook } from '../load/playbook.ts'
import type { Vault } from '../load/vault.ts'
import type { ConfigValues } from './config.ts'
import { applyPlayDefaults } from './config-flags.ts'

/** Ansible's own default, behind the project's. */
const defaultSources = ['inventory/', '/etc/ansible/hosts']

/** Loads one playbook, with what the configuration says of plays that do not say it themselves. */
export type LoadPlaybook = (file: string) => Playbook

export function createPlaybookLoader(options: LoadOptions, config: ConfigValues): LoadPlaybook {
  return file => applyPlayDefaults(loadPlaybook(file, options), config)
}

export interface RunInventoryOptions {
  /** What stands beside them counts: group_vars and host_vars. */
  readonly playbooks?: readonly string[]
  readonly vault?: Vault
  /** A source that is not there is warned of and left out, as in Ansible: plays on localhost need none. */
  readonly isLenient?: boolean
  readonly config?: ConfigValues
  readonly extraVars?: ReadonlyMap<string, Value> | undefined
}

/** The inventory of `-i`, or `inventory/` here, or /etc/ansible/hosts. Throws as loadInventory does. */
export function loadRunInventory(
  sources: readonly string[] | undefined,
  { playbooks = [], vault, isLenient = false, config = {}, extraVars }: RunInventoryOptions = {},
): Promise<Inventory> {
  const wanted = sources ?? defaultSources.filter(source => existsSync(source)).slice(0, 1)
  return loadInventory(selectSources(wanted, isLenient, config), {
    vault,
    evaluator: () => loadEvaluator(vault),
    extraVars,
    nameGroup: selectNameGroup(config.groupNames),
    playbookFolders: [...new Set(playbooks.map(file => resolve(dirname(file))))],
  })
}

/** The sources that are there. Throws E_INVENTORY where INVENTORY_ANY_UNPARSED_IS_FAILED or INVENTORY_UNPARSED_IS_FAILED say so. */
function selectSources(
  wanted: readonly string[],
  isLenient: boolean,
  config: ConfigValues,
): readonly string[] {
  const warn = (text: string): void => void process.stderr.write(`[WARNING]: ${text}\n`)
  const found = isLenient ? wanted.filter(isThere) : wanted
  for (const source of wanted) {
    if (found.includes(source)) continue
    if (config.anyUnparsedFails) throw unparsed(source)
    warn(`Unable to parse ${source} as an inventory source: there is none`)
  }
  if (found.length > 0) return found
  if (config.unparsedFails && wanted.length > 0) throw unparsed(wanted.join(', '))
  warn('No inventory was parsed, only implicit localhost is available: name one with -i')
  return found
}

function isThere(source: string): boolean {
  if (source.includes(',')) return true
  const stats = statSync(source, { throwIfNoEntry: false })
  return stats?.isDirectory() ? readdirSync(source).length > 0 : stats !== undefined
}

function unparsed(source: string): RotaError {
  return problem('E_INVENTORY', `Completely failed to parse inventory source ${source}: there is none`, {
    hint: 'check the path; ansible.cfg or a variable says that this is an error',
  })
}

/**
 * TRANSFORM_INVALID_GROUP_CHARS: `always` and `silently` make `_` of what a variable's name cannot have, `never` and `ignore` leave it;
 * `always` and `never` say so.
 */
function selectNameGroup(wish: string | undefined): ((name: string) => string) | undefined {
  const word = wish?.toLowerCase()
  if (word === undefined || word === 'ignore') return undefined
  const renames = word === 'always' || word === 'silently'
  let hasSaid = word === 'silently'
  return name => {
    const valid = name.replace(/^[^a-zA-Z_]|[^a-zA-Z0-9_]/g, '_')
    if (valid !== name && !hasSaid) {
      const what = renames ? 'and automatically replaced' : 'but not replaced'
      process.stderr.write(`[WARNING]: Invalid characters were found in group names ${what}: ${name}\n`)
      hasSaid = true
    }
    return renames ? valid : name
  }
}

/** Loaded when a source needs it: most inventories have no expressions. */
async function loadEvaluator(vault: Vault | undefined): Promise<Evaluator> {
  const { createOperatorTemplar } = await import('./templar.ts')
  const { scopeOf } = await import('../vars/scope.ts')
  const templar = createOperatorTemplar(() => new Date(), vault)
  return {
    evaluate(expression, values) {
      const layer: Layer = { rank: 'inventory file host vars', from: 'inventory', values }
      return templar.evaluate(expression, scopeOf([layer], { get: () => undefined, names: () => [] }))
    },
    isTrue: value => templar.isTrue(value),
  }
}

/**
 * The rotation that the playbooks have, imported ones included. A run is one transaction, so two are refused.
 * Throws E_PLAYBOOK for a second one.
 */
export function findRotation(playbooks: readonly Playbook[], load: LoadPlaybook): Rotation | undefined {
  const rotations = playbooks.flatMap(playbook => collectRotations(playbook, load, new Set()))
  if (rotations.length > 1)
    throw problem('E_PLAYBOOK', 'a run can hold one rotation, and this is a second one', {
      at: rotations[1]!.at,
      hint: 'run the playbooks one after the other: each rotation is a transaction of its own',
    })
  return rotations[0]
}

function collectRotations(playbook: Playbook, load: LoadPlaybook, seen: Set<string>): readonly Rotation[] {
  if (seen.has(playbook.file)) return []
  seen.add(playbook.file)
  return playbook.plays.flatMap(play => {
    if (play.kind === 'play') return play.rotation ? [play.rotation] : []
    if (play.playbook instanceof Template || typeof play.playbook !== 'string') return []
    const file = resolve(dirname(playbook.file), play.playbook)
    return existsSync(file) ? collectRotations(load(file), load, seen) : []
  })
}
