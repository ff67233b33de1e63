import type { JournalRecord } from './journal.ts'

/** Which values a run put in force, and when: all that is left to know of it when its values are forgotten. */
export interface Rotated {
  /** RFC 3339 UTC. */
  readonly at: string
  /** Names of secrets by host. */
  readonly secrets: Readonly<Record<string, readonly string[]>>
}

/** Of a whole journal, or of its last record alone, which is what a host keeps. Undefined before the commit. */
export function selectRotated(records: readonly JournalRecord[]): Rotated | undefined {
  const end = records.findLast(({ type }) => type === 'end')
  if (end?.type === 'end' && end.rotated) return end.rotated
  const commit = records.find(({ type }) => type === 'commit')
  const pending = records.find(record => record.type === 'pending')
  return commit && pending?.secrets ? { at: commit.at, secrets: pending.secrets } : undefined
}
