import { parseTruth } from '../core/ansible-text.ts'
import type { Param } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { Float, fromValue, isDict, Template, toValue, type Value } from '../core/value.ts'
import { renderDidYouMean, renderKind } from './problem.ts'

/** A value of the type the module wants, or what is wrong with it. */
export type Coerced =
  | { readonly value: unknown }
  /** `isTaken`: Ansible would take it. */
  | { readonly wrong: string; readonly hint?: string | undefined; readonly isTaken?: boolean }

/** Ansible's truth of a text or number for options and keywords; undefined: neither true nor false. */
export function parseBool(value: Value): boolean | undefined {
  if (typeof value === 'boolean') return value
  const text = (renderScalar(value) ?? '').trim()
  return parseTruth(text.replace(/^([01])\.0$/, '$1'))
}

/** A scalar as Python's str() writes it; undefined for what is no scalar. */
function renderScalar(value: Value): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return value instanceof Float ? value.value.toFixed(1) : undefined
}

/** `type`: Ansible's sentence for what cannot be converted goes with it, for playbooks that look for it in `msg`. */
const must = (say: string, value: Value, hint?: string, type?: string): Coerced => ({
  wrong: `must be ${say}, not ${renderKind(value)}${type === undefined ? '' : `: unable to convert to ${type}`}`,
  hint,
})

const notBoolean = (value: Value): Coerced => {
  const { wrong } = must('true or false', value) as { readonly wrong: string }
  return { wrong: `${wrong}: The value '${renderScalar(value) ?? renderKind(value)}' is not a valid boolean` }
}

/**
 * Turns a rendered value into the type of a param, by Ansible's rules: 'yes' is a bool, '5' an int, `a,b` a list, 0644
 * (the integer 420) a mode. `name` labels a text that becomes a Secret. What Ansible would guess at is refused.
 */
export function coerce(param: Param, name: string, value: Value): Coerced {
  switch (param.type) {
    case 'string':
      return coerceString(value, param.choices)
    case 'path':
      return coerceString(value, undefined)
    case 'mode':
      return coerceMode(value)
    case 'int':
      return coerceInt(value)
    case 'float':
      return coerceFloat(value)
    case 'bool': {
      const truth = parseBool(value)
      return truth === undefined ? notBoolean(value) : { value: truth }
    }
    case 'list':
      return coerceList(value)
    case 'dict':
      return coerceDict(value)
    case 'secret':
      return coerceSecret(value, name)
    case 'text':
      return coerceText(value)
    case 'any':
      return { value }
    case 'expression':
      return coerceExpression(value)
  }
}

/** The loader made Templates of the expressions that the operator wrote. Other text is data, and is never evaluated. */
function coerceExpression(value: Value): Coerced {
  const items = Array.isArray(value) ? (value as readonly Value[]) : [value]
  const wrong = items.find(item => !(item instanceof Template || typeof item === 'boolean'))
  if (wrong === undefined) return { value }
  return must(
    'an expression that stands in the playbook',
    wrong,
    'write the expression itself, without braces',
  )
}

function coerceString(value: Value, choices: readonly string[] | undefined): Coerced {
  if (value instanceof Secret)
    return { wrong: 'takes no secret: it would be shown', hint: 'use a value that is not secret' }
  const text = choices && typeof value === 'boolean' ? choiceOfBool(value, choices) : renderScalar(value)
  if (text === undefined) return must('text', value)
  if (choices === undefined || choices.includes(text)) return { value: text }
  return must(`one of ${choices.join(', ')}`, value, renderDidYouMean(text, choices, ''))
}

/** YAML makes `state: on` a boolean; where exactly one choice is that word, it is meant. */
function choiceOfBool(value: boolean, choices: readonly string[]): string {
  const meant = choices.filter(choice => parseTruth(choice) === value)
  return meant.length === 1 ? meant[0]! : value ? 'True' : 'False'
}

const SYMBOLIC = /^[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*$/

function coerceMode(value: Value): Coerced {
  const hint = 'write it in quotes, with a leading zero: mode: "0644"'
  if (typeof value === 'string') {
    const text = value.replace(/^0o(?=[0-7])/i, '')
    const isMode = /^[0-7]{1,5}$/.test(text) || SYMBOLIC.test(text) || text === 'preserve'
    return isMode ? { value: text } : must('a file mode like "0644" or u=rw,g=r', value, hint)
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0o7777)
    return must('a file mode like "0644" or u=rw,g=r', value, hint)
  // `mode: 644` is the decimal number 644, mode 01204, and never meant. As 0644 it would have arrived as 420.
  if (value > 0o777 && /^[0-7]{3}$/.test(String(value)))
    return {
      wrong: `is the number ${value}, and that is the mode 0${value.toString(8)}`,
      hint: `write mode: "0${value}"`,
      isTaken: true,
    }
  return { value: value.toString(8).padStart(4, '0') }
}

function coerceInt(value: Value): Coerced {
  if (typeof value === 'number' && Number.isInteger(value)) return { value }
  if (typeof value === 'string' && /^\s*[-+]?[0-9]+\s*$/.test(value) && Number.isSafeInteger(Number(value)))
    return { value: Number(value) }
  return must('a whole number', value, undefined, 'int')
}

function coerceFloat(value: Value): Coerced {
  if (typeof value === 'number') return { value }
  if (value instanceof Float) return { value: value.value }
  if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)))
    return { value: Number(value) }
  return must('a number', value, undefined, 'int or float')
}

function coerceList(value: Value): Coerced {
  if (typeof value === 'string')
    return { value: value === '' ? [] : value.split(',').map(item => item.trim()) }
  const items = Array.isArray(value) ? (value as readonly Value[]) : [value]
  const texts = items.map(renderScalar)
  const wrong = texts.indexOf(undefined)
  if (wrong === -1) return { value: texts }
  return must('a list of texts', Array.isArray(value) ? items[wrong]! : value)
}

function coerceDict(value: Value): Coerced {
  if (isDict(value)) return { value }
  const parsed = typeof value === 'string' ? parseDict(value.trim()) : undefined
  return parsed ? { value: parsed } : must('a mapping', value)
}

/** A dict in text: JSON, or `a=1,b=2` as in Ansible's k=v form. */
function parseDict(text: string): Value | undefined {
  if (text.startsWith('{')) {
    try {
      return toValue(JSON.parse(text))
    } catch {
      return undefined
    }
  }
  const pairs = text.split(',').map(pair => /^\s*([^=\s]+)\s*=(.*)$/s.exec(pair))
  if (!pairs.every(pair => pair !== null)) return undefined
  return new Map(pairs.map(pair => [pair[1]!, pair[2]!.trim()]))
}

function coerceSecret(value: Value, name: string): Coerced {
  if (value instanceof Secret) return { value }
  const text = renderScalar(value)
  return text === undefined ? must('text', value) : { value: new Secret(text, name) }
}

function coerceText(value: Value): Coerced {
  if (value instanceof Secret) return { value }
  const text = renderScalar(value)
  if (text !== undefined) return { value: text }
  if (!Array.isArray(value) && !isDict(value)) return must('text', value)
  // As Ansible's copy does with `content`: a list or mapping is written as JSON.
  if (hasSecret(value))
    return { wrong: 'holds a secret in a list or mapping', hint: 'make it text: | to_json' }
  return { value: renderJson(value) }
}

function hasSecret(value: Value): boolean {
  if (value instanceof Secret) return true
  if (Array.isArray(value)) return (value as readonly Value[]).some(hasSecret)
  return isDict(value) && [...value.values()].some(hasSecret)
}

/** JSON with Python's separators. */
function renderJson(value: Value): string {
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(renderJson).join(', ')}]`
  if (isDict(value))
    return `{${[...value].map(([key, member]) => `${JSON.stringify(String(key))}: ${renderJson(member)}`).join(', ')}}`
  if (value instanceof Float) return value.value.toFixed(1)
  return typeof value === 'bigint' ? String(value) : JSON.stringify(fromValue(value))
}
