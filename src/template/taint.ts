import { reveal, Secret, SecretTouched } from '../core/secret.ts'
import { Float } from '../core/value.ts'
import { Fault } from './fault.ts'
import { Callable, isList, Markup, type Py, Thing, Tuple, tupleOf, Undefined } from './python/kinds.ts'
import { isPlainDict } from './python/lazy.ts'

/**
 * Secrets pass through expressions as they are: variables, members, containers, `default`, macros. Only an operation
 * that needs the text touches one. `tainting` then runs it again on the plain text and makes every string and number of
 * the result a Secret. Comparisons and tests yield plain booleans.
 */

/** Numbers made of secrets (a length, an offset) keep being numbers when they are used again. */
const numbers = new WeakMap<Secret, number | bigint | Float>()
/** Dicts that have a Secret among their keys: a key that is not found may be one of those. */
const secretKeyed = new WeakSet<object>()
export function markSecretKeyed(dict: object): void {
  secretKeyed.add(dict)
}
export function isSecretKeyed(dict: object): boolean {
  return secretKeyed.has(dict)
}

function plainOf(secret: Secret): Py {
  return numbers.get(secret) ?? reveal(secret)
}

/** One operation's way from Secrets to plain values and back. */
class Disclosure {
  private readonly secrets = new Map<string, Secret>()
  private readonly labels = new Set<string>()

  get isEmpty(): boolean {
    return this.labels.size === 0
  }
  get label(): string {
    return [...this.labels].join('+')
  }

  /** A copy without Secrets. Lazy dicts from outside (hostvars) stay as they are: they are never enumerated. */
  plain(value: Py): Py {
    if (value instanceof Secret) {
      for (const label of value.label.split('+')) this.labels.add(label)
      const plain = plainOf(value)
      if (typeof plain === 'string') this.secrets.set(plain, value)
      return plain
    }
    if (isList(value)) {
      const items = value.map(item => this.plain(item))
      return value instanceof Tuple ? tupleOf(items) : items
    }
    if (isPlainDict(value))
      return new Map([...value].map(([key, member]) => [this.plain(key), this.plain(member)]))
    return value
  }

  /** The result with every string and number in it made secret. */
  secret(value: Py): Py {
    if (typeof value === 'string') return this.secrets.get(value) ?? new Secret(value, this.label)
    if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Float) {
      const secret = new Secret(String(value instanceof Float ? value.value : value), this.label)
      numbers.set(secret, value)
      return secret
    }
    if (isList(value)) {
      const items = value.map(item => this.secret(item))
      return value instanceof Tuple ? tupleOf(items) : items
    }
    if (isPlainDict(value)) {
      const dict = new Map([...value].map(([key, member]) => [this.secret(key), this.secret(member)]))
      if (dict.size > 0) markSecretKeyed(dict)
      return dict
    }
    return value instanceof Thing ? this.secretThing(value) : value
  }

  private secretThing(thing: Thing): Py {
    if (thing instanceof Undefined)
      return new Undefined(`a value that depends on secret ${this.label} is undefined`)
    if (thing instanceof Markup) return this.secret(thing.html)
    if (thing instanceof Callable)
      return new Callable(thing.name, (args, named) => {
        const plainArgs = args.map(arg => this.plain(arg))
        const plainNamed = new Map([...named].map(([name, arg]) => [name, this.plain(arg)]))
        return this.run(thing.name, () => this.secret(thing.call(plainArgs, plainNamed)))
      })
    return new SecretThing(thing, result => this.secret(result), this.label)
  }

  /** Runs on plain text: whatever is thrown may hold the text, so only the kind of a fault gets out. */
  run<T>(name: string, operation: () => T): T {
    try {
      return operation()
    } catch (error) {
      const kind = error instanceof Fault ? error.kind : 'runtime'
      const line = error instanceof Fault ? error.line : undefined
      throw new Fault(
        kind,
        `${name} cannot be applied to secret ${this.label}`,
        line === undefined ? {} : { line },
      )
    }
  }
}

/** A date, markup or bytes made of a secret: whatever is read from it is secret again; as text it is touched. */
class SecretThing extends Thing {
  readonly type: string
  private readonly inner: Thing
  private readonly wrap: (value: Py) => Py
  readonly label: string
  constructor(inner: Thing, wrap: (value: Py) => Py, label: string) {
    super()
    this.type = inner.type
    this.inner = inner
    this.wrap = wrap
    this.label = label
  }
  override attribute(name: string): Py | undefined {
    const found = this.inner.attribute(name)
    return found === undefined ? undefined : this.wrap(found)
  }
  override text(): string {
    throw new Fault('runtime', `a ${this.type} made of secret ${this.label} cannot be printed`)
  }
}

/**
 * Runs an operation; when it touches a Secret, again on plain copies of its arguments, and makes the result secret.
 * The operation must have no effect other than its result.
 */
export function tainting<const T extends readonly Py[]>(
  name: string,
  args: T,
  operation: (args: T) => Py,
): Py {
  try {
    return operation(args)
  } catch (error) {
    if (!(error instanceof SecretTouched)) throw error
  }
  const disclosure = new Disclosure()
  const plain = args.map(arg => disclosure.plain(arg)) as unknown as T
  return disclosure.run(name, () => {
    if (disclosure.isEmpty) throw new Fault('runtime', 'the secret is out of reach')
    return disclosure.secret(operation(plain))
  })
}

/** What a comparison of two values says, on plain text. Only a number or boolean gets out. */
export function compareDisclosed<T extends number | boolean>(a: Py, b: Py, compare: (a: Py, b: Py) => T): T {
  const disclosure = new Disclosure()
  const [x, y] = [disclosure.plain(a), disclosure.plain(b)]
  return disclosure.run('a comparison', () => compare(x, y))
}

/** Python's truth and type of a secret's value: a number made of a secret may be 0. */
export function isTrueSecret(secret: Secret): boolean {
  const plain = plainOf(secret)
  return plain instanceof Float ? plain.value !== 0 : Boolean(plain)
}
export function kindOfSecret(secret: Secret): 'str' | 'int' | 'float' {
  const plain = plainOf(secret)
  if (typeof plain === 'string') return 'str'
  return plain instanceof Float || !Number.isInteger(Number(plain)) ? 'float' : 'int'
}
