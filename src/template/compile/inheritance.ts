import { Fault, runtimeFault } from '../fault.ts'
import { Callable, isList, orElse, type Py, Thing, Undefined } from '../python/kinds.ts'
import { toText } from '../python/text.ts'
import type { BlockStatement, Statement } from '../syntax/ast.ts'
import type { CompiledTemplate } from './compiled-template.ts'
import { Frame } from './frame.ts'
import { loadTemplate } from './loader.ts'
import type { Execute, Runtime } from './runtime.ts'
import type { StatementCompiler } from './statement-compiler.ts'

/** The value `self`: the template's blocks as functions. */
class Self extends Thing {
  readonly type = 'TemplateReference'
  private readonly block: (name: string) => Py | undefined
  constructor(block: (name: string) => Py | undefined) {
    super()
    this.block = block
  }
  override attribute(name: string): Py | undefined {
    return this.block(name)
  }
}

/** An imported template: what it set and defined at top level. Names with an underscore stay its own. */
class Module extends Thing {
  readonly type = 'TemplateModule'
  readonly file: string
  private readonly body: Py
  private readonly vars: ReadonlyMap<string, Py>
  constructor(file: string, vars: ReadonlyMap<string, Py>, body: Py) {
    super()
    this.file = file
    this.vars = new Map([...vars].filter(([name]) => !name.startsWith('_')))
    this.body = body
  }
  override attribute(name: string): Py | undefined {
    return this.vars.get(name)
  }
  override text(): string {
    return this.body === null ? '' : toText(this.body)
  }
}

function captured(runtime: Runtime, frame: Frame, name: string, level: number): Py {
  return runtime.capture((inner, out) => {
    runBlock(inner, name, level, out)
    return undefined
  }, frame)
}
export function selfOf(runtime: Runtime): Self {
  return new Self(name =>
    runtime.blocks.has(name)
      ? new Callable(name, () => captured(runtime, new Frame(runtime, undefined), name, 0))
      : undefined,
  )
}

/** Runs a block of the innermost template that has it (level 0), or of one it extends. */
function runBlock(frame: Frame, name: string, level: number, out: Py[]): void {
  const { runtime } = frame
  const layers = runtime.blocks.get(name) ?? []
  const execute = layers[level]
  if (!execute) throw runtimeFault(`there is no block '${name}'`)
  const inner = frame.inner()
  const hasSuper = layers.length > level + 1
  inner.set(
    'super',
    hasSuper
      ? new Callable('super', () => captured(runtime, frame, name, level + 1))
      : new Undefined(`there is no parent block called '${name}'.`, { variable: 'super' }),
  )
  inner.set('self', selfOf(runtime))
  runtime.session.meter.deeper(`the block '${name}'`, () => execute(inner, out))
}

export function compileBlock(statement: BlockStatement): Execute {
  const { name, isScoped, line } = statement
  return (frame, out) => {
    const { runtime } = frame
    if (runtime.parent) return undefined
    runtime.line = line
    runBlock(isScoped ? frame : new Frame(runtime, undefined), name, 0, out)
    return undefined
  }
}

export function compileExtends(
  compiler: StatementCompiler,
  statement: Statement & { kind: 'extends' },
): Execute {
  const name = compiler.expressions.compile(statement.template)
  return (frame, out) => {
    const { runtime } = frame
    runtime.line = statement.line
    if (runtime.parent) throw runtimeFault('extended multiple times')
    runtime.keptParts = out.length
    runtime.parent = loadTemplate(runtime, name(frame))
    return undefined
  }
}

/** The variables an included or imported template sees: all of this place, or only what the language has. */
function contextOf(frame: Frame, withContext: boolean): (name: string) => Py | undefined {
  if (!withContext) return () => undefined
  return name => {
    const value = frame.get(name)
    return value instanceof Undefined && value.variable === name ? undefined : value
  }
}
function runtimeFor(template: CompiledTemplate, frame: Frame, withContext: boolean): Runtime {
  return template.runtime(frame.runtime.session, template.origin, contextOf(frame, withContext))
}

export function compileInclude(
  compiler: StatementCompiler,
  statement: Statement & { kind: 'include' },
): Execute {
  const name = compiler.expressions.compile(statement.template)
  return (frame, out) => {
    frame.runtime.line = statement.line
    const template = firstTemplate(frame.runtime, name(frame), statement.ignoreMissing)
    if (!template) return undefined
    const runtime = runtimeFor(template, frame, statement.withContext)
    frame.runtime.session.meter.deeper('include', () => {
      template.renderInto(runtime, out)
    })
    return undefined
  }
}
function firstTemplate(runtime: Runtime, names: Py, ignoreMissing: boolean): CompiledTemplate | undefined {
  let missing: unknown
  for (const name of isList(names) ? names : [names]) {
    try {
      return loadTemplate(runtime, name)
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'notFound') throw error
      missing = error
    }
  }
  if (ignoreMissing) return undefined
  throw missing ?? runtimeFault('include needs at least one name')
}

function importer(
  compiler: StatementCompiler,
  statement: Statement & { kind: 'import' | 'from' },
): (frame: Frame) => Module {
  const name = compiler.expressions.compile(statement.template)
  return frame => {
    frame.runtime.line = statement.line
    const template = loadTemplate(frame.runtime, name(frame))
    const runtime = runtimeFor(template, frame, statement.withContext)
    const out: Py[] = []
    frame.runtime.session.meter.deeper('import', () => {
      template.renderInto(runtime, out)
    })
    return new Module(template.origin?.file ?? '', runtime.exported, runtime.concat(out))
  }
}
export function compileImport(
  compiler: StatementCompiler,
  statement: Statement & { kind: 'import' },
): Execute {
  const load = importer(compiler, statement)
  return frame => {
    frame.set(statement.name, load(frame))
    return undefined
  }
}
export function compileFrom(compiler: StatementCompiler, statement: Statement & { kind: 'from' }): Execute {
  const load = importer(compiler, statement)
  return frame => {
    const module = load(frame)
    for (const { name, as } of statement.names)
      frame.set(
        as,
        orElse(
          module.attribute(name),
          () =>
            new Undefined(`the template '${module.file}' does not export the requested name '${name}'`, {
              variable: name,
            }),
        ),
      )
    return undefined
  }
}
