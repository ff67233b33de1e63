import { resolve } from 'node:path'
import { RotaError } from '../core/error.ts'
import { comparePlans, type Plan, parsePlan } from '../rotation/plan.ts'
import { checkApproval } from './approval.ts'
import { configureFlags } from './config-flags.ts'
import { readCredentials } from './credentials.ts'
import { executePlaybooks } from './execute.ts'
import { readGivenSecrets } from './given-secrets.ts'
import { placePlaybooks, selectFolder } from './invocation.ts'
import type { RunFlags } from './options.ts'
import { createPlanState, forecast, openPlan, readApprovalFile } from './plan.ts'
import { pinFiles } from './plan-files.ts'

export interface ApplyFlags extends RunFlags {
  readonly allowedSigners: string
}

/**
 * `rota apply PLAN`: runs the rotation that was planned and approved, and no other. First the approval is checked, then the plan is
 * made anew and compared: inputs, files, hosts, host keys, secrets, changes and the state that they start from. Throws
 * E_APPROVAL naming every difference; nothing was touched then.
 */
export async function applyCommand(file: string, given: ApplyFlags, version: string): Promise<number> {
  const { allowedSigners, ...typed } = given
  const bytes = readApprovalFile(file, 'make one: rota plan PLAYBOOK -o plan.json')
  const plan = parsePlan(bytes.toString('utf8'), file)
  const approval = await checkApproval(
    { file: resolve(file), bytes },
    resolve(allowedSigners),
    typed.privateKey,
  )
  const { invocation, baseKey } = await openPlan(await createPlanState(typed), plan)
  const base = selectFolder(invocation, process.cwd(), false)
  process.chdir(base)
  const kept = Object.fromEntries(Object.entries(typed).filter(([, value]) => value !== undefined))
  const { flags, config } = configureFlags({ ...invocation.flags, ...kept })
  const execution = {
    files: placePlaybooks(invocation, base),
    flags,
    config,
    version,
    // Read once, for the look and for the run.
    given: await readGivenSecrets(flags.secret ?? []),
    credentials: await readCredentials(flags),
  }
  const look = await forecast({ ...execution, state: await createPlanState(flags) }, plan.sealed, baseKey)
  if (!look.plan) return look.exit
  requireSame(plan, look.plan)
  const logins = [...look.collector.logins.values()]
  approval.again(logins.flatMap(({ by }) => /SHA256:[\w+/]+/.exec(by) ?? []))
  const state = await createPlanState(flags)
  approval.keep(await state.folder())
  return executePlaybooks({
    ...execution,
    state,
    mode: 'run',
    approved: approval.evidence,
    approvedUntil: approval.expires,
    onFile: pinFiles(plan),
  })
}

function requireSame(planned: Plan, now: Plan): void {
  const differences = comparePlans(planned, now)
  if (differences.length === 0) return
  throw new RotaError(
    differences.map((message, index) => ({
      code: 'E_APPROVAL',
      message,
      hint:
        index === differences.length - 1
          ? 'what was approved is not what would be done: plan and approve anew'
          : undefined,
    })),
  )
}
