import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Exit, problemsOf, RotaError } from '../core/error.ts'
import type { Redactor } from '../core/redact.ts'
import { fingerprint, type Secret } from '../core/secret.ts'
import type { Reason, RotationWorld } from '../core/transaction.ts'
import { type Evidence, openEvidence } from '../evidence/folder.ts'
import { refuseExpired } from '../rotation/approval-clock.ts'
import { checkRotation } from '../rotation/check.ts'
import { confirmRotation, finaliseRotation } from '../rotation/closing.ts'
import { realDisk } from '../rotation/disk.ts'
import { refuseInGrace } from '../rotation/due.ts'
import { forgetSealed } from '../rotation/forget.ts'
import type { RunOnHost } from '../rotation/host-folder.ts'
import { createHostJournal } from '../rotation/host-journal.ts'
import { createHostLocks } from '../rotation/host-lock.ts'
import { findLast, readJournal } from '../rotation/journal.ts'
import { lockFolder, realProcesses } from '../rotation/lock.ts'
import { isOver, type RotationOutcome } from '../rotation/outcome.ts'
import type { RotationDeps } from '../rotation/run.ts'
import { readSummary, refuseOverlap, stateFolder } from '../rotation/run-folder.ts'
import { resumeRotation, rollbackRotation, runRotation } from '../rotation/transaction.ts'
import type { RunDeps } from '../run/engine.ts'
import { generateSecret } from '../secrets/generate.ts'
import { createSealer } from '../secrets/seal.ts'
import type { RunState } from './run-state.ts'

export type Mode = 'run' | 'resume' | 'rollback' | 'confirm' | 'finalise'

export interface RotationOptions {
  readonly mode: Mode
  readonly state: RunState
  readonly reason: Reason
  /** sha256 of what is going to be done, but for hosts that joined since the run began. */
  readonly plan: (joined: readonly string[]) => string
  readonly given: ReadonlyMap<string, Secret>
  readonly redactor: Redactor
  readonly operator: Readonly<Record<string, string>>
  /** What was typed, sealed; when the run is begun. */
  readonly invocation: string | undefined
  readonly abandon: RotationDeps['abandon']
  readonly approvedUntil: Date | undefined
}
export interface RotationRun {
  readonly evidence: Evidence
  readonly evidenceFolder: string
  /** Makes the engine's deps run a play with `rotation:` as a transaction of this run. */
  join(deps: RunDeps): RunDeps
  /** Unlocks the run folder; after the evidence is closed. */
  close(): Promise<void>
}

const work = {
  run: runRotation,
  resume: resumeRotation,
  rollback: rollbackRotation,
  confirm: confirmRotation,
  finalise: finaliseRotation,
}

/** Opens what a rotation needs on the operator's machine: the run folder, the keys and the evidence. Throws E_FILE, E_SEAL, E_EVIDENCE. */
export async function openRotation(options: RotationOptions): Promise<RotationRun> {
  const { state, mode, redactor } = options
  const folder = await state.folder()
  const keys = await state.keys()
  // Before the evidence is opened: another process may be writing it.
  const unlock = await lockFolder(folder, realDisk, realProcesses)
  const evidenceFolder = join(folder, 'evidence')
  const evidence = await openEvidence(evidenceFolder, options.operator)
  const sealer = createSealer(keys.identity, keys.recipients)

  const refuse = (hosts: readonly string[]) => refuseOverlap(stateFolder(process.env), hosts, state.id)
  const depsOf = (world: RotationWorld, deps: RunDeps, joined: readonly string[] = []): RotationDeps => ({
    ...keepOnHosts(world, deps, options),
    folder,
    run: state.id,
    plan: options.plan(joined),
    reason: options.reason,
    sealer,
    generate: (shape, name) => generateSecret(shape, name, randomBytes),
    given: options.given,
    fingerprint: secret => fingerprint(secret, keys.evidenceKey),
    emit: deps.emit,
    clean: redactor.clean,
    now: deps.now,
    settleEvidence: evidence.settle,
    refuseOverlap: () => refuse(world.hosts),
    stop: deps.stop,
    operator: whoOf(options.operator),
    invocation: options.invocation,
    abandon: options.abandon,
    isLocked: true,
  })
  const runWorld = async (world: RotationWorld, deps: RunDeps): Promise<RotationOutcome> => {
    if (mode === 'run' && !deps.settings.force) await refuseInGrace(world, options.given)
    if (deps.settings.check) return checkRotation(world, depsOf(world, deps))
    if (mode === 'run') await refuse(world.hosts)
    if (options.approvedUntil) await refuseExpired(world, options.approvedUntil)
    const records = await readJournal(folder)
    const before = records.length
    const begun = findLast(records, 'begin')?.hosts ?? world.hosts
    const joined = world.hosts.filter(host => !begun.includes(host))
    try {
      const outcome = await work[mode](world, depsOf(world, deps, joined))
      if (isOver(outcome.state, world)) await forgetSealed(folder, deps.now())
      return outcome
    } catch (error) {
      throw await explainStop(error, folder, before, deps)
    }
  }
  return {
    evidence,
    evidenceFolder,
    close: unlock,
    join: deps => ({
      ...deps,
      async runRotation(world): Promise<Exit> {
        const outcome = await runWorld(world, deps)
        sayNext(deps, outcome, options)
        return outcome.exit
      },
    }),
  }
}

function whoOf(operator: RotationOptions['operator']): string {
  return `${operator['user']}@${operator['machine']}`
}

/** The copies of the journal on the hosts, and the run's hold of them. */
function keepOnHosts(
  world: RotationWorld,
  { now }: RunDeps,
  { state, operator }: RotationOptions,
): Pick<RotationDeps, 'hostJournal' | 'hostLocks'> {
  const who = whoOf(operator)
  const token = randomBytes(16).toString('hex')
  const runOnHost: RunOnHost = (...call) => world.runOnHost(...call)
  const setFence: RotationWorld['setFence'] = (...hold) => world.setFence(...hold)
  const hostLocks = createHostLocks({ run: state.id, operator: who, token, now, runOnHost, setFence })
  return { hostLocks, hostJournal: createHostJournal(state.id, runOnHost, hostLocks.prove) }
}

/** What a person does next, and what stands on the hosts. */
function sayNext(
  deps: RunDeps,
  { state, hosts }: RotationOutcome,
  { state: run, redactor }: RotationOptions,
): void {
  const { check } = deps.settings
  if (check && state === 'running') return
  const again = 'mend what is red above, then start again'
  const select = (end: typeof state): string =>
    [...hosts].flatMap(([host, { state }]) => (state === end ? [host] : [])).join(',')
  const [left, abandoned] = [select('rolled_back'), select('abandoned')]
  const parted = `the new secrets are in force but on ${left}, which ended on the old ones: mend what is red above, then the same command with --limit ${left}`
  const next: Partial<Record<RotationOutcome['state'], string>> = {
    held: `a person has to decide: rota resume ${run.id} goes forward, rota rollback ${run.id} goes back; rota journal show ${run.id} says how it came to this`,
    ...(left !== '' && { committed: parted }),
    in_doubt: `a host did not answer: when it does, rota resume ${run.id} or rota rollback ${run.id}; one that never will is given up by adding --abandon HOST -m 'why'`,
    rolling_back: `the undo is not finished: rota rollback ${run.id}`,
    running: `the run is not finished: rota resume ${run.id} or rota rollback ${run.id}`,
    refused: `${check ? 'the run would be refused' : 'refused'}: no secret was changed on any host; ${again}`,
    rolled_back: `undone: every host${abandoned && ` but ${abandoned}`} is on its old secrets; ${again}`,
    awaiting_provider: `the new secrets are in force; do what is said above, then: rota confirm ${run.id}`,
    in_grace: `the new secrets are in force; to end those of before: rota finalise ${run.id}`,
    committed_with_warnings:
      'the new secrets are in force on every host; what is red above comes after that: do it by hand',
  }
  const text = next[state]
  const isOpen = ['held', 'in_doubt', 'rolling_back', 'running'].includes(state)
  if (text) deps.emit({ type: 'note', level: isOpen ? 'warn' : 'info', text: redactor.clean(text) })
}

const standing = {
  no: 'nothing was changed',
  undone: 'what was changed is undone',
  yes: 'changed; not committed',
} as const

/**
 * An error that stopped a rotation half way (its journal or evidence could not be written): says where each host stands, and puts
 * before the error that a person has to decide. `before` is how many records the journal had when this process began.
 */
async function explainStop(error: unknown, folder: string, before: number, deps: RunDeps): Promise<unknown> {
  // Whoever took the run over says how it stands; what is here is out of date.
  if (error instanceof RotaError && error.code === 'E_LOCKED') return error
  const records = await readJournal(folder).catch(() => [])
  const summary = await readSummary(folder).catch(() => undefined)
  if (!summary?.isOpen || records.length <= before) return error
  const isCommitted = records.some(({ type }) => type === 'commit')
  for (const [host, changed] of Object.entries(summary.changed)) {
    const message = deps.redactor.clean(isCommitted ? 'the new secrets are in force' : standing[changed])
    deps.emit({ type: 'rotation.state', host, state: 'held', message })
  }
  const stopped = `run ${records[0]!.type === 'begin' ? records[0]!.run : ''} stopped half way and is open`
  return new RotaError(
    [{ code: 'E_HELD', message: stopped, hint: summary.ways.join(', or ') }, ...problemsOf(error)],
    {
      cause: error,
    },
  )
}

/** sha256 over parts, each with its length, so that no two lists of parts read the same. */
export function hashPlan(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`)
  return hash.digest('hex')
}
