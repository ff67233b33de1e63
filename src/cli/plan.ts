import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { exits, problem } from '../core/error.ts'
import type { State } from '../core/value.ts'
import { type Plan, renderPlan } from '../rotation/plan.ts'
import { nextRunId, stateFolder } from '../rotation/run-folder.ts'
import { createSealer } from '../secrets/seal.ts'
import { configureFlags } from './config-flags.ts'
import { type Execution, executePlaybooks } from './execute.ts'
import type { Invocation } from './invocation.ts'
import type { RunFlags } from './options.ts'
import { createPlanCollector, type PlanCollector } from './plan-collector.ts'
import { createRunState, type RunState } from './run-state.ts'
import { selectReason } from './settings.ts'
import { loadOperator } from './who.ts'

const CONTEXT = 'plan'

/** What a plan keeps for its recipients: what was typed, and the key of the states' fingerprints. */
export interface SealedPlan {
  readonly invocation: Invocation
  /** Hex. */
  readonly baseKey: string
}

/**
 * `rota plan PLAYBOOK… -o FILE`: runs the rotation in check mode, writes what it would do, and shows it. Nothing is touched. Returns
 * the exit code of the check when that is not green: then there is no plan.
 */
export async function planCommand(
  files: readonly string[],
  { out, ...given }: RunFlags & { readonly out: string },
  version: string,
): Promise<number> {
  const { flags, config } = configureFlags(given)
  const state = await createPlanState(flags)
  const baseKey = randomBytes(32).toString('hex')
  const invocation = {
    playbooks: files.map(file => resolve(file)),
    folder: process.cwd(),
    flags: { ...flags },
  }
  const sealed = await sealPlan(state, { invocation, baseKey })
  const { exit, plan } = await forecast({ files, flags, config, state, version }, sealed, baseKey)
  if (!plan) return exit
  try {
    writeFileSync(out, `${JSON.stringify(plan, null, 2)}\n`)
  } catch (cause) {
    throw problem('E_FILE', `cannot write the plan to ${out}`, {
      hint: 'check that the folder exists',
      cause,
    })
  }
  process.stdout.write(
    `\n${renderPlan(plan)}\nplan: ${out}\nnext: somebody else: rota approve ${out}; then rota apply ${out}\n`,
  )
  return exits.ok.code
}

/** Runs in check mode and makes the plan; without one when the check is not green. Throws E_PLAYBOOK when nothing rotates. */
export async function forecast(
  execution: Omit<Execution, 'mode' | 'collector'>,
  sealed: Plan['sealed'],
  baseKey: string,
): Promise<{ readonly exit: number; readonly plan: Plan | undefined; readonly collector: PlanCollector }> {
  const { flags, files } = execution
  const collector = createPlanCollector()
  const exit = await executePlaybooks({
    ...execution,
    flags: { ...flags, check: true },
    mode: 'run',
    files: files.map(file => resolve(file)),
    collector,
  })
  if (exit !== exits.ok.code) return { exit, plan: undefined, collector }
  const who = await loadOperator(flags.privateKey)
  const plan = collector.make({
    made: new Date().toISOString(),
    by: `${who['user']}@${who['machine']}`,
    playbooks: files.map(file => relative(process.cwd(), resolve(file))),
    reason: selectReason(flags.reason),
    sealed,
    baseKey: Buffer.from(baseKey, 'hex'),
  })
  if (plan) return { exit, plan, collector }
  throw problem('E_PLAYBOOK', 'there is no rotation to plan: no play with rotation: met a host', {
    hint: 'name the playbook that rotates; rota run --check shows what another one would do',
  })
}

/** A state folder of its own, in which only the evidence of the check is kept. */
export async function createPlanState(flags: RunFlags): Promise<RunState> {
  const folder = stateFolder(process.env)
  const id = await nextRunId(folder, new Date(), randomBytes)
  return createRunState(id, join(folder, 'runs', id), flags.recipient ?? [])
}

async function sealPlan(state: RunState, sealed: SealedPlan): Promise<Plan['sealed']> {
  const { identity, recipients } = await state.keys()
  const { key, sealed: sealedKey } = await createSealer(identity, recipients).createKey()
  return { key: sealedKey, payload: key.seal(sealed as unknown as State, CONTEXT) }
}

/** Throws E_SEAL when this operator is no recipient of the plan, or when it was changed. */
export async function openPlan(state: RunState, { sealed }: Plan): Promise<SealedPlan> {
  const { identity, recipients } = await state.keys()
  const key = await createSealer(identity, recipients).openKey(sealed.key)
  return key.unseal(sealed.payload, CONTEXT) as unknown as SealedPlan
}

/** Reads a file of an approval. Throws E_APPROVAL when there is none. */
export function readApprovalFile(file: string, hint: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw problem('E_APPROVAL', `there is no ${file}`, { hint, cause })
  }
}
