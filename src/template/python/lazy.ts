import { Template } from '../../core/value.ts'
import { isList, orElse, type Py, type PyDict, Tuple, tupleOf } from './kinds.ts'

/** Evaluates a Template; wraps a container; gives anything else back. */
export type Resolve = (value: Py) => Py

/**
 * A variable's dict as a template sees it: members that are Templates are evaluated when they are read, so that
 * `d.good` works beside a broken `d.bad`. It is a private copy as soon as it is written to or enumerated: a template
 * can never change a variable of the play. Nothing is enumerated before that, which matters for hostvars.
 */
class LazyDict extends Map<Py, Py> {
  private readonly source: PyDict
  private readonly resolve: Resolve
  private isFilled = false
  constructor(source: PyDict, resolve: Resolve) {
    super()
    this.source = source
    this.resolve = resolve
  }

  /** True when it stands for a dict that a colleague keeps lazy. */
  get isForeign(): boolean {
    return !(this.source instanceof Map)
  }

  private fill(): void {
    if (this.isFilled) return
    const read = new Map(super.entries())
    super.clear()
    for (const [key, value] of this.source)
      super.set(
        key,
        orElse(read.get(key), () => value),
      )
    this.isFilled = true
  }
  override get(key: Py): Py | undefined {
    const own = super.get(key)
    const raw = own === undefined && !this.isFilled ? this.source.get(key) : own
    if (raw === undefined) return undefined
    const value = this.resolve(raw)
    if (value !== own) super.set(key, value)
    return value
  }
  override has(key: Py): boolean {
    return this.isFilled ? super.has(key) : this.source.has(key)
  }
  override get size(): number {
    return this.isFilled ? super.size : (this.source?.size ?? 0)
  }
  override set(key: Py, value: Py): this {
    this.fill()
    return super.set(key, value)
  }
  override delete(key: Py): boolean {
    this.fill()
    return super.delete(key)
  }
  override clear(): void {
    this.isFilled = true
    super.clear()
  }
  override keys(): MapIterator<Py> {
    this.fill()
    return super.keys()
  }
  override *entries(): MapIterator<[Py, Py]> {
    for (const key of [...this.keys()]) yield [key, this.get(key)!]
  }
  override *values(): MapIterator<Py> {
    for (const key of [...this.keys()]) yield this.get(key)!
  }
  override [Symbol.iterator](): MapIterator<[Py, Py]> {
    return this.entries()
  }
  override forEach(visit: (value: Py, key: Py, map: Map<Py, Py>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this)
  }
}

/** A dict that may be enumerated: not one that a colleague keeps lazy. */
export function isPlainDict(value: Py): value is PyDict {
  return value instanceof Map && !(value instanceof LazyDict && value.isForeign)
}

/** A list of variables as a template sees it: a copy, whose Templates are evaluated when the item is read. */
function lazyList(source: readonly Py[], resolve: Resolve): readonly Py[] {
  const items = source.map(item => (item instanceof Template ? item : resolve(item)))
  const list = source instanceof Tuple ? tupleOf(items) : items
  items.forEach((item, index) => {
    if (item instanceof Template) defineLazyItem(list, index, () => resolve(item))
  })
  return list
}
function defineLazyItem(list: readonly Py[], index: number, evaluate: () => Py): void {
  const settle = (value: Py): Py => {
    Object.defineProperty(list, index, { value, writable: true, enumerable: true, configurable: true })
    return value
  }
  Object.defineProperty(list, index, {
    get: () => settle(evaluate()),
    set: settle,
    enumerable: true,
    configurable: true,
  })
}

/** Wraps a container for reading in a template; a container that is wrapped already is given back. */
export function lazyContainer(value: readonly Py[] | PyDict, resolve: Resolve, seen: WeakSet<object>): Py {
  if (seen.has(value)) return value
  const wrapped = isList(value) ? lazyList(value, resolve) : new LazyDict(value, resolve)
  seen.add(wrapped as object)
  return wrapped
}
