import { OMIT } from '../core/value.ts'
import type { Language } from './compile/language.ts'
import type { Runtime } from './compile/runtime.ts'
import { limitFault, runtimeFault } from './fault.ts'
import { nowFunction } from './filters/time.ts'
import { pairsOf } from './python/container-methods.ts'
import { dictOf, setMember } from './python/equality.ts'
import {
  Callable,
  isText,
  type Named,
  Namespace,
  type Py,
  Thing,
  toInteger,
  Undefined,
} from './python/kinds.ts'
import { isTrue } from './python/order.ts'
import { type Args, bindArguments, parseSignature } from './python/signature.ts'
import { toText } from './python/text.ts'
import { tainting } from './taint.ts'

const LONGEST_RANGE = 1_000_000

/** Python's range(), as a list. */
function range(args: readonly Py[]): Py {
  const [first, second, third] = args.map(toInteger)
  if (first === undefined) throw runtimeFault('range expected at least 1 argument, got 0')
  const [start, stop, step] = second === undefined ? [0, first, 1] : [first, second, third ?? 1]
  if (step === 0) throw runtimeFault('range() arg 3 must not be zero')
  const size = Math.max(0, Math.ceil((stop - start) / step))
  if (size > LONGEST_RANGE)
    throw limitFault(`a range of ${size} numbers is too long; the limit is ${LONGEST_RANGE}`)
  return Array.from({ length: size }, (_item, index) => start + index * step)
}
function dict(args: readonly Py[], named: Named): Py {
  const made = dictOf(args[0] === undefined ? [] : pairsOf(args[0]))
  for (const [key, value] of named) setMember(made, key, value)
  return made
}
function namespace(args: readonly Py[], named: Named): Py {
  const made = new Namespace()
  if (args[0] !== undefined) for (const [key, value] of pairsOf(args[0])) made.vars.set(toText(key), value)
  for (const [key, value] of named) made.vars.set(key, value)
  return made
}

/** Jinja2's cycler: hands out its values in turn. */
class Cycler extends Thing {
  readonly type = 'Cycler'
  private readonly items: readonly Py[]
  private index = 0
  constructor(items: readonly Py[]) {
    super()
    if (items.length === 0) throw runtimeFault('at least one item has to be provided')
    this.items = items
  }
  override attribute(name: string): Py | undefined {
    if (name === 'current') return this.items[this.index]!
    if (name === 'next') return new Callable('next', () => this.next())
    return name === 'reset' ? new Callable('reset', () => this.reset()) : undefined
  }
  private next(): Py {
    const item = this.items[this.index]!
    this.index = (this.index + 1) % this.items.length
    return item
  }
  private reset(): null {
    this.index = 0
    return null
  }
}
/** Jinja2's joiner: nothing the first time, the separator from then on. */
function joiner([separator = ', ']: readonly Py[]): Py {
  let isFirst = true
  return new Callable('joiner', () => {
    const wasFirst = isFirst
    isFirst = false
    return wasFirst ? '' : separator
  })
}
function undef(args: readonly Py[], named: Named): Py {
  const hint = args[0] ?? named.get('hint') ?? null
  return new Undefined(isText(hint) ? toText(hint) : 'Mandatory variable has not been overridden')
}

const lookupSignature = parseSignature('name, *terms, **named')
/** `lookup`, `query` and `q`: the wanted form of a lookup's results. */
function lookupFunction(runtime: Runtime, callee: string): Callable {
  return new Callable(callee, (args, named) =>
    lookUp(runtime, callee, bindArguments(callee, lookupSignature, args, named)),
  )
}
function lookUp(runtime: Runtime, callee: string, args: Args): Py {
  const named = new Map(args.named)
  const wantlist = named.get('wantlist')
  named.delete('wantlist')
  const found = runtime.session.compiler.lookup(args.text('name'), args.rest, named, runtime)
  const isList = wantlist === undefined ? callee !== 'lookup' : isTrue(wantlist)
  if (!found) return isList ? [] : null
  if (isList) return [...found]
  if (found.length === 1) return found[0]!
  return tainting('lookup', [found], ([items]) => joinResults(items as readonly Py[]))
}
/** Several texts are joined with commas, as Ansible does; anything else stays a list. */
function joinResults(items: readonly Py[]): Py {
  return items.length > 0 && items.every(isText) ? items.map(toText).join(',') : items
}

function tainted(name: string, call: (args: readonly Py[], named: Named) => Py): Callable {
  return new Callable(name, (args, named) =>
    tainting(`${name}()`, [args, named as ReadonlyMap<Py, Py>], ([plain, plainNamed]) =>
      call(plain as readonly Py[], plainNamed as Named),
    ),
  )
}

/** The names that are no variables. */
export const globals: Language['globals'] = new Map<string, (runtime: Runtime) => Py>([
  ['range', () => tainted('range', range)],
  ['dict', () => tainted('dict', dict)],
  ['namespace', () => new Callable('namespace', namespace)],
  ['cycler', () => new Callable('cycler', args => new Cycler(args))],
  ['joiner', () => new Callable('joiner', joiner)],
  ['undef', () => new Callable('undef', undef)],
  ['omit', () => OMIT],
  ['now', runtime => nowFunction(runtime.session.world.now)],
  ['lookup', runtime => lookupFunction(runtime, 'lookup')],
  ['query', runtime => lookupFunction(runtime, 'query')],
  ['q', runtime => lookupFunction(runtime, 'q')],
])
