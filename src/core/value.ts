import { isSameSecret, Secret } from './secret.ts'
import type { Source } from './source.ts'

/**
 * Text with `{{`, `{%` or `{#` that the operator wrote and that is not evaluated yet. Only loaders make one,
 * from files and flags of the operator's. A plain string is data and is never templated: what came back from
 * a target is a string, so it can never be run.
 */
export class Template {
  readonly text: string
  readonly at: Source
  /** Set when the text itself is secret, since it came out of a vault: it is not shown, and what it renders to is a Secret of this label. */
  readonly secretLabel: string | undefined
  constructor(text: string, at: Source, secretLabel?: string) {
    this.text = text
    this.at = at
    this.secretLabel = secretLabel
  }
  /** The text for people to see. */
  toJSON(): string {
    return this.secretLabel === undefined ? this.text : `[secret ${this.secretLabel}]`
  }
}

/** A `!vault` value that no password opened: whoever uses it is told why. */
export class Unopened extends Template {
  readonly reason: Error
  constructor(armored: string, at: Source, reason: Error) {
    super(armored, at)
    this.reason = reason
  }
  override toJSON(): string {
    return '[a vault that no password opens]'
  }
}

/** A float whose value is an integer: YAML's and Python's `3.0`, which prints as 3.0. Other floats are numbers. */
export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
  toJSON(): number {
    return this.value
  }
}

/** A float: an integral one needs the box, or 3.0 would print as 3. */
export function floatOf(value: number): number | Float {
  return Number.isInteger(value) ? new Float(value) : value
}

/** What the operator wrote: a Template when it holds braces that mean something, else the text itself. */
export function toTemplate(text: string, at: Source): string | Template {
  return /\{[{%#]/.test(text) ? new Template(text, at) : text
}

/** The value of `omit`: an argument that renders to it is left out. */
export class Omit {
  declare private readonly brand: 'Omit'
}
export const OMIT = new Omit()

export type List = readonly Value[]
/** A dict: insertion-ordered, keys of any scalar type, no prototype. */
export type Dict = ReadonlyMap<Value, Value>
/** Everything a variable can hold. Integers above 2^53 are bigint. */
export type Value = null | boolean | number | bigint | string | Float | Secret | Template | Omit | List | Dict

/** Names to values, looked up one at a time: nothing is enumerated or copied for a template that uses two names. */
export interface Scope {
  /** undefined: there is no such variable. */
  get(name: string): Value | undefined
  names(): Iterable<string>
}

export function isDict(value: unknown): value is Dict {
  return value instanceof Map || (typeof value === 'object' && value !== null && DICT in value)
}
/** Marks a class that is a Dict without being a Map (hostvars, which must stay lazy). */
export const DICT: unique symbol = Symbol('dict')

/** Plain JSON-like data (module results, events) to a Value: objects to dicts, undefined members dropped. */
export function toValue(data: unknown): Value {
  if (data === undefined || data === null) return null
  if (Array.isArray(data)) return data.map(toValue)
  if (typeof data !== 'object') return data as Value
  if (data instanceof Secret || data instanceof Template || data instanceof Float || data instanceof Omit)
    return data
  if (isDict(data)) return data
  return new Map(
    Object.entries(data)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, toValue(member)]),
  )
}

/** A Value to plain data: dicts to objects, Float to number. Secrets stay Secrets (JSON shows their label). */
export function fromValue(value: Value): unknown {
  if (Array.isArray(value)) return value.map(fromValue)
  if (value instanceof Float) return value.value
  if (value instanceof Template) return value.toJSON()
  if (isDict(value))
    return Object.fromEntries([...value].map(([key, member]) => [String(key), fromValue(member)]))
  return value
}

/** Whether there is a Secret anywhere in it. */
export function holdsSecret(value: Value): boolean {
  if (value instanceof Secret) return true
  if (Array.isArray(value)) return (value as readonly Value[]).some(holdsSecret)
  return isDict(value) && [...value].some(([key, member]) => holdsSecret(key) || holdsSecret(member))
}

/** Plain data that can be journaled: JSON plus Secrets. The S of a state module. */
export type State =
  | null
  | boolean
  | number
  | string
  | Secret
  | readonly State[]
  | { readonly [key: string]: State | undefined }

/** Deep equality; secrets by their text, undefined members like missing ones. */
export function isSameState(a: State | undefined, b: State | undefined): boolean {
  if (a === b) return true
  if (a instanceof Secret || b instanceof Secret)
    return a instanceof Secret && b instanceof Secret && isSameSecret(a, b)
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const x = a as Readonly<Record<string, State | undefined>>
  const y = b as Readonly<Record<string, State | undefined>>
  return [...new Set([...Object.keys(x), ...Object.keys(y)])].every(key => isSameState(x[key], y[key]))
}
