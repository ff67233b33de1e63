import type { RotationState } from '../core/event.ts'
import { findLast, type JournalRecord } from './journal.ts'
import type { Rotated } from './journal-entry.ts'
import { isLeft } from './outcome.ts'

/** Of a whole journal, or of its last record alone, which is what a host keeps. Undefined before the commit. `states`: how its hosts end. */
export function selectRotated(
  records: readonly JournalRecord[],
  states: Readonly<Record<string, RotationState>> = {},
): Rotated | undefined {
  const known = findLast(records, 'end')?.rotated
  if (known) return known
  const commit = records.find(({ type }) => type === 'commit')
  const pending = records.flatMap(record =>
    record.type === 'pending' && record.secrets ? [record.secrets] : [],
  )
  if (!commit || pending.length === 0) return undefined
  const secrets = pending.flatMap(each => Object.entries(each)).filter(([host]) => !isLeft(states[host]))
  return { at: commit.at, secrets: Object.fromEntries(secrets) }
}
