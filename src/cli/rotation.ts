import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Exit, problem } from '../core/error.ts'
import type { Redactor } from '../core/redact.ts'
import { fingerprint, type Secret } from '../core/secret.ts'
import type { Reason, RotationWorld } from '../core/transaction.ts'
import { type Evidence, openEvidence } from '../evidence/folder.ts'
import { checkRotation } from '../rotation/check.ts'
import type { RunOnHost } from '../rotation/host-folder.ts'
import { createHostJournal } from '../rotation/host-journal.ts'
import { createHostLocks } from '../rotation/host-lock.ts'
import type { RotationOutcome } from '../rotation/outcome.ts'
import type { RotationDeps } from '../rotation/run.ts'
import { refuseOverlap, stateFolder } from '../rotation/run-folder.ts'
import { finaliseRotation, resumeRotation, rollbackRotation, runRotation } from '../rotation/transaction.ts'
import type { RunDeps } from '../run/engine.ts'
import { generateSecret } from '../secrets/generate.ts'
import { createSealer } from '../secrets/seal.ts'
import type { RunState } from './run-state.ts'

export type Mode = 'run' | 'resume' | 'rollback' | 'finalise'

const reasons: readonly Reason[] = ['scheduled', 'incident', 'offboarding', 'key-compromise', 'drill']

/** The reason a flag names; `scheduled` without one. Throws E_USAGE. */
export function selectReason(flag: string | undefined): Reason {
  const reason = reasons.find(known => known === (flag ?? 'scheduled'))
  if (reason) return reason
  throw problem('E_USAGE', `there is no reason "${flag}"`, { hint: `use one of: ${reasons.join(', ')}` })
}

export interface RotationOptions {
  readonly mode: Mode
  readonly state: RunState
  readonly reason: Reason
  /** sha256 of what is going to be done. */
  readonly plan: string
  readonly given: ReadonlyMap<string, Secret>
  readonly redactor: Redactor
  readonly operator: Readonly<Record<string, string>>
  /** What was typed, sealed; when the run is begun. */
  readonly invocation: string | undefined
}
export interface RotationRun {
  readonly evidence: Evidence
  readonly evidenceFolder: string
  /** Makes the engine's deps run a play with `rotation:` as a transaction of this run. */
  join(deps: RunDeps): RunDeps
}

const work = {
  run: runRotation,
  resume: resumeRotation,
  rollback: rollbackRotation,
  finalise: finaliseRotation,
}

/** Opens what a rotation needs on the operator's machine: the run folder, the keys and the evidence. Throws E_FILE, E_SEAL, E_EVIDENCE. */
export async function openRotation(options: RotationOptions): Promise<RotationRun> {
  const { state, mode, redactor } = options
  const folder = await state.folder()
  const keys = await state.keys()
  const evidenceFolder = join(folder, 'evidence')
  const evidence = await openEvidence(evidenceFolder, options.operator)
  const sealer = createSealer(keys.identity, keys.recipients)

  const refuse = (hosts: readonly string[]) => refuseOverlap(stateFolder(process.env), hosts, state.id)
  const depsOf = (world: RotationWorld, deps: RunDeps): RotationDeps => ({
    ...keepOnHosts(world, deps, options),
    folder,
    run: state.id,
    plan: options.plan,
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
    invocation: options.invocation,
  })
  const runWorld = async (world: RotationWorld, deps: RunDeps): Promise<RotationOutcome> => {
    if (deps.settings.check) return checkRotation(world, depsOf(world, deps))
    if (mode === 'run') await refuse(world.hosts)
    return work[mode](world, depsOf(world, deps))
  }
  return {
    evidence,
    evidenceFolder,
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

/** The copies of the journal on the hosts, and the run's hold of them. */
function keepOnHosts(
  world: RotationWorld,
  { now }: RunDeps,
  { state, operator }: RotationOptions,
): Pick<RotationDeps, 'hostJournal' | 'hostLocks'> {
  const who = `${operator['user']}@${operator['machine']}`
  const token = randomBytes(16).toString('hex')
  const runOnHost: RunOnHost = (...call) => world.runOnHost(...call)
  const setFence: RotationWorld['setFence'] = (...hold) => world.setFence(...hold)
  const hostLocks = createHostLocks({ run: state.id, operator: who, token, now, runOnHost, setFence })
  return { hostLocks, hostJournal: createHostJournal(state.id, runOnHost, hostLocks.prove) }
}

/** What a person does next, and where the evidence is. */
function sayNext(deps: RunDeps, { state }: RotationOutcome, { state: run, redactor }: RotationOptions): void {
  const next: Partial<Record<RotationOutcome['state'], string>> = {
    held: `a person has to decide: rota resume ${run.id} goes forward, rota rollback ${run.id} goes back`,
    in_doubt: `a host did not answer: when it does, rota resume ${run.id} or rota rollback ${run.id}`,
    rolling_back: `the undo is not finished: rota rollback ${run.id}`,
    running: `the run is not finished: rota resume ${run.id} or rota rollback ${run.id}`,
  }
  const text = next[state]
  if (text) deps.emit({ type: 'note', level: 'warn', text: redactor.clean(text) })
}

/** sha256 over parts, each with its length, so that no two lists of parts read the same. */
export function hashPlan(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`)
  return hash.digest('hex')
}
