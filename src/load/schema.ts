import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { type Dict, fromValue } from '../core/value.ts'
import { shapes } from './keyword-types.ts'
import { keywords, type Level } from './keywords.ts'

/** The JSON Schema of the keywords of one place. `more` are keys it may also have (a task's module). */
export function schemaOf(level: Level): object {
  const table = Object.entries(keywords[level])
  return {
    type: 'object',
    properties: Object.fromEntries(
      table.map(([name, { shape, doc }]) => [name, { description: doc, ...nullable(shapes[shape].schema) }]),
    ),
    required: table.filter(([, keyword]) => 'required' in keyword).map(([name]) => name),
  }
}
/** A keyword without a value is as good as absent. */
function nullable(schema: object): object {
  return { anyOf: [{ type: 'null' }, schema] }
}

const validators = new Map<Level, ValidateFunction>()

/**
 * Where a dict of keywords breaks the schema of its place: paths into it, deepest first. Compiling a schema costs more
 * than loading a whole playbook, so this is asked only about a dict in which something is known to be wrong.
 */
export function selectWrong(level: Level, dict: Dict): readonly (readonly string[])[] {
  let validate = validators.get(level)
  if (validate === undefined) {
    validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schemaOf(level))
    validators.set(level, validate)
  }
  validate(fromValue(dict))
  return (validate.errors ?? []).map(pathOf).sort((a, b) => b.length - a.length)
}

function pathOf(error: ErrorObject): string[] {
  const path = error.instancePath.split('/').slice(1)
  return path.map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}
