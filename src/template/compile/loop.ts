import { runtimeFault } from '../fault.ts'
import { isEqual } from '../python/equality.ts'
import { Callable, orElse, type Py, tupleOf, Undefined } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import { type ForStatement, mentions } from '../syntax/ast.ts'
import { type Frame, TopFrame } from './frame.ts'
import { itemsToLoop } from './items.ts'
import type { Execute, Flow } from './runtime.ts'
import type { StatementCompiler } from './statement-compiler.ts'

/** The variable `loop`. */
class Loop extends Callable {
  index0 = 0
  private readonly items: readonly Py[]
  private readonly depth0: number
  private lastChanged: Py | undefined
  /** `again` runs the loop's body over other items, for `recursive`: `{{ loop(item.children) }}`. */
  constructor(items: readonly Py[], depth0: number, again: ((items: Py) => Py) | undefined) {
    super('loop', ([more = null]) => {
      if (!again) throw runtimeFault("The loop must have the 'recursive' marker to be called recursively.")
      return again(more)
    })
    this.items = items
    this.depth0 = depth0
  }
  private readonly attributes: Readonly<Record<string, () => Py>> = {
    index: () => this.index0 + 1,
    index0: () => this.index0,
    revindex: () => this.items.length - this.index0,
    revindex0: () => this.items.length - this.index0 - 1,
    first: () => this.index0 === 0,
    last: () => this.index0 === this.items.length - 1,
    length: () => this.items.length,
    depth: () => this.depth0 + 1,
    depth0: () => this.depth0,
    previtem: () => orElse(this.items[this.index0 - 1], () => new Undefined('there is no previous item')),
    nextitem: () => orElse(this.items[this.index0 + 1], () => new Undefined('there is no next item')),
    cycle: () => new Callable('cycle', args => this.cycle(args)),
    changed: () => new Callable('changed', args => this.hasChanged(tupleOf(args))),
  }
  override attribute(name: string): Py | undefined {
    return Object.hasOwn(this.attributes, name) ? this.attributes[name]!() : undefined
  }
  private cycle(args: readonly Py[]): Py {
    const item = args[this.index0 % args.length]
    if (item === undefined) throw runtimeFault('no items for cycling given')
    return item
  }
  private hasChanged(value: Py): boolean {
    if (this.lastChanged !== undefined && isEqual(this.lastChanged, value)) return false
    this.lastChanged = value
    return true
  }
}

/** `{% for %}`. The test of `if` filters the items before the loop counts them. */
export function compileFor(compiler: StatementCompiler, statement: ForStatement): Execute {
  const { expressions } = compiler
  const items = expressions.compile(statement.items)
  const assign = compiler.target(statement.target)
  const test = statement.test && expressions.compile(statement.test)
  const body = compiler.body(statement.body)
  const otherwise = compiler.body(statement.otherwise)
  // Included templates and blocks may use `loop`, too.
  const usesLoop =
    statement.isRecursive ||
    mentions(
      [statement.body, statement.otherwise],
      ({ kind, name }) =>
        (kind === 'name' && name === 'loop') || ['include', 'import', 'from', 'block'].includes(kind),
    )

  const round = (frame: Frame, item: Py): Frame => {
    const inner = frame.inner()
    assign(inner, item)
    return inner
  }
  const run = (frame: Frame, all: readonly Py[], out: Py[], depth: number): Flow => {
    const { runtime } = frame
    const chosen = test ? all.filter(item => isTrue(test(round(frame, item)))) : all
    const again = (more: Py): Py => {
      const parts: Py[] = []
      runtime.session.meter.deeper('a recursive loop', () => run(frame, itemsToLoop(more), parts, depth + 1))
      return parts.length === 0 ? '' : runtime.concat(parts)
    }
    const loop = usesLoop ? new Loop(chosen, depth, statement.isRecursive ? again : undefined) : undefined
    for (const [index, item] of chosen.entries()) {
      runtime.session.meter.step()
      const inner = round(frame, item)
      if (loop) {
        loop.index0 = index
        inner.set('loop', loop)
      }
      if (body(inner, out) === 'break') break
    }
    return chosen.length === 0 ? otherwise(frame, out) : undefined
  }
  return (frame, out) => {
    frame.runtime.line = statement.line
    const inside = frame instanceof TopFrame ? frame.inner() : frame
    return run(inside, itemsToLoop(items(frame)), out, 0)
  }
}
