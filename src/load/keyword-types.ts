import { Float, isDict, Template, type Value } from '../core/value.ts'

/** What a keyword takes, besides a template that renders to it. */
export interface KeywordShape {
  /** For people: "become must be …". */
  readonly say: string
  /** A value to type instead. */
  readonly example: string
  readonly accepts: (value: Value) => boolean
  /** The same as JSON Schema, for the editor and for messages; a test holds the two together. */
  readonly schema: object
}

const truths = /^(?:yes|no|true|false|on|off|y|n|t|f|1|0|1\.0|0\.0)$/i
const template = { type: 'string', pattern: '\\{[{%#]' }
const orTemplate = (...schemas: readonly object[]): object => ({ anyOf: [template, ...schemas] })
const isTemplate = (value: Value): boolean => value instanceof Template
const isText = (value: Value): boolean => typeof value === 'string' || isTemplate(value)
const isNumber = (value: Value): boolean =>
  (typeof value === 'number' && Number.isFinite(value)) || value instanceof Float
const isScalarText = (value: Value): boolean => isText(value) || isNumber(value) || typeof value === 'boolean'
const isListOf = (value: Value, accepts: (item: Value) => boolean): boolean =>
  Array.isArray(value) && (value as readonly Value[]).every(accepts)
const scalarText = { type: ['string', 'number', 'boolean'] }
const integer = /^[-+]?[0-9]+$/
const isSize = (value: Value): boolean =>
  isTemplate(value) ||
  (typeof value === 'number' && Number.isInteger(value) && value > 0) ||
  (typeof value === 'string' && /^[0-9]+%?$/.test(value))
const size = orTemplate({ type: 'integer', exclusiveMinimum: 0 }, { type: 'string', pattern: '^[0-9]+%?$' })

/** Every kind of value a keyword can take. */
export const shapes = {
  text: { say: 'text', example: 'a few words', accepts: isScalarText, schema: scalarText },
  bool: {
    say: 'true or false',
    example: 'true',
    accepts: value =>
      typeof value === 'boolean' ||
      isTemplate(value) ||
      value === 0 ||
      value === 1 ||
      (typeof value === 'string' && truths.test(value)),
    schema: orTemplate(
      { type: 'boolean' },
      { enum: [0, 1] },
      {
        type: 'string',
        pattern:
          '^(?:[yY][eE][sS]|[nN][oO]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[oO][nN]|[oO][fF][fF]|[yYnNtTfF]|[10](?:\\.0)?)$',
      },
    ),
  },
  given: {
    say: 'true, false or optional',
    example: 'optional',
    accepts: value => typeof value === 'boolean' || value === 'optional',
    schema: { enum: [true, false, 'optional'] },
  },
  int: {
    say: 'a whole number',
    example: '3',
    accepts: value =>
      (typeof value === 'number' && Number.isInteger(value)) ||
      isTemplate(value) ||
      (typeof value === 'string' && integer.test(value)),
    schema: orTemplate({ type: 'integer' }, { type: 'string', pattern: '^[-+]?[0-9]+$' }),
  },
  number: {
    say: 'a number',
    example: '1.5',
    accepts: value =>
      isNumber(value) || isTemplate(value) || (typeof value === 'string' && /^[0-9.]+%?$/.test(value)),
    schema: orTemplate({ type: 'number' }, { type: 'string', pattern: '^[0-9.]+%?$' }),
  },
  /** One text or a list of them; `tags: a, b` is split at commas. */
  words: {
    say: 'text or a list of texts',
    example: '[a, b]',
    accepts: value => isScalarText(value) || isListOf(value, isScalarText),
    schema: { anyOf: [scalarText, { type: 'array', items: scalarText }] },
  },
  names: {
    say: 'text or a list of texts',
    example: '[a, b]',
    accepts: value => isScalarText(value) || isListOf(value, isScalarText),
    schema: { anyOf: [scalarText, { type: 'array', items: scalarText }] },
  },
  /** A host pattern; it may hold commas that split nothing. */
  pattern: {
    say: 'a host pattern or a list of them',
    example: 'web:!old',
    accepts: value => isText(value) || isListOf(value, isText),
    schema: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
  },
  /** A list of file names, each of which may be a list of alternatives. */
  files: {
    say: 'a file name or a list of file names',
    example: '[vars/main.yml]',
    accepts: value => isText(value) || isListOf(value, item => isText(item) || isListOf(item, isText)),
    schema: {
      anyOf: [
        { type: 'string' },
        {
          type: 'array',
          items: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
        },
      ],
    },
  },
  sizes: {
    say: 'a number of hosts, a percentage, or a list of these',
    example: '[1, 25%, 100%]',
    accepts: value => isSize(value) || isListOf(value, isSize),
    schema: { anyOf: [size, { type: 'array', items: size }] },
  },
  dict: {
    say: 'a mapping of names to values',
    example: '{ name: value }',
    accepts: isDict,
    schema: { type: 'object' },
  },
  /** Options of a module. */
  options: {
    say: 'a mapping of options to values',
    example: '{ option: value }',
    accepts: value => isTemplate(value) || isDict(value),
    schema: orTemplate({ type: 'object' }),
  },
  /** Variables: a mapping, or the older list of mappings. */
  vars: {
    say: 'a mapping of names to values',
    example: '{ name: value }',
    accepts: value => isDict(value) || isListOf(value, isDict),
    schema: { anyOf: [{ type: 'object' }, { type: 'array', items: { type: 'object' } }] },
  },
  dicts: {
    say: 'a mapping, or a list of mappings',
    example: '{ NAME: value }',
    accepts: value =>
      isTemplate(value) || isDict(value) || isListOf(value, item => isDict(item) || isTemplate(item)),
    schema: orTemplate({ type: 'object' }, { type: 'array', items: orTemplate({ type: 'object' }) }),
  },
  list: {
    say: 'a list',
    example: '[a, b]',
    accepts: value => Array.isArray(value) || isTemplate(value),
    schema: orTemplate({ type: 'array' }),
  },
  prompts: {
    say: 'a list of mappings',
    example: '[{ name: version }]',
    accepts: value => isListOf(value, isDict),
    schema: { type: 'array', items: { type: 'object' } },
  },
  roles: {
    say: 'a list of role names or mappings',
    example: '[common, { role: web }]',
    accepts: value => isListOf(value, item => isText(item) || isDict(item)),
    schema: { type: 'array', items: { type: ['string', 'object'] } },
  },
  /** Bare expressions: `when`, `until`, `changed_when`, `failed_when`. */
  conditions: {
    say: 'an expression, or a list of expressions',
    example: 'result.rc == 0',
    accepts: value => isScalarText(value) || isListOf(value, isScalarText),
    schema: { anyOf: [scalarText, { type: 'array', items: scalarText }] },
  },
  tasks: {
    say: 'a list of tasks',
    example: '[{ command: uptime }]',
    accepts: value => isListOf(value, isDict),
    schema: { type: 'array', items: { type: 'object' } },
  },
  any: { say: 'a value', example: 'text', accepts: () => true, schema: {} },
} as const satisfies Record<string, KeywordShape>
export type ShapeName = keyof typeof shapes
