import { Secret } from '../core/secret.ts'
import { Float, isDict, OMIT, Omit, type State, Template, type Value } from '../core/value.ts'
import type { Fleet } from './fleet.ts'

/** What the hosts have registered and found out, as plain data for a journal. */
export function snapshotHosts(fleet: Fleet, hosts: readonly string[]): State {
  return Object.fromEntries(
    hosts.map(name => {
      const { facts, included, registered } = fleet.host(name)
      return [name, { facts: toState(facts), included: toState(included), registered: toState(registered) }]
    }),
  )
}

/** Puts a snapshot back; hosts that are not in it keep what they have. */
export function restoreHosts(fleet: Fleet, snapshot: State): void {
  if (snapshot === null || typeof snapshot !== 'object' || snapshot instanceof Secret) return
  for (const [name, stores] of Object.entries(snapshot as Readonly<Record<string, Stored>>)) {
    const host = fleet.host(name)
    for (const store of ['facts', 'included', 'registered'] as const)
      for (const [key, value] of fromState(stores[store]) as ReadonlyMap<string, Value>)
        host[store].set(key, value)
  }
}
type Stored = Readonly<Record<'facts' | 'included' | 'registered', State>>

/**
 * Values that JSON has no form for are one-member objects: a dict is a list of pairs, since its keys can be of any type and its order
 * matters.
 */
function toState(value: Value): State {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || value instanceof Secret)
    return value
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return { int: String(value) }
  if (value instanceof Float) return { float: value.value }
  if (value instanceof Omit) return { omit: true }
  if (value instanceof Template)
    return {
      template: value.text,
      file: value.at.file,
      line: value.at.line,
      col: value.at.col,
      ...(value.secretLabel !== undefined && { label: value.secretLabel }),
    }
  if (isDict(value)) return { dict: [...value].map(([key, member]) => [toState(key), toState(member)]) }
  return value.map(toState)
}

function fromState(state: State): Value {
  if (state === null || typeof state !== 'object' || state instanceof Secret) return state
  if (Array.isArray(state)) return (state as readonly State[]).map(fromState)
  const tagged = state as Readonly<Record<string, State>>
  if ('int' in tagged) return BigInt(tagged['int'] as string)
  if ('float' in tagged) return new Float(tagged['float'] as number)
  if ('omit' in tagged) return OMIT
  if ('template' in tagged) {
    const { template, file, line, col, label } = tagged
    const at = { file: file as string, line: line as number, col: col as number }
    return new Template(template as string, at, label as string | undefined)
  }
  const pairs = tagged['dict'] as readonly (readonly [State, State])[]
  return new Map(pairs.map(([key, member]) => [fromState(key), fromState(member)]))
}
