import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { Registry } from '../core/module.ts'
import type { Param } from '../core/params.ts'
import { type Dict, fromValue } from '../core/value.ts'
import { engineModules } from './engine-modules.ts'
import { shapes } from './keyword-types.ts'
import { type Keyword, keywords, type Level } from './keywords.ts'
import type { Signature } from './params.ts'

type Schema = Readonly<Record<string, unknown>>

/** The JSON Schema of the keywords of one place. Further keys are left open: a task also has its module. */
function schemaOf(level: Level): Schema {
  const table = Object.entries<Keyword>(keywords[level])
  return {
    type: 'object',
    properties: Object.fromEntries(
      // A keyword without a value is as good as absent.
      table.map(([name, { shape, doc }]) => [
        name,
        { description: doc, anyOf: [{ type: 'null' }, shapes[shape].schema] },
      ]),
    ),
    required: table.filter(([, keyword]) => keyword.required).map(([name]) => name),
  }
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

const template = { type: 'string', pattern: '\\{[{%#]' }
const scalar = { type: ['string', 'number', 'boolean'] }
const types: Readonly<Record<Param['type'], Schema>> = {
  string: scalar,
  path: { type: 'string' },
  mode: { type: ['string', 'integer'] },
  int: { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^[-+]?[0-9]+$' }] },
  float: { anyOf: [{ type: 'number' }, { type: 'string', pattern: '^[-+]?[0-9.]+$' }] },
  bool: { anyOf: [{ type: 'boolean' }, { enum: ['yes', 'no', 'true', 'false', 'on', 'off'] }] },
  list: { anyOf: [scalar, { type: 'array', items: scalar }] },
  dict: { type: 'object' },
  any: {},
  secret: scalar,
  text: {},
  expression: {},
}

function schemaOfParam(param: Param): Schema {
  const type = 'choices' in param && param.choices ? { enum: param.choices } : types[param.type]
  return { description: param.doc, anyOf: [{ type: 'null' }, template, type] }
}

/** The JSON Schema of a module's options, for the editor and the docs. Each may also be a template. */
export function jsonSchema(module: Pick<Signature, 'params' | 'otherParams'>): Schema {
  const properties = Object.entries(module.params).flatMap(([name, param]) =>
    [name, ...(param.aliases ?? [])].map(written => [written, schemaOfParam(param)] as const),
  )
  const required = Object.entries(module.params)
    .filter(([, param]) => 'required' in param && param.required)
    // An option that has aliases may be given under any of its names.
    .filter(([, { aliases = [] }]) => aliases.length === 0)
    .map(([name]) => name)
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required,
    additionalProperties: module.otherParams !== undefined,
  }
}

/** The JSON Schema of playbooks, for editors: keywords, modules and their options. */
export function playbookSchema(registry: Registry): Schema {
  const modules = new Map<string, Signature>(engineModules)
  for (const name of registry.names()) modules.set(name, registry.get(name)!)
  const calls = [...modules].map(([name, module]) => [
    name,
    { anyOf: [{ type: ['string', 'null'] }, jsonSchema(module)] },
  ])
  const items = { type: 'array', items: { anyOf: [{ $ref: '#/$defs/block' }, { $ref: '#/$defs/task' }] } }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'rota playbook',
    type: 'array',
    items: { anyOf: [{ $ref: '#/$defs/play' }, { $ref: '#/$defs/import_playbook' }] },
    $defs: {
      play: closed('play', items, { rotation: { $ref: '#/$defs/rotation' } }),
      import_playbook: closed('import_playbook', items, {}),
      rotation: closed('rotation', items, {
        secrets: {
          type: 'object',
          additionalProperties: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/secret' }] },
        },
      }),
      secret: closed('secret', items, {}),
      block: closed('block', items, {}),
      task: closed('handler', items, {
        loop_control: { $ref: '#/$defs/loop_control' },
        ...Object.fromEntries(calls),
      }),
      loop_control: closed('loop_control', items, {}),
    },
  }
}

/** The schema of a place with its lists of tasks looked into, and no further keys but `with_*` and collections' modules. */
function closed(level: Level, items: Schema, more: Schema): Schema {
  const { properties, ...schema } = schemaOf(level)
  const lists = Object.entries<Keyword>(keywords[level]).filter(([, { shape }]) => shape === 'tasks')
  return {
    ...schema,
    properties: {
      ...(properties as Schema),
      ...Object.fromEntries(lists.map(([name]) => [name, { anyOf: [{ type: 'null' }, items] }])),
      ...more,
    },
    patternProperties: level === 'handler' ? { '^with_': {}, '^[a-z_]+\\.[a-z_]+\\.[a-z_]+$': {} } : {},
    additionalProperties: false,
  }
}
