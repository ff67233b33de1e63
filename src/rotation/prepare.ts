import { problem } from '../core/error.ts'
import type { Clean } from '../core/redact.ts'
import { takeHosts } from './hold.ts'
import { settleSecrets, showGiven } from './pending.ts'
import { type Red, type Run, runPhase } from './run.ts'

/** Preflight only reads: a change of state in it is a mistake in the playbook, found before it happens. */
export async function refuseChange(change: { readonly what: Clean }): Promise<never> {
  throw problem('E_PREFLIGHT', `${change.what}: would change the target, and preflight only reads`, {
    hint: 'move the task to a phase that changes things: `backup`, `change` or `finalise`',
  })
}

/**
 * Everything that can fail before the first change on hosts. Resolves with what is in the way, if anything: which of them, and why for all.
 * Throws what taking them, reading their values and making new ones throws.
 */
export async function prepareHosts(
  run: Run,
  hosts: readonly string[],
): Promise<{ readonly red: Red; readonly why: string } | undefined> {
  // A host that does not answer is found red by preflight, which says where and why; it is taken when it is first worked on.
  await takeHosts(run, hosts)
  showGiven(run, hosts)
  for (const phase of ['preflight', 'backup'] as const) {
    if (run.deps.stop?.aborted) return { red: new Map(), why: 'stopped by the operator' }
    const apply = phase === 'preflight' ? refuseChange : undefined
    const red = await runPhase(run, phase, hosts, 'current', { apply })
    if (red.size > 0) return { red, why: `${phase} is red on ${[...red.keys()].join(', ')}` }
  }
  await settleSecrets(run, hosts)
  await run.deps.settleEvidence?.()
  return undefined
}
