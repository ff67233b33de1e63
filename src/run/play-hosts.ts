import { Template, type Value } from '../core/value.ts'
import { createFleet } from './fleet.ts'
import type { PlayPlan } from './play-plan.ts'
import type { PlayRun } from './play-run.ts'
import { renderLabel } from './result.ts'

/** The pattern of a play's `hosts`, rendered. */
export function patternOf(hosts: Value, reading: PlayPlan['reading']): string {
  const value = hosts instanceof Template ? reading.templar.render(hosts, reading.scope) : hosts
  return Array.isArray(value) ? (value as readonly Value[]).map(renderLabel).join(',') : renderLabel(value)
}

/** Hosts that the inventory, read again, names for the play, and that it did not name when the play began. */
export async function findJoined(
  { deps, allHosts }: PlayRun,
  { play, reading }: PlayPlan,
): Promise<readonly string[]> {
  if (!deps.refreshInventory) return []
  const { inventory } = createFleet(await deps.refreshInventory())
  const hosts = deps.selectHosts(inventory, patternOf(play.hosts, reading), deps.settings.limit)
  return hosts.filter(host => !allHosts.includes(host))
}
