import { problem } from '../core/error.ts'
import { selectHeld } from './hold.ts'
import { abandonIn } from './ledger.ts'
import type { HostOutcome } from './outcome.ts'
import { note, type Run, record, toMessage } from './run.ts'

/**
 * Gives hosts of the run up that never answer, by a person's word: the record says who, when and why, and from then on nothing is done or
 * asked there. What the run holds of them it keeps holding, so that whoever comes later finds them locked. Throws E_USAGE for
 * a host that is none of the run's, or that answers.
 */
export async function abandonHosts(run: Run): Promise<void> {
  const { abandon, operator = 'nobody knows whom', clean, now } = run.deps
  const hosts = abandon?.hosts.filter(host => !run.ledger.abandoned.has(host)) ?? []
  if (abandon === undefined || hosts.length === 0) return
  for (const host of hosts) await requireSilent(run, host)
  const said = { by: operator, why: clean(abandon.why) }
  await record(run, { type: 'abandon', hosts, ...said })
  abandonIn(run.ledger, hosts, { ...said, at: now().toISOString() })
  note(run, 'warn', `${hosts.join(', ')} given up as it stands by ${operator}: ${abandon.why}`)
}

/** Of a host that answers everything can be known, and done. */
async function requireSilent(run: Run, host: string): Promise<void> {
  const { hostLocks, run: id } = run.deps
  if (!selectHeld(run).includes(host))
    throw problem('E_USAGE', `${host} is no host of run ${id}`, {
      hint: `its hosts are ${run.world.hosts.join(', ')}`,
    })
  if (!hostLocks) return
  const why = await hostLocks.prove(host).then(
    () => undefined,
    error => toMessage(run, error),
  )
  if (why === undefined)
    throw problem('E_USAGE', `${host} answers: nothing of run ${id} has to be given up there`, {
      hint: 'the same command without --abandon',
    })
}

/** How hosts that were given up ended, and what there is to do. */
export function selectAbandonedOutcomes({ ledger, deps }: Run): ReadonlyMap<string, HostOutcome> {
  return new Map(
    [...ledger.abandoned].map(([host, { by, at, why }]) => {
      const message = deps.clean(
        `given up by ${by} at ${at} (${why}): nobody knows what is true there. When it returns, look at it, then: rota recover ${host}`,
      )
      return [host, { state: 'abandoned', message }]
    }),
  )
}
