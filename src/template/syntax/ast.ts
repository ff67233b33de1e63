import type { Py } from '../python/kinds.ts'

/** An expression. `line` counts from 1 within the template. */
export type Expression =
  | { readonly kind: 'const'; readonly line: number; readonly value: Py }
  | { readonly kind: 'name'; readonly line: number; readonly name: string }
  | { readonly kind: 'attribute'; readonly line: number; readonly of: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly line: number; readonly of: Expression; readonly key: Expression }
  | {
      readonly kind: 'slice'
      readonly line: number
      readonly of: Expression
      readonly bounds: readonly (Expression | undefined)[]
    }
  | ({ readonly kind: 'call'; readonly line: number; readonly of: Expression } & Arguments)
  | FilterExpression
  | ({
      readonly kind: 'test'
      readonly line: number
      readonly of: Expression
      readonly name: string
    } & Arguments)
  | {
      readonly kind: 'and' | 'or'
      readonly line: number
      readonly left: Expression
      readonly right: Expression
    }
  | {
      readonly kind: 'unary'
      readonly line: number
      readonly operator: 'not' | '-' | '+'
      readonly of: Expression
    }
  | {
      readonly kind: 'binary'
      readonly line: number
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'concat'; readonly line: number; readonly parts: readonly Expression[] }
  | {
      readonly kind: 'compare'
      readonly line: number
      readonly first: Expression
      readonly rest: readonly { readonly operator: string; readonly operand: Expression }[]
    }
  | {
      readonly kind: 'conditional'
      readonly line: number
      readonly test: Expression
      readonly then: Expression
      readonly otherwise: Expression | undefined
    }
  | { readonly kind: 'list' | 'tuple'; readonly line: number; readonly items: readonly Expression[] }
  | {
      readonly kind: 'dict'
      readonly line: number
      readonly members: readonly (readonly [Expression, Expression])[]
    }

export interface Arguments {
  readonly args: readonly Expression[]
  readonly named: readonly (readonly [string, Expression])[]
  /** `*list` and `**dict`. */
  readonly restArgs?: Expression | undefined
  readonly restNamed?: Expression | undefined
}

/** `of` is undefined for the innermost filter of `{% filter %}` and `{% set x | f %}`: the body goes there. */
export type FilterExpression = {
  readonly kind: 'filter'
  readonly line: number
  readonly of: Expression | undefined
  readonly name: string
} & Arguments

/** What can stand left of `=` or of `in`. */
export type AssignTarget =
  | { readonly kind: 'name'; readonly line: number; readonly name: string }
  | { readonly kind: 'tuple'; readonly line: number; readonly items: readonly AssignTarget[] }
  | { readonly kind: 'namespace'; readonly line: number; readonly name: string; readonly attribute: string }

export interface Parameter {
  readonly name: string
  readonly fallback: Expression | undefined
}

export type Body = readonly Statement[]
export type Statement =
  | { readonly kind: 'data'; readonly line: number; readonly text: string }
  | { readonly kind: 'output'; readonly line: number; readonly value: Expression }
  | {
      readonly kind: 'if'
      readonly line: number
      readonly arms: readonly { readonly test: Expression; readonly body: Body }[]
      readonly otherwise: Body
    }
  | ForStatement
  | { readonly kind: 'set'; readonly line: number; readonly target: AssignTarget; readonly value: Expression }
  | {
      readonly kind: 'setBlock'
      readonly line: number
      readonly target: AssignTarget
      readonly filters: FilterExpression | undefined
      readonly body: Body
    }
  | MacroStatement
  | {
      readonly kind: 'callBlock'
      readonly line: number
      readonly parameters: readonly Parameter[]
      readonly call: Expression & { readonly kind: 'call' }
      readonly body: Body
    }
  | {
      readonly kind: 'filterBlock'
      readonly line: number
      readonly filters: FilterExpression
      readonly body: Body
    }
  | {
      readonly kind: 'with'
      readonly line: number
      readonly assigns: readonly { readonly target: AssignTarget; readonly value: Expression }[]
      readonly body: Body
    }
  | { readonly kind: 'autoescape'; readonly line: number; readonly value: Expression; readonly body: Body }
  | { readonly kind: 'do'; readonly line: number; readonly value: Expression }
  | { readonly kind: 'break' | 'continue'; readonly line: number }
  | { readonly kind: 'extends'; readonly line: number; readonly template: Expression }
  | BlockStatement
  | {
      readonly kind: 'include'
      readonly line: number
      readonly template: Expression
      readonly ignoreMissing: boolean
      readonly withContext: boolean
    }
  | {
      readonly kind: 'import'
      readonly line: number
      readonly template: Expression
      readonly name: string
      readonly withContext: boolean
    }
  | {
      readonly kind: 'from'
      readonly line: number
      readonly template: Expression
      readonly names: readonly { readonly name: string; readonly as: string }[]
      readonly withContext: boolean
    }

export interface ForStatement {
  readonly kind: 'for'
  readonly line: number
  readonly target: AssignTarget
  readonly items: Expression
  readonly test: Expression | undefined
  readonly isRecursive: boolean
  readonly body: Body
  readonly otherwise: Body
}
export interface MacroStatement {
  readonly kind: 'macro'
  readonly line: number
  readonly name: string
  readonly parameters: readonly Parameter[]
  readonly body: Body
}
export interface BlockStatement {
  readonly kind: 'block'
  readonly line: number
  readonly name: string
  readonly isScoped: boolean
  readonly isRequired: boolean
  readonly body: Body
}

export interface TemplateAst {
  readonly body: Body
  readonly blocks: ReadonlyMap<string, BlockStatement>
}

/** True when some node of the syntax tree is wanted. */
export function mentions(tree: unknown, wanted: (node: { kind: string; name?: string }) => boolean): boolean {
  if (Array.isArray(tree)) return tree.some(branch => mentions(branch, wanted))
  if (typeof tree !== 'object' || tree === null || Object.getPrototypeOf(tree) !== Object.prototype)
    return false
  if ('kind' in tree && wanted(tree as { kind: string; name?: string })) return true
  return Object.values(tree).some(branch => mentions(branch, wanted))
}
