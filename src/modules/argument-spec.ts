import { parseTruth, truthWords } from '../core/ansible-text.ts'
import { Secret } from '../core/secret.ts'
import { type Dict, Float, isDict, type Value } from '../core/value.ts'

const typeNames: Readonly<Record<string, string>> = {
  int: 'an int',
  bytes: 'a Byte value',
  bits: 'a Bit value',
}

function kindOf(value: Value): string {
  if (value === null) return 'NoneType'
  if (Array.isArray(value)) return 'list'
  if (isDict(value)) return 'dict'
  if (value instanceof Float) return 'float'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  return 'str'
}

/** Whether a value is of that type, or can be made one as Ansible makes it. */
function isOfType(value: Value, type: string): boolean {
  const kind = kindOf(value)
  const text = typeof value === 'string' ? value.trim() : undefined
  switch (type) {
    case 'raw':
      return true
    case 'str':
    case 'path':
    case 'json':
    case 'jsonarg':
      return value !== null
    case 'int':
      return kind === 'int' || kind === 'bool' || (text !== undefined && /^[-+]?\d+$/.test(text))
    case 'float':
      return (
        kind === 'int' ||
        kind === 'float' ||
        (text !== undefined && text !== '' && !Number.isNaN(Number(text)))
      )
    case 'bool':
      return (
        kind === 'bool' ||
        value === 0 ||
        value === 1 ||
        (text !== undefined && parseTruth(text) !== undefined)
      )
    case 'bytes':
    case 'bits':
      return (
        kind === 'int' ||
        kind === 'float' ||
        (text !== undefined && /^\d+(\.\d+)?\s*[KMGTPEZY]?b?$/i.test(text))
      )
    case 'list':
      return kind !== 'dict' && kind !== 'NoneType'
    case 'dict':
      return kind === 'dict' || (text !== undefined && (/^\{.*\}$/s.test(text) || text.includes('=')))
    default:
      return kind === type
  }
}

const textOf = (value: Value | undefined): string => (value instanceof Secret ? '(secret)' : String(value))
const listOf = (value: Value | undefined): readonly Value[] => (Array.isArray(value) ? value : [])
const isTrue = (value: Value | undefined): boolean => value === true

/**
 * What is wrong with arguments by an argument spec of Ansible: required, unknown, type, elements, choices, and the same of `options`
 * inside. In the words of ansible-core. `where`: the options that these are inside of.
 */
export function findArgumentErrors(
  spec: Dict,
  given: Dict,
  where: readonly string[] = [],
): readonly string[] {
  const inside = where.length === 0 ? '' : ` found in ${where.join(' -> ')}`
  const named = namesOf(spec)
  const unknown = [...given.keys()].map(String).filter(name => !named.has(name))
  const supported = [...spec.keys()].map(String).sort().join(', ')
  const missing = [...spec]
    .filter(
      ([name, rule]) => isDict(rule) && isTrue(rule.get('required')) && !isGiven(given, String(name), rule),
    )
    .map(([name]) => String(name))
    .sort()
  return [
    ...(missing.length > 0 ? [`missing required arguments: ${missing.join(', ')}${inside}`] : []),
    ...[...spec].flatMap(([name, rule]) =>
      isDict(rule) ? errorsOf(String(name), rule, givenValue(given, String(name), rule), where) : [],
    ),
    ...(unknown.length > 0
      ? [`${[...where, ...unknown.sort()].join('.')}. Supported parameters include: ${supported}.`]
      : []),
  ]
}

function namesOf(spec: Dict): ReadonlySet<string> {
  return new Set([...spec].flatMap(([name, rule]) => [String(name), ...aliasesOf(rule)]))
}
const aliasesOf = (rule: Value): readonly string[] =>
  isDict(rule) ? listOf(rule.get('aliases')).map(textOf) : []

function givenValue(given: Dict, name: string, rule: Value): Value | undefined {
  const key = [name, ...aliasesOf(rule)].find(one => given.has(one))
  return key === undefined ? undefined : given.get(key)
}
const isGiven = (given: Dict, name: string, rule: Value): boolean =>
  (givenValue(given, name, rule) ?? null) !== null

function errorsOf(
  name: string,
  rule: Dict,
  value: Value | undefined,
  where: readonly string[],
): readonly string[] {
  if (value === undefined || value === null) return []
  const type = textOf(rule.get('type') ?? 'str')
  if (!isOfType(value, type)) {
    const inside = where.length > 0 ? ` found in '${where.join(' -> ')}'.` : ''
    return [
      `argument '${name}' is of type <class '${kindOf(value)}'>${inside} and we were unable to convert to ${type}: ${renderWhy(value, type)}`,
      ...(isDict(rule.get('options') ?? null) && typeof value === 'string'
        ? [`value of '${name}' must be of type dict or list of dicts`, NO_DICT]
        : []),
    ]
  }
  return [
    ...choiceErrors(name, rule, value),
    ...elementErrors(name, rule, value),
    ...optionErrors(name, rule, value, where),
  ]
}

const NO_DICT = 'dictionary requested, could not parse JSON or key=value'

function renderWhy(value: Value, type: string): string {
  if (type === 'dict' && typeof value === 'string') return NO_DICT
  if (type === 'bool' && typeof value === 'string')
    return `The value '${value}' is not a valid boolean.  Valid booleans include: ${truthWords.join(', ')}`
  return `<class '${kindOf(value)}'> cannot be converted to ${typeNames[type] ?? `a ${type}`}`
}

function choiceErrors(name: string, rule: Dict, value: Value): readonly string[] {
  const choices = listOf(rule.get('choices')).map(textOf)
  if (choices.length === 0) return []
  const isList = rule.get('type') === 'list' && Array.isArray(value)
  const wrong = (isList ? (value as readonly Value[]) : [value])
    .map(textOf)
    .filter(one => !choices.includes(one))
  if (wrong.length === 0) return []
  return [
    `value of ${name} must be one ${isList ? 'or more of' : 'of'}: ${choices.join(', ')}, got${isList ? ' no match for' : ''}: ${wrong.join(', ')}`,
  ]
}

function elementErrors(name: string, rule: Dict, value: Value): readonly string[] {
  const elements = rule.get('elements')
  if (typeof elements !== 'string' || !Array.isArray(value)) return []
  return (value as readonly Value[])
    .filter(one => !isOfType(one, elements))
    .map(
      one =>
        `Elements value for option '${name}' is of type <class '${kindOf(one)}'> and we were unable to convert to ${elements}: ${renderWhy(one, elements)}`,
    )
}

function optionErrors(name: string, rule: Dict, value: Value, where: readonly string[]): readonly string[] {
  const options = rule.get('options') ?? null
  if (!isDict(options)) return []
  const dicts = (Array.isArray(value) ? (value as readonly Value[]) : [value]).filter(isDict)
  return dicts.flatMap(one => findArgumentErrors(options, one, [...where, name]))
}
