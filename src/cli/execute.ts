import { problem, RotaError } from '../core/error.ts'
import type { Rotation } from '../core/play.ts'
import { createRedactor } from '../core/redact.ts'
import type { Secret } from '../core/secret.ts'
import { fromValue } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { loadText } from '../load/text-file.ts'
import { modules } from '../modules/index.generated.ts'
import { withLibrary } from '../modules/library.ts'
import { createRegistry } from '../modules/registry.ts'
import type { RotationDeps } from '../rotation/run.ts'
import type { RunDeps, Settings } from '../run/engine.ts'
import { type Config, selectNotes } from './config.ts'
import { type Credentials, readCredentials } from './credentials.ts'
import { runEngine } from './engine-run.ts'
import { parseExtraVars } from './extra-vars.ts'
import { parseSecretNames, readGivenSecrets } from './given-secrets.ts'
import { showLists } from './lists.ts'
import { createPlaybookLoader, findRotation, loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { openOutput } from './output.ts'
import type { PlanCollector } from './plan-collector.ts'
import type { Mode, RotationRun } from './rotation.ts'
import type { RunState } from './run-state.ts'
import { selectReason, selectSettings } from './settings.ts'
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
  /** Watches a run in check mode, to make a plan of it. */
  readonly collector?: PlanCollector
  /** Told of every file besides the inventory that decides what is done, before it is read. */
  readonly onFile?: (path: string) => void
  /** Until when what is run is approved. */
  readonly approvedUntil?: Date
  /** Values of `--secret` and passwords that were read already. */
  readonly given?: ReadonlyMap<string, Secret>
  readonly credentials?: Credentials
  /** Hosts of an open run that are given up. */
  readonly abandon?: RotationDeps['abandon']
  /** By whom what is run was approved, for the evidence. */
  readonly approved?: Readonly<Record<string, string>>
}

const now = (): Date => new Date()

/** Everything that was read before a host is touched. */
type Loaded = Awaited<ReturnType<typeof loadExecution>>

/** Who is told of the files that decide what is done: the plan that is made, or the one that is applied. */
const selectOnFile = ({ collector, onFile }: Execution): Execution['onFile'] => collector?.takeFile ?? onFile

/** Reads and checks all input. Throws every RotaError that input can have. */
async function loadExecution(execution: Execution) {
  const { files, flags, config } = execution
  const registry = withLibrary(createRegistry(modules), selectOnFile(execution))
  const redactor = createRedactor()
  const vault = await openRunVault(flags, config.values, redactor.add)
  const loadPlaybook = createPlaybookLoader({ registry, vault }, config.values)
  const playbooks = files.map(loadPlaybook)
  const rotation = findRotation(playbooks, loadPlaybook)
  // A rotation that lacks a password must not find out half way.
  if (rotation) vault.refuseUnopened()
  checkRotationFlags(flags, rotation)
  const extraVars = parseExtraVars(flags.extraVars ?? [], vault)
  const refreshInventory = (): Promise<Inventory> =>
    loadRunInventory(flags.inventory, {
      playbooks: files,
      vault,
      isLenient: !rotation,
      config: config.values,
      extraVars,
    })
  const inventory = await (flags.syntaxCheck ? loadForCheck(refreshInventory) : refreshInventory())
  if (flags.limit !== undefined) selectHosts(inventory, 'all', flags.limit)
  return {
    registry,
    redactor,
    vault,
    loadPlaybook,
    playbooks,
    rotation,
    extraVars,
    inventory,
    refreshInventory,
  }
}

/** A playbook can be checked where the vaults of its variables cannot be opened. */
async function loadForCheck(load: () => Promise<Inventory>): Promise<Inventory> {
  try {
    return await load()
  } catch (error) {
    if (error instanceof RotaError && error.code === 'E_VAULT') return loadRunInventory(['localhost,'])
    throw error
  }
}

/**
 * Reads everything first, so that bad input is found before a host is touched; then runs the playbooks. In a mode other than `run`
 * only the play with `rotation:` is run. Returns the exit code.
 */
export async function executePlaybooks(execution: Execution): Promise<number> {
  const { flags } = execution
  const loaded = await loadExecution(execution)
  if (flags.syntaxCheck || flags.listHosts || flags.listTasks || flags.listTags)
    return listLoaded(execution, loaded)
  checkApproved(execution, loaded.rotation)
  return runLoaded(execution, loaded)
}

/** Nothing is run, so nobody is asked for anything and no connection is made. */
function listLoaded({ flags, config, state, version }: Execution, loaded: Loaded): number {
  const { playbooks, extraVars } = loaded
  const deps = createDeps({
    ...loaded,
    flags,
    config: config.values,
    credentials: { password: undefined, becomePassword: undefined },
    settings: selectSettings(flags, config.values, { id: state.id, version, extraVars }),
    state,
    emit(event) {
      if (event.type === 'note') process.stderr.write(`[WARNING]: ${event.text}\n`)
    },
    stop: new AbortController().signal,
    now,
  })
  return showLists(playbooks, deps, flags)
}

async function runLoaded(execution: Execution, loaded: Loaded): Promise<number> {
  const { files, flags, state, mode, config } = execution
  const { registry, redactor, vault, loadPlaybook, playbooks, extraVars, inventory, refreshInventory } =
    loaded
  const settings: Settings = {
    ...selectSettings(flags, config.values, { id: state.id, version: execution.version, extraVars }),
    rotationOnly: mode !== 'run',
  }
  const credentials = execution.credentials ?? (await readCredentials(flags))
  const operator = loaded.rotation ? { ...(await loadOperator(flags.privateKey)), ...execution.approved } : {}
  const rotation = loaded.rotation
    ? await prepareRotation(execution, { inventory, operator, redactor, settings })
    : undefined
  const output = openOutput(flags, {
    now,
    clean: redactor.clean,
    required: [rotation?.evidence, execution.collector?.reporter].filter(reporter => reporter !== undefined),
  })
  try {
    const exit = await runEngine({
      playbooks,
      files,
      flags,
      config: config.values,
      notes: selectNotes(config, flags.verbose),
      vault,
      loadPlaybook,
      credentials,
      settings,
      registry,
      inventory,
      refreshInventory,
      redactor,
      state,
      operator,
      output,
      now,
      onFile: selectOnFile(execution),
      join: selectJoin(rotation, execution.collector),
    })
    if (rotation && flags.output !== 'jsonl') process.stdout.write(`evidence: ${rotation.evidenceFolder}\n`)
    return exit
  } finally {
    await rotation?.close()
  }
}

/** How the engine gets to know of the rotation, and whoever makes a plan of it of everything. */
function selectJoin(
  rotation: RotationRun | undefined,
  collector: PlanCollector | undefined,
): ((deps: RunDeps) => RunDeps) | undefined {
  if (!rotation || !collector) return rotation?.join
  return deps => collector.join(rotation.join(deps))
}

/** A play can say that nobody runs it alone. What only looks needs no approval, and what was begun with one goes on. Throws E_APPROVAL. */
function checkApproved({ mode, flags, approved }: Execution, rotation: Rotation | undefined): void {
  if (!rotation?.approval || mode !== 'run' || flags.check || approved) return
  throw problem('E_APPROVAL', 'this rotation is run only as a plan that a second person has approved', {
    at: rotation.at,
    hint: 'rota plan PLAYBOOK -o plan.json; somebody else: rota approve plan.json; then rota apply plan.json',
  })
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
  if (flags.step)
    throw problem('E_USAGE', '--step: a rotation does not wait at a prompt while it holds its hosts', {
      at: rotation.at,
      hint: 'leave it out; --check shows what would be done',
    })
  const known = rotation.secrets.map(spec => spec.name)
  const unknown = names.find(name => !known.includes(name))
  if (unknown === undefined) return
  throw problem('E_USAGE', `--secret ${unknown}: the rotation has no secret of that name`, {
    at: rotation.at,
    hint: `its secrets are ${known.join(', ')}`,
  })
}

async function prepareRotation(
  { mode, files, flags, state, given: read, collector, abandon, approvedUntil }: Execution,
  parts: {
    readonly inventory: Inventory
    readonly operator: Readonly<Record<string, string>>
    readonly redactor: ReturnType<typeof createRedactor>
    readonly settings: Settings
  },
): Promise<RotationRun> {
  const { openRotation } = await import('./rotation.ts')
  const reason = selectReason(flags.reason)
  const given = read ?? (await readGivenSecrets(flags.secret ?? []))
  const isBegun = mode === 'run' && !parts.settings.check
  const invocation = isBegun
    ? await (await import('./invocation.ts')).sealInvocation(state, files, flags)
    : undefined
  const { hashPlan } = await import('./rotation.ts')
  const plan = (joined: readonly string[]): string =>
    hashPlan(listInputs(files, parts.inventory, parts.settings, joined))
  collector?.takeInputs(plan([]))
  return openRotation({
    mode,
    state,
    reason,
    plan,
    given,
    redactor: parts.redactor,
    operator: parts.operator,
    invocation,
    abandon,
    approvedUntil,
  })
}

/**
 * What decides what is done: the playbooks' text, what the inventory says of its hosts but for those that `joined` since, extra
 * variables, selection.
 */
function listInputs(
  files: readonly string[],
  inventory: Inventory,
  settings: Settings,
  joined: readonly string[],
): readonly string[] {
  const begun = [...inventory.hosts.values()].filter(({ name }) => !joined.includes(name))
  const hosts = begun.map(({ name, groups, layers }) => [
    name,
    groups,
    layers.map(({ values }) => fromValue(values)),
  ])
  const { limit, tags, skipTags, extraVars } = settings
  return [
    ...files.map(file => loadText(file)),
    JSON.stringify(hosts),
    JSON.stringify([limit, tags, skipTags, fromValue(extraVars)]),
  ]
}
