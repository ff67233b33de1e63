import { Secret, SecretTouched } from '../../core/secret.ts'
import type { Source } from '../../core/source.ts'
import { Fault, runtimeFault } from '../fault.ts'
import type { Py } from '../python/kinds.ts'
import { parseTemplate } from '../syntax/parser.ts'
import type { SyntaxOptions } from '../syntax/rules.ts'
import { tainting } from '../taint.ts'
import { Frame, TopFrame } from './frame.ts'
import { selfOf } from './inheritance.ts'
import type { Language } from './language.ts'
import { hasOwnLiteral, parseLiteral } from './literal.ts'
import { type Execute, Runtime } from './runtime.ts'
import type { Session } from './session.ts'
import { StatementCompiler } from './statement-compiler.ts'

/** A template as closures: no state of a rendering is in it, so all hosts share it. */
export class CompiledTemplate {
  /** Where its first line stands, when it is a file; a playbook's value is compiled once for all places it stands at. */
  readonly origin: Source | undefined
  private readonly root: Execute
  private readonly blocks: ReadonlyMap<string, Execute>
  private readonly required: readonly string[]
  private readonly hasLiteral: boolean
  /** How many newlines the text ended with, if a result that lacks them gets them back. */
  private readonly newlines: number

  constructor(text: string, syntax: SyntaxOptions, language: Language, file?: string) {
    this.origin = file === undefined ? undefined : { file, line: 1, col: 1 }
    this.newlines = syntax.keepTrailingNewline === 'restore' ? /\n*$/.exec(text)![0].length : 0
    const ast = parseTemplate(text, syntax)
    const compiler = new StatementCompiler(language)
    this.root = compiler.body(ast.body)
    this.hasLiteral = hasOwnLiteral(ast.body)
    this.blocks = new Map([...ast.blocks].map(([name, block]) => [name, compiler.body(block.body)]))
    this.required = [...ast.blocks.values()].filter(block => block.isRequired).map(block => block.name)
  }

  runtime(
    session: Session,
    origin: Source | undefined,
    variables: (name: string) => Py | undefined,
  ): Runtime {
    const runtime = new Runtime(session, origin, variables)
    for (const [name, block] of this.blocks) runtime.blocks.set(name, [block])
    runtime.self = selfOf(runtime)
    return runtime
  }

  /** Renders this template and those it extends, outermost last. */
  renderInto(runtime: Runtime, out: Py[]): void {
    try {
      this.renderChain(runtime, out)
    } catch (error) {
      throw runtime.locate(error)
    }
  }
  private renderChain(runtime: Runtime, out: Py[]): void {
    const seen = new Set<CompiledTemplate>()
    const frame = new Frame(runtime, undefined)
    let template: CompiledTemplate = this
    for (;;) {
      seen.add(template)
      runtime.parent = undefined
      const parts: Py[] = []
      template.root(new TopFrame(runtime, frame), parts)
      const parent = runtime.parent as CompiledTemplate | undefined
      for (const part of parent ? parts.slice(0, runtime.keptParts) : parts) out.push(part)
      if (!parent) break
      if (seen.has(parent)) throw new Fault('runtime', 'a template extends itself')
      for (const [name, block] of parent.blocks) {
        const layers = runtime.blocks.get(name)
        if (layers) layers.push(block)
        else runtime.blocks.set(name, [block])
      }
      template = parent
    }
    for (const name of template.required)
      if (runtime.blocks.get(name)?.length === 1) throw runtimeFault(`Required block '${name}' not found`)
  }

  /**
   * One part keeps its type, several are text; text that is a list or dict in brackets of the author's becomes one, unless `keepsText`.
   * Nothing is an empty text, as in ansible-core before 2.19. `origin` is the place of the template's first line.
   */
  renderNative(session: Session, origin: Source, keepsText = false): Py {
    const value = this.render(session, origin, (runtime, parts) => runtime.concat(parts)) ?? ''
    return this.hasLiteral && !keepsText ? parseLiteral(value) : value
  }
  /** `extra` gives names that stand before the variables. */
  renderText(session: Session, origin: Source, extra?: (name: string) => Py | undefined): Py {
    return this.render(session, origin, (runtime, parts) => runtime.concatText(parts), extra)
  }
  private render(
    session: Session,
    origin: Source,
    concat: (runtime: Runtime, parts: readonly Py[]) => Py,
    extra: (name: string) => Py | undefined = () => undefined,
  ): Py {
    const runtime = this.runtime(session, origin, name => {
      const value = extra(name)
      return value === undefined ? session.variable(name) : value
    })
    const parts: Py[] = []
    this.renderInto(runtime, parts)
    try {
      return this.restoreNewlines(concat(runtime, parts))
    } catch (error) {
      throw runtime.locate(error)
    }
  }
  private restoreNewlines(result: Py): Py {
    if (this.newlines === 0) return result
    return tainting('the text of a template', [result], ([plain]) => {
      if (plain instanceof Secret) throw new SecretTouched(plain.label)
      if (typeof plain !== 'string') return plain
      return plain + '\n'.repeat(Math.max(0, this.newlines - /\n*$/.exec(plain)![0].length))
    })
  }
}
