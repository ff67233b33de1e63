import { SecretTouched } from '../core/secret.ts'
import { Float, Template, type Value } from '../core/value.ts'
import { typeOfPlain } from './scalar.ts'

/** How a text may be written, after PyYAML's Emitter.analyze_scalar (MIT). */
export interface TextStyles {
  readonly isEmpty: boolean
  readonly isMultiline: boolean
  readonly inFlow: boolean
  readonly inBlock: boolean
  readonly inSingleQuotes: boolean
}

const BREAK = /[\n\x85\u2028\u2029]/
const SPACE = /[\0 \t\r\n\x85\u2028\u2029]/
// Characters that only double quotes can hold, by escapes.
const SPECIAL = /[^\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10fffe}]/u

/** Which styles a text may have. Pure. */
export function stylesOf(text: string): TextStyles {
  if (text === '')
    return { isEmpty: true, isMultiline: false, inFlow: false, inBlock: true, inSingleQuotes: true }
  const isMultiline = BREAK.test(text)
  const isPlain = !isMultiline && !/^ | $/.test(text) && !SPECIAL.test(text)
  const indicators = indicatorsOf(text)
  return {
    isEmpty: false,
    isMultiline,
    inFlow: isPlain && !indicators.flow,
    inBlock: isPlain && !indicators.block,
    inSingleQuotes: !SPECIAL.test(text) && !/ [\n\x85\u2028\u2029]|[\n\x85\u2028\u2029] /.test(text),
  }
}

/** Whether a text holds what YAML would read as its own signs, in flow and in block context. */
function indicatorsOf(text: string): { readonly flow: boolean; readonly block: boolean } {
  if (/^(?:---|\.\.\.)/.test(text) || /^[#,[\]{}&*!|>'"%@`]/.test(text)) return { flow: true, block: true }
  const isAlone = (at: number): boolean => at + 1 >= text.length || SPACE.test(text[at + 1]!)
  let flow = /^[?:]/.test(text) || /[,?[\]{}:]/.test(text.slice(1))
  let block = /^[-?:]/.test(text) && isAlone(0)
  for (let at = 1; at < text.length; at++) {
    if (text[at] === ':' && isAlone(at)) block = true
    if (text[at] === '#' && SPACE.test(text[at - 1]!)) block = true
  }
  if (block) flow = true
  return { flow, block }
}

/** Whether the text, without quotes, would be read back as this text and not as a number, a date, … */
function isText(text: string): boolean {
  const isDate =
    /^\d{4}-(?:\d\d-\d\d$|\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$)/
  return typeOfPlain(text) === 'str' && text !== '<<' && text !== '=' && !isDate.test(text)
}

/** A value that is no list and no dict, as text, and whether the text stands for itself. */
export interface ScalarText {
  readonly text: string
  readonly isTyped: boolean
}

/** What a scalar value is written as. Throws SecretTouched for a Secret. */
export function scalarText(value: Value): ScalarText {
  if (typeof value === 'string') return { text: value, isTyped: !isText(value) }
  if (value instanceof Template && value.secretLabel !== undefined) throw new SecretTouched(value.secretLabel)
  if (value instanceof Template) return scalarText(value.text)
  if (value === null) return { text: 'null', isTyped: false }
  if (value instanceof Float || (typeof value === 'number' && !Number.isInteger(value)))
    return { text: floatText(value instanceof Float ? value.value : value), isTyped: false }
  return { text: String(value), isTyped: false }
}

/** Python's repr of a float, with the dot that YAML 1.1 wants. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  if (Object.is(value, -0)) return '-0.0'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [digits, exponent] = value.toExponential().split('e')
    const sign = exponent![0]
    return `${digits!.includes('.') ? digits : `${digits}.0`}e${sign}${exponent!.slice(1).padStart(2, '0')}`
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}

const named: Readonly<Record<string, string>> = {
  '\0': '0',
  '\x07': 'a',
  '\x08': 'b',
  '\x09': 't',
  '\x0a': 'n',
  '\x0b': 'v',
  '\x0c': 'f',
  '\x0d': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\xa0': '_',
  '\u2028': 'L',
  '\u2029': 'P',
}

/** The escape of a character within double quotes; undefined when it stands for itself. */
export function escapeOf(char: string): string | undefined {
  if (
    /[\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]/.test(char) &&
    !/["\\\u2028\u2029\ufeff]/.test(char) &&
    char.length === 1
  )
    return undefined
  if (Object.hasOwn(named, char)) return `\\${named[char]}`
  const code = char.codePointAt(0)!
  const hex = code.toString(16).toUpperCase()
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}
