import { exits, problem } from '../core/error.ts'
import type { Playbook, Rotation } from '../core/play.ts'
import { createRedactor } from '../core/redact.ts'
import { fromValue } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { loadText } from '../load/text-file.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { type RunDeps, runPlaybooks, type Settings } from '../run/engine.ts'
import { readCredentials } from './credentials.ts'
import { parseExtraVars } from './extra-vars.ts'
import { parseSecretNames, readGivenSecrets } from './given-secrets.ts'
import { showLists } from './lists.ts'
import { findRotation, loadPlaybooks, loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { listenForStop, type Output, openOutput } from './output.ts'
import type { Mode, RotationRun } from './rotation.ts'
import type { RunState } from './run-state.ts'
import { selectReason, selectSettings } from './settings.ts'
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
  const found = findRotation(playbooks, registry)
  checkRotationFlags(flags, found)
  const extraVars = parseExtraVars(flags.extraVars ?? [])
  const inventory = await loadRunInventory(flags.inventory, files)
  if (flags.limit !== undefined) selectHosts(inventory, flags.limit, undefined)
  if (flags.syntaxCheck) return exits.ok.code
  if (flags.listHosts || flags.listTasks || flags.listTags) return showLists(playbooks, inventory, flags)

  const settings: Settings = {
    ...selectSettings(flags, { id: state.id, version: execution.version, extraVars }),
    rotationOnly: mode !== 'run',
  }
  const credentials = await readCredentials(flags)
  const redactor = createRedactor()
  const operator = found ? await loadOperator(flags.privateKey) : {}
  const rotation = found
    ? await prepareRotation(execution, { inventory, operator, redactor, settings })
    : undefined
  const output = openOutput(flags, {
    now,
    clean: redactor.clean,
    required: rotation ? [rotation.evidence] : [],
  })
  const signals = listenForStop()
  const common = {
    flags,
    credentials,
    settings,
    registry,
    inventory,
    redactor,
    state,
    emit: output.emit,
    stop: signals.stop,
    now,
  }
  const deps = createDeps(common)
  return carryOut({ execution, playbooks, deps, operator, rotation, output, signals })
}

/** Runs what is prepared and ends the reports; gives the exit code. */
async function carryOut(parts: {
  readonly execution: Execution
  readonly playbooks: readonly Playbook[]
  readonly deps: RunDeps
  readonly operator: Readonly<Record<string, string>>
  readonly rotation: RotationRun | undefined
  readonly output: Output
  readonly signals: ReturnType<typeof listenForStop>
}): Promise<number> {
  const { execution, deps, rotation, output } = parts
  const { files, flags, state, version } = execution
  const { emit } = output
  const work = async (): Promise<number> => {
    const { check } = deps.settings
    const { operator } = parts
    emit({ type: 'run.start', run: state.id, version, playbooks: files, check, operator })
    const end = await runPlaybooks(parts.playbooks, rotation ? rotation.join(deps) : deps)
    const exit = exits[end.exit].code
    emit({ type: 'run.end', run: state.id, exit, recap: end.recap })
    return exit
  }
  const done = await work().then(
    exit => ({ exit }),
    (error: unknown) => ({ error }),
  )
  parts.signals.close()
  await deps.connections.close()
  try {
    if ('error' in done) throw await output.fail(state.id, done.error)
    await output.close()
    if (rotation && flags.output !== 'jsonl') process.stdout.write(`evidence: ${rotation.evidenceFolder}\n`)
    return done.exit
  } finally {
    await rotation?.close()
  }
}

/** A flag of a rotation that would have no effect is refused: it may hold the very value that somebody relies on. */
function checkRotationFlags(flags: RunFlags, rotation: Rotation | undefined): void {
  selectReason(flags.reason)
  const names = parseSecretNames(flags.secret ?? [])
  const flag = flags.reason === undefined ? names.length > 0 && '--secret' : '--reason'
  if (!rotation) {
    if (!flag) return
    throw problem('E_USAGE', `${flag} is for a play with rotation:, and there is none`, {
      hint: `leave out ${flag}, or name the playbook that rotates`,
    })
  }
  const known = rotation.secrets.map(spec => spec.name)
  const unknown = names.find(name => !known.includes(name))
  if (unknown === undefined) return
  throw problem('E_USAGE', `--secret ${unknown}: the rotation has no secret of that name`, {
    at: rotation.at,
    hint: `its secrets are ${known.join(', ')}`,
  })
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
  const { openRotation } = await import('./rotation.ts')
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
