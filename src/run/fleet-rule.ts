import { problem } from '../core/error.ts'
import type { Item, Rotation } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import type { FleetRule } from '../core/transaction.ts'
import { renderText } from './keyword.ts'
import type { PlayPlan } from './play-plan.ts'

/**
 * How the hosts of a rotation hang together: its `commit` and `failure_budget`, or the play's `max_fail_percentage`. Where hosts may
 * end differently, what binds them together is refused. Throws E_PLAYBOOK.
 */
export function selectFleetRule({ play, reading }: PlayPlan, total: number): FleetRule {
  const rotation = play.rotation!
  const place = { ...reading, at: rotation.at }
  const commit = renderText(place, 'commit', rotation.commit) ?? 'run'
  if (commit !== 'run' && commit !== 'host')
    throw problem('E_PLAYBOOK', `commit: ${commit} is neither run nor host`, {
      at: rotation.at,
      hint: 'commit: run commits all hosts together (the default), commit: host each wave when it is green',
    })
  const budget = renderText(place, 'failure_budget', rotation.failureBudget)
  const percentage = renderText(place, 'max_fail_percentage', play.maxFailPercentage)
  const wanted = budget ?? (percentage === undefined ? '0' : `${percentage.replace(/%$/, '')}%`)
  const failureBudget = parseBudget(wanted, total, rotation.at)
  if (commit === 'host' || failureBudget > 0) refuseBonds(rotation)
  return { commit, failureBudget }
}

/** A number of hosts, or a percentage of all: rounded down, since it is exceeded and not reached that counts. */
function parseBudget(text: string, total: number, at: Source): number {
  const [, digits, percent] = /^\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(text) ?? []
  if (digits === undefined)
    throw problem('E_PLAYBOOK', `failure_budget: ${text} is neither a number of hosts nor a percentage`, {
      at,
      hint: 'write failure_budget: 2, or failure_budget: 5%',
    })
  return Math.floor(percent === '' ? Number(digits) : (total * Number(digits)) / 100)
}

/** Hosts that may end differently cannot share a value, nor a change that is made once for all. */
function refuseBonds({ secrets, phases }: Rotation): void {
  const shared = secrets.find(secret => secret.shared)
  if (shared)
    throw problem('E_PLAYBOOK', `${shared.name} is shared, and hosts could end with different values of it`, {
      at: shared.at,
      hint: 'leave out commit: host, failure_budget and max_fail_percentage, or shared: true',
    })
  if (phases.distribute.length > 0)
    throw problem('E_PLAYBOOK', 'distribute binds all hosts together, and they could end differently', {
      at: phases.distribute[0]!.at,
      hint: 'leave out commit: host, failure_budget and max_fail_percentage',
    })
  const once = findOnce(phases.change)
  if (once)
    throw problem(
      'E_PLAYBOOK',
      'a change with run_once is made for all hosts, and they could end differently',
      {
        at: once.at,
        hint: 'leave out commit: host, failure_budget and max_fail_percentage, or run_once',
      },
    )
}

function findOnce(items: readonly Item[]): Item | undefined {
  for (const item of items) {
    if (item.runOnce !== undefined && item.runOnce !== false) return item
    if (item.kind === 'task') continue
    const inner = findOnce([...item.block, ...(item.rescue ?? []), ...(item.always ?? [])])
    if (inner) return inner
  }
  return undefined
}
