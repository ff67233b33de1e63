import type { RotationState } from '../core/event.ts'
import type { JournalRecord } from './journal.ts'

/** Which values a run put in force, and when: all that is left to know of it when its values are forgotten. */
export interface Rotated {
  /** RFC 3339 UTC. */
  readonly at: string
  /** Names of secrets by host. */
  readonly secrets: Readonly<Record<string, readonly string[]>>
}

/** Of a whole journal, or of its last record alone, which is what a host keeps. Undefined before the commit. `states`: how its hosts end. */
export function selectRotated(
  records: readonly JournalRecord[],
  states: Readonly<Record<string, RotationState>> = {},
): Rotated | undefined {
  const end = records.findLast(({ type }) => type === 'end')
  if (end?.type === 'end' && end.rotated) return end.rotated
  const commit = records.find(({ type }) => type === 'commit')
  const pending = records.flatMap(record =>
    record.type === 'pending' && record.secrets ? [record.secrets] : [],
  )
  if (!commit || pending.length === 0) return undefined
  const isLeft = (host: string): boolean => states[host] === 'rolled_back' || states[host] === 'abandoned'
  const secrets = pending.flatMap(each => Object.entries(each)).filter(([host]) => !isLeft(host))
  return { at: commit.at, secrets: Object.fromEntries(secrets) }
}
