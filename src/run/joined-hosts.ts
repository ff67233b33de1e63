import { problem } from '../core/error.ts'
import { driveHosts } from './drive.ts'
import { createFleet } from './fleet.ts'
import { patternOf } from './play-hosts.ts'
import type { PlayPlan } from './play-plan.ts'
import type { PlayRun } from './play-run.ts'
import { loadPlayLayers } from './play-vars.ts'

/** Hosts that the inventory, read again, names for the play, and that are not among its own. */
export async function findJoined(
  { deps, allHosts }: PlayRun,
  { play, reading }: PlayPlan,
): Promise<readonly string[]> {
  if (!deps.refreshInventory) return []
  const { inventory } = createFleet(await deps.refreshInventory())
  const named = deps.selectHosts(inventory, patternOf(play.hosts, reading), deps.settings.limit)
  return named.filter(host => !allHosts.includes(host))
}

/**
 * The play over other hosts. Those that have joined since it began get their variables from the inventory, read again, and their facts
 * where the play gathers them. Throws E_HOSTS, E_UNREACHABLE.
 */
export async function withHosts(run: PlayRun, plan: PlayPlan, hosts: readonly string[]): Promise<PlayRun> {
  const { deps, fleet } = run
  const joined = hosts.filter(host => !fleet.inventory.hosts.has(host))
  const now = joined.length > 0 ? await deps.refreshInventory?.() : undefined
  for (const host of joined) {
    const found = now?.hosts.get(host)
    if (!found) throw problem('E_HOSTS', `${host} is not in the inventory any more`, { at: plan.play.at })
    fleet.join(host, found.groups, found.layers)
  }
  // One that an earlier play has lost is still none that joins.
  const lost = run.allHosts.filter(host => !run.hosts.includes(host) && !hosts.includes(host))
  const draft = { ...run, hosts, allHosts: [...hosts, ...lost] }
  const next = { ...draft, playLayers: loadPlayLayers(draft, plan) }
  if (joined.length > 0) await driveHosts({ ...next, hosts: joined }, plan, plan.nodes)
  const silent = joined.find(host => !fleet.isIn(host))
  if (silent === undefined) return next
  throw problem('E_UNREACHABLE', `${silent}: ${fleet.host(silent).failure ?? 'does not answer'}`, {
    at: plan.play.at,
  })
}
