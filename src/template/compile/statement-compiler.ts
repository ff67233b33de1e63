import { runtimeFault } from '../fault.ts'
import { Namespace, type Py } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import type { AssignTarget, Body, Statement } from '../syntax/ast.ts'
import { ExpressionCompiler } from './expression-compiler.ts'
import type { Frame } from './frame.ts'
import { compileBlock, compileExtends, compileFrom, compileImport, compileInclude } from './inheritance.ts'
import { itemsToLoop } from './items.ts'
import type { Language } from './language.ts'
import { compileFor } from './loop.ts'
import { compileCallBlock, compileMacro } from './macro.ts'
import type { Execute } from './runtime.ts'

export type Assign = (frame: Frame, value: Py) => void

/** Turns statements into closures. What takes more than a few lines has its own file. */
export class StatementCompiler {
  readonly expressions: ExpressionCompiler
  constructor(language: Language) {
    this.expressions = new ExpressionCompiler(language)
  }

  body(statements: Body): Execute {
    const parts = statements.map(statement => this.statement(statement))
    if (parts.length === 1) return parts[0]!
    return (frame, out) => {
      for (const part of parts) {
        const flow = part(frame, out)
        if (flow) return flow
      }
      return undefined
    }
  }

  private statement(statement: Statement): Execute {
    switch (statement.kind) {
      case 'data': {
        const { text } = statement
        return (_frame, out) => {
          out.push(text)
          return undefined
        }
      }
      case 'output':
        return this.output(statement)
      case 'if':
        return this.if(statement)
      case 'for':
        return compileFor(this, statement)
      case 'set':
      case 'setBlock':
      case 'with':
        return this.assignment(statement)
      case 'macro': {
        const macro = compileMacro(this, statement.name, statement)
        return frame => {
          frame.set(statement.name, macro(frame))
          return undefined
        }
      }
      case 'callBlock':
        return compileCallBlock(this, statement)
      case 'filterBlock':
        return this.filterBlock(statement)
      case 'autoescape':
        return this.autoescape(statement)
      case 'do': {
        const value = this.expressions.compile(statement.value)
        return frame => {
          frame.runtime.line = statement.line
          value(frame)
          return undefined
        }
      }
      case 'break':
      case 'continue':
        return () => statement.kind
      case 'extends':
      case 'block':
      case 'include':
      case 'import':
      case 'from':
        return this.inheritance(statement)
    }
  }
  private inheritance(
    statement: Extract<Statement, { kind: 'extends' | 'block' | 'include' | 'import' | 'from' }>,
  ): Execute {
    switch (statement.kind) {
      case 'extends':
        return compileExtends(this, statement)
      case 'block':
        return compileBlock(statement)
      case 'include':
        return compileInclude(this, statement)
      case 'import':
        return compileImport(this, statement)
      case 'from':
        return compileFrom(this, statement)
    }
  }

  private output(statement: Statement & { kind: 'output' }): Execute {
    const value = this.expressions.compile(statement.value)
    return (frame, out) => {
      frame.runtime.line = statement.line
      out.push(frame.runtime.output(value(frame)))
      return undefined
    }
  }
  private if(statement: Statement & { kind: 'if' }): Execute {
    return this.expressions.conditionally(() => {
      const arms = statement.arms.map(({ test, body }) => ({
        test: this.expressions.compile(test),
        body: this.body(body),
      }))
      const otherwise = this.body(statement.otherwise)
      return (frame, out) => {
        frame.runtime.line = statement.line
        for (const { test, body } of arms) if (isTrue(test(frame))) return body(frame, out)
        return otherwise(frame, out)
      }
    })
  }
  private assignment(statement: Statement & { kind: 'set' | 'setBlock' | 'with' }): Execute {
    if (statement.kind === 'with') return this.with(statement)
    const assign = this.target(statement.target)
    if (statement.kind === 'set') {
      const value = this.expressions.compile(statement.value)
      return frame => {
        frame.runtime.line = statement.line
        assign(frame, value(frame))
        return undefined
      }
    }
    const body = this.body(statement.body)
    const filter = this.expressions.filterChain(statement.filters)
    return frame => {
      assign(frame, filter(frame, frame.runtime.capture(body, frame.inner())))
      return undefined
    }
  }
  private with(statement: Statement & { kind: 'with' }): Execute {
    const assigns = statement.assigns.map(({ target, value }) => ({
      assign: this.target(target),
      value: this.expressions.compile(value),
    }))
    const body = this.body(statement.body)
    return (frame, out) => {
      const inner = frame.inner()
      const values = assigns.map(({ value }) => value(frame))
      assigns.forEach(({ assign }, index) => {
        assign(inner, values[index]!)
      })
      return body(inner, out)
    }
  }
  private filterBlock(statement: Statement & { kind: 'filterBlock' }): Execute {
    const body = this.body(statement.body)
    const filter = this.expressions.filterChain(statement.filters)
    return (frame, out) => {
      out.push(filter(frame, frame.runtime.capture(body, frame.inner())))
      return undefined
    }
  }
  private autoescape(statement: Statement & { kind: 'autoescape' }): Execute {
    const value = this.expressions.compile(statement.value)
    const body = this.body(statement.body)
    return (frame, out) => {
      const { runtime } = frame
      const before = runtime.isEscaping
      runtime.isEscaping = isTrue(value(frame))
      try {
        return body(frame.inner(), out)
      } finally {
        runtime.isEscaping = before
      }
    }
  }

  /** How a value gets into the name, the names or the namespace left of `=`. */
  target(target: AssignTarget): Assign {
    switch (target.kind) {
      case 'name':
        return (frame, value) => frame.set(target.name, value)
      case 'namespace':
        return (frame, value) => {
          const namespace = frame.get(target.name)
          if (!(namespace instanceof Namespace))
            throw runtimeFault(
              `cannot assign attribute on '${target.name}', which is no namespace; make it with namespace()`,
            )
          namespace.vars.set(target.attribute, value)
        }
      case 'tuple': {
        const targets = target.items.map(item => this.target(item))
        return (frame, value) => {
          const items = unpack(value, targets.length)
          targets.forEach((assign, index) => {
            assign(frame, items[index]!)
          })
        }
      }
    }
  }
}
function unpack(value: Py, count: number): readonly Py[] {
  const items = itemsToLoop(value)
  if (items.length === count) return items
  const problem = items.length < count ? 'not enough' : 'too many'
  throw runtimeFault(`${problem} values to unpack (expected ${count}, got ${items.length})`)
}
