import { Secret } from '../core/secret.ts'
import type { State } from '../core/value.ts'

/** By the resources' convention not what the host has but how it was asked for: keys to show it by, names of backups, what to validate. */
const TERMS = 'terms'

/** What a state says of the host. */
export function dropTerms(state: State | undefined): State | undefined {
  if (typeof state !== 'object' || state === null || state instanceof Secret) return state
  if (Array.isArray(state)) return state.map(item => dropTerms(item as State) ?? null)
  const members = Object.entries(state as Readonly<Record<string, State | undefined>>)
  return Object.fromEntries(
    members.filter(([name]) => name !== TERMS).map(([name, value]) => [name, dropTerms(value)]),
  )
}
