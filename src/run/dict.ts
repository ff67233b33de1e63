import { DICT, type Dict, type Value } from '../core/value.ts'

/** A Dict whose members are made only when they are asked for: hostvars, vars. Iterating makes all of them. */
class LazyDict implements ReadonlyMap<Value, Value> {
  readonly [DICT] = true
  readonly #names: () => Iterable<string>
  readonly #read: (name: string) => Value | undefined
  constructor(names: () => Iterable<string>, read: (name: string) => Value | undefined) {
    this.#names = names
    this.#read = read
  }
  get size(): number {
    return [...this.#names()].length
  }
  get(key: Value): Value | undefined {
    return typeof key === 'string' ? this.#read(key) : undefined
  }
  has(key: Value): boolean {
    return this.get(key) !== undefined
  }
  *keys(): MapIterator<Value> {
    yield* this.#names()
  }
  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value
  }
  *entries(): MapIterator<[Value, Value]> {
    for (const name of this.#names()) {
      const value = this.#read(name)
      if (value !== undefined) yield [name, value]
    }
  }
  [Symbol.iterator](): MapIterator<[Value, Value]> {
    return this.entries()
  }
  forEach(callback: (value: Value, key: Value, map: ReadonlyMap<Value, Value>) => void): void {
    for (const [key, value] of this) callback(value, key, this)
  }
}

/** `read` gives undefined for a name that is not there. */
export function createLazyDict(
  names: () => Iterable<string>,
  read: (name: string) => Value | undefined,
): Dict {
  return new LazyDict(names, read)
}
