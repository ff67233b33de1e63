import { exits } from '../core/error.ts'
import { createRedactor } from '../core/redact.ts'
import { fromValue } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { loadText } from '../load/text-file.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { runPlaybooks, type Settings } from '../run/engine.ts'
import { readCredentials } from './credentials.ts'
import { parseExtraVars } from './extra-vars.ts'
import { readGivenSecrets } from './given-secrets.ts'
import { showLists } from './lists.ts'
import { findRotation, loadPlaybooks, loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { listenForStop, openOutput } from './output.ts'
import type { Mode, RotationRun } from './rotation.ts'
import type { RunState } from './run-state.ts'
import { selectSettings } from './settings.ts'
import { loadOperator } from './who.ts'
import { createDeps } from './wiring.ts'

export interface Execution {
  readonly mode: Mode
  readonly files: readonly string[]
  readonly flags: RunFlags
  readonly state: RunState
  readonly version: string
}

const now = (): Date => new Date()

/**
 * Reads everything first, so that bad input is found before a host is touched; then runs the playbooks. In a mode other than `run`
 * only the play with `rotation:` is run. Returns the exit code.
 */
export async function executePlaybooks(execution: Execution): Promise<number> {
  const { files, flags, state, mode } = execution
  const registry = createRegistry(modules)
  const playbooks = loadPlaybooks(files, registry)
  const hasRotation = findRotation(playbooks, registry)
  const extraVars = parseExtraVars(flags.extraVars ?? [])
  const inventory = await loadRunInventory(flags.inventory, files)
  if (flags.syntaxCheck) return exits.ok.code
  if (flags.listHosts || flags.listTasks || flags.listTags) return showLists(playbooks, inventory, flags)

  const settings: Settings = {
    ...selectSettings(flags, { id: state.id, version: execution.version, extraVars }),
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
    credentials,
    settings,
    registry,
    inventory,
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
  const isBegun = mode === 'run' && !parts.settings.check
  const invocation = isBegun
    ? await (await import('./invocation.ts')).sealInvocation(state, files, flags)
    : undefined
  const plan = await hashRun(files, parts.inventory, parts.settings)
  return openRotation({
    mode,
    state,
    reason,
    plan,
    given,
    redactor: parts.redactor,
    operator: parts.operator,
    invocation,
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
