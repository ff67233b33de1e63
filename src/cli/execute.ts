import { exits } from '../core/error.ts'
import { createRedactor } from '../core/redact.ts'
import { fromValue } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { loadText } from '../load/text-file.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { runPlaybooks, type Settings } from '../run/engine.ts'
import type { Config } from './config.ts'
import { readCredentials } from './credentials.ts'
import { parseExtraVars } from './extra-vars.ts'
import { readGivenSecrets } from './given-secrets.ts'
import { showLists } from './lists.ts'
import { createPlaybookLoader, findRotation, loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { listenForStop, openOutput } from './output.ts'
import type { Mode, RotationRun } from './rotation.ts'
import type { RunState } from './run-state.ts'
import { selectSettings } from './settings.ts'
import { openRunVault } from './vault-passwords.ts'
import { loadOperator } from './who.ts'
import { createDeps } from './wiring.ts'

export interface Execution {
  readonly mode: Mode
  readonly files: readonly string[]
  /** With the configuration behind them. */
  readonly flags: RunFlags
  readonly config: Config
  readonly state: RunState
  readonly version: string
}

const now = (): Date => new Date()

/**
 * Reads everything first, so that bad input is found before a host is touched; then runs the playbooks. In a mode other than `run`
 * only the play with `rotation:` is run. Returns the exit code.
 */
export async function executePlaybooks(execution: Execution): Promise<number> {
  const { files, flags, state, mode, config } = execution
  const registry = createRegistry(modules)
  const vault = await openRunVault(flags, config.values)
  const loadPlaybook = createPlaybookLoader({ registry, vault }, config.values)
  const playbooks = files.map(loadPlaybook)
  const hasRotation = findRotation(playbooks, loadPlaybook)
  const extraVars = parseExtraVars(flags.extraVars ?? [], vault)
  const refreshInventory = (): Promise<Inventory> => loadRunInventory(flags.inventory, files, vault)
  const inventory = await refreshInventory()
  if (flags.syntaxCheck) return exits.ok.code
  if (flags.listHosts || flags.listTasks || flags.listTags) return showLists(playbooks, inventory, flags)

  const settings: Settings = {
    ...selectSettings(flags, config.values, { id: state.id, version: execution.version, extraVars }),
    rotationOnly: mode !== 'run',
  }
  const credentials = await readCredentials(flags)
  const redactor = createRedactor()
  const operator = hasRotation ? await loadOperator(flags.privateKey) : {}
  const rotation = hasRotation
    ? await prepareRotation(execution, { inventory, operator, redactor, settings })
    : undefined
  const output = openOutput(flags, now, rotation ? [rotation.evidence] : [])
  const signals = listenForStop()
  const { emit } = output
  const common = {
    flags,
    config: config.values,
    vault,
    loadPlaybook,
    credentials,
    settings,
    registry,
    inventory,
    refreshInventory,
    redactor,
    state,
    emit,
    stop: signals.stop,
    now,
  }
  const deps = createDeps(common)
  try {
    emit({
      type: 'run.start',
      run: state.id,
      version: execution.version,
      playbooks: files,
      check: settings.check,
      operator,
    })
    if (settings.verbosity > 0)
      for (const text of config.notes) emit({ type: 'note', level: 'info', text: redactor.clean(text) })
    const end = await runPlaybooks(playbooks, rotation ? rotation.join(deps) : deps)
    const exit = exits[end.exit].code
    emit({ type: 'run.end', run: state.id, exit, recap: end.recap })
    return exit
  } finally {
    signals.close()
    await deps.connections.close()
    await output.close()
    if (rotation && flags.output !== 'jsonl') process.stdout.write(`evidence: ${rotation.evidenceFolder}\n`)
  }
}

async function prepareRotation(
  { mode, files, flags, state }: Execution,
  parts: {
    readonly inventory: Inventory
    readonly operator: Readonly<Record<string, string>>
    readonly redactor: ReturnType<typeof createRedactor>
    readonly settings: Settings
  },
): Promise<RotationRun> {
  const { openRotation, selectReason } = await import('./rotation.ts')
  const reason = selectReason(flags.reason)
  const given = await readGivenSecrets(flags.secret ?? [])
  if (mode === 'run' && !parts.settings.check)
    await (await import('./invocation.ts')).writeInvocation(state, files, flags)
  const plan = await hashRun(files, parts.inventory, parts.settings)
  return openRotation({
    mode,
    state,
    reason,
    plan,
    given,
    redactor: parts.redactor,
    operator: parts.operator,
  })
}

/** sha256 of what decides what is done: the playbooks' text, what the inventory says of its hosts, extra variables, selection. */
async function hashRun(files: readonly string[], inventory: Inventory, settings: Settings): Promise<string> {
  const { hashPlan } = await import('./rotation.ts')
  const hosts = [...inventory.hosts.values()].map(({ name, groups, layers }) => [
    name,
    groups,
    layers.map(({ values }) => fromValue(values)),
  ])
  const { limit, tags, skipTags, extraVars } = settings
  return hashPlan([
    ...files.map(file => loadText(file)),
    JSON.stringify(hosts),
    JSON.stringify([limit, tags, skipTags, fromValue(extraVars)]),
  ])
}
