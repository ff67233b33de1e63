import { Fault } from '../fault.ts'
import { dictOf } from '../python/equality.ts'
import { isText, type Py } from '../python/kinds.ts'
import { toText } from '../python/text.ts'
import { type Body, type Expression, mentions } from '../syntax/ast.ts'
import { parseExpression } from '../syntax/parser.ts'

/** Whether the playbook's author wrote the bracket that a list or dict begins with, or a True or False. */
export function hasOwnLiteral(body: Body): boolean {
  return mentions(
    body,
    node => node.kind === 'data' && /^(?:[[{]|True$|False$)/.test((node as { text?: string }).text ?? ''),
  )
}

/**
 * What ansible-core before 2.19 makes of a template's text: `[{% for x in y %}'{{ x }}',{% endfor %}]` is a list, `{…}` a dict, and
 * True and False are booleans. Anything else, and what is no literal of Python or JSON, stays text.
 */
export function parseLiteral(value: Py): Py {
  if (!isText(value)) return value
  const text = toText(value)
  if (text === 'True' || text === 'False') return text === 'True'
  if (!/^[[{]/.test(text)) return value
  try {
    return literalOf(parseExpression(text))
  } catch (error) {
    if (error instanceof Fault) return value
    throw error
  }
}

/** Throws a Fault for all that is no literal. */
function literalOf(expression: Expression): Py {
  switch (expression.kind) {
    case 'const':
      return expression.value
    case 'list':
    case 'tuple':
      return expression.items.map(literalOf)
    case 'dict':
      return dictOf(expression.members.map(([key, member]) => [literalOf(key), literalOf(member)] as const))
    default:
  }
  if (expression.kind === 'name' && expression.name === 'null') return null
  if (expression.kind === 'unary' && expression.operator === '-') {
    const value = literalOf(expression.of)
    if (typeof value === 'number') return -value
  }
  throw new Fault('syntax', 'this is no literal')
}
