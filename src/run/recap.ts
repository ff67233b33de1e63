import type { Exit } from '../core/error.ts'
import type { HostStatus, Recap } from '../core/event.ts'
import type { Fleet, HostState } from './fleet.ts'
import type { TaskResult } from './result.ts'

/**
 * Counts as Ansible does: an ignored failure is ok too, and a change that was ignored still is one. `isInclude`: each item that names
 * a file that is not there is a failure.
 */
export function countResult(
  { recap }: HostState,
  result: TaskResult,
  status: HostStatus,
  isInclude: boolean,
): void {
  switch (status) {
    case 'changed':
      recap.ok++
      recap.changed++
      break
    case 'ignored':
      recap.ok++
      recap.ignored++
      if (result.changed) recap.changed++
      break
    case 'ok':
      recap.ok += result.okCount ?? 1
      break
    case 'failed':
      recap.failed += (isInclude && result.missingCount) || 1
      break
    default:
      recap[status]++
  }
}

/** Counts by host, in the order the hosts came in. Hosts that no task ran on have no line. */
export function renderRecap(fleet: Fleet): Record<string, Recap> {
  return Object.fromEntries(
    [...fleet.states()]
      .filter(host => Object.values(host.recap).some(count => count > 0))
      .map(host => [host.name, { ...host.recap }]),
  )
}

/** The worst that happened to any host. */
export function decideExit(fleet: Fleet, isStopped: boolean): Exit {
  const standings = new Set([...fleet.states()].map(host => host.standing))
  if (standings.has('unknown')) return 'unknown'
  if (isStopped) return 'interrupted'
  if (standings.has('failed')) return 'failed'
  return standings.has('unreachable') ? 'unreachable' : 'ok'
}
