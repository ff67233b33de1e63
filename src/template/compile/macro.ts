import { Fault, runtimeFault } from '../fault.ts'
import { Callable, type Named, orElse, type Py, tupleOf, Undefined } from '../python/kinds.ts'
import { quoteText } from '../python/text.ts'
import { type Body, mentions, type Parameter, type Statement } from '../syntax/ast.ts'
import type { Frame } from './frame.ts'
import type { Evaluate, Execute } from './runtime.ts'
import type { StatementCompiler } from './statement-compiler.ts'

class Macro extends Callable {
  private readonly parameters: readonly string[]
  constructor(name: string, parameters: readonly string[], call: Callable['call']) {
    super(name, call)
    this.parameters = parameters
  }
  override attribute(name: string): Py | undefined {
    if (name === 'name') return this.name
    return name === 'arguments' ? tupleOf(this.parameters) : undefined
  }
}

interface Shape {
  readonly name: string
  readonly parameters: readonly { readonly name: string; readonly fallback: Evaluate | undefined }[]
  /** The macro uses the names that Jinja2 fills only then. */
  readonly usesRest: boolean
  readonly usesNamed: boolean
  readonly usesCaller: boolean
}

/** A macro's value, made anew where its statement is reached: it sees the variables of that place. */
export function compileMacro(
  compiler: StatementCompiler,
  name: string,
  { parameters, body, line }: { parameters: readonly Parameter[]; body: Body; line: number },
): (frame: Frame) => Macro {
  if (parameters.some(parameter => parameter.name === 'caller' && !parameter.fallback))
    throw new Fault('syntax', 'the argument "caller" must be omitted or be given a default', { line })
  const uses = (wanted: string): boolean =>
    mentions(body, node => node.kind === 'name' && node.name === wanted)
  const shape: Shape = {
    name,
    parameters: parameters.map(parameter => ({
      name: parameter.name,
      fallback: parameter.fallback && compiler.expressions.compile(parameter.fallback),
    })),
    usesRest: uses('varargs'),
    usesNamed: uses('kwargs'),
    usesCaller: uses('caller'),
  }
  const run = compiler.body(body)
  const names = parameters.map(parameter => parameter.name)
  return frame =>
    new Macro(name, names, (args, named) => {
      const inner = frame.inner()
      frame.runtime.session.meter.step()
      bindMacro(shape, inner, args, named)
      return frame.runtime.session.meter.deeper(`the macro '${name}'`, () =>
        frame.runtime.capture(run, inner),
      )
    })
}

/** Sets the macro's parameters in its frame, as Jinja2 does: defaults may use the parameters before them. */
function bindMacro(shape: Shape, frame: Frame, args: readonly Py[], named: Named): void {
  const others = new Map(named)
  for (const [index, { name, fallback }] of shape.parameters.entries()) {
    const positional = args[index]
    if (positional !== undefined && others.has(name))
      throw runtimeFault(`macro ${quoteText(shape.name)} got multiple values for argument ${quoteText(name)}`)
    const given = positional === undefined ? others.get(name) : positional
    others.delete(name)
    const value = given === undefined ? fallback?.(frame) : given
    frame.set(
      name,
      orElse(value, () => new Undefined(`parameter ${quoteText(name)} was not provided`, { variable: name })),
    )
  }
  bindCaller(shape, frame, others)
  const rest = args.slice(shape.parameters.length)
  if (shape.usesRest) frame.set('varargs', tupleOf(rest))
  else if (rest.length > 0)
    throw runtimeFault(
      `macro ${quoteText(shape.name)} takes not more than ${shape.parameters.length} argument(s)`,
    )
  const [unknown] = others.keys()
  if (shape.usesNamed) frame.set('kwargs', new Map<Py, Py>(others))
  else if (unknown !== undefined)
    throw runtimeFault(`macro ${quoteText(shape.name)} takes no keyword argument ${quoteText(unknown)}`)
}
function bindCaller(shape: Shape, frame: Frame, others: Map<string, Py>): void {
  if (!shape.usesCaller || shape.parameters.some(({ name }) => name === 'caller')) return
  frame.set(
    'caller',
    orElse(others.get('caller'), () => new Undefined('No caller defined', { variable: 'caller' })),
  )
  others.delete('caller')
}

/** `{% call macro() %}body{% endcall %}`: the body is the macro `caller`. */
export function compileCallBlock(
  compiler: StatementCompiler,
  statement: Statement & { kind: 'callBlock' },
): Execute {
  const caller = compileMacro(compiler, 'caller', statement)
  const callee = compiler.expressions.compile(statement.call.of)
  const given = compiler.expressions.arguments(statement.call)
  return (frame, out) => {
    frame.runtime.line = statement.line
    const [args, named] = given(frame)
    const withCaller = new Map<string, Py>([...named, ['caller', caller(frame)]])
    out.push(frame.runtime.call(callee(frame), args, withCaller))
    return undefined
  }
}
