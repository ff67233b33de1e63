import { runtimeFault } from '../fault.ts'
import { braceFormat } from './brace-format.ts'
import { member } from './equality.ts'
import {
  Bytes,
  bufferEncoding,
  isDict,
  isList,
  isText,
  type Named,
  type Py,
  toInteger,
  toNumber,
  tupleOf,
  typeName,
} from './kinds.ts'
import { methodTable } from './method-table.ts'
import { characters, iterate } from './sequence.ts'
import type { Args } from './signature.ts'
import { toText } from './text.ts'
import { split, splitLines, splitRight, strip } from './text-split.ts'

const lower = (text: string): string => text.toLowerCase()
export function capitalize(text: string): string {
  const [first = '', ...rest] = characters(text)
  return first.toUpperCase() + lower(rest.join(''))
}
function titleCase(text: string): string {
  return text.replace(/\p{L}+/gu, capitalize)
}
function swapCase(text: string): string {
  return characters(text)
    .map(char => (char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase()))
    .join('')
}

const optional = (args: Args, name: string): string | null => (args.has(name) ? args.text(name) : null)

/** Python's str.replace(); a negative count replaces all. */
export function replaceText(text: string, old: string, by: string, count: number): string {
  if (count < 0) return text.split(old).join(by)
  let result = ''
  let rest = text
  for (let left = count; left > 0; left--) {
    const index = rest.indexOf(old)
    if (index < 0) break
    const skip = old === '' && rest !== '' ? 1 : 0
    result += rest.slice(0, index) + by + rest.slice(index, index + skip)
    if (old === '' && rest === '') return result
    rest = rest.slice(index + old.length + skip)
  }
  return result + rest
}

/** The part that `start` and `end` of find, count and startswith choose, and where it begins. */
function part(text: string, args: Args): { readonly text: string; readonly offset: number } {
  const all = characters(text)
  const bound = (name: string, missing: number): number => {
    if (!args.has(name)) return missing
    const index = args.integer(name)
    return index < 0 ? Math.max(0, index + all.length) : Math.min(index, all.length)
  }
  const offset = bound('start', 0)
  return { text: all.slice(offset, bound('end', all.length)).join(''), offset }
}
function find(text: string, args: Args, from: 'left' | 'right'): number {
  const { text: within, offset } = part(text, args)
  const wanted = args.text('sub')
  const unit = from === 'left' ? within.indexOf(wanted) : within.lastIndexOf(wanted)
  return unit < 0 ? -1 : offset + characters(within.slice(0, unit)).length
}
function findOrFail(text: string, args: Args, from: 'left' | 'right'): number {
  const index = find(text, args, from)
  if (index < 0) throw runtimeFault('substring not found')
  return index
}
function count(text: string, args: Args): number {
  const within = part(text, args).text
  const wanted = args.text('sub')
  return wanted === '' ? characters(within).length + 1 : within.split(wanted).length - 1
}
function hasAffix(text: string, args: Args, isAffix: (text: string, affix: string) => boolean): boolean {
  const within = part(text, args).text
  const affix = args.value('affix')
  const affixes = isList(affix) ? affix : [affix]
  return affixes.some(one => {
    if (!isText(one)) throw runtimeFault(`expected a str or a tuple of str, not ${typeName(one)}`)
    return isAffix(within, toText(one))
  })
}
function partition(text: string, separator: string, index: number, isRight: boolean): Py {
  if (separator === '') throw runtimeFault('empty separator')
  if (index < 0) return tupleOf(isRight ? ['', '', text] : [text, '', ''])
  return tupleOf([text.slice(0, index), separator, text.slice(index + separator.length)])
}
/** Longest text that padding may make, in characters. */
const WIDEST = 10_000_000
function width(args: Args): number {
  const wanted = args.integer('width')
  if (wanted > WIDEST) throw runtimeFault(`a width of ${wanted} is too big`)
  return wanted
}
/** Python's str.center(): the odd blank goes left when the width is odd. */
export function center(text: string, wide: number, fill = ' '): string {
  const missing = wide - characters(text).length
  if (missing <= 0) return text
  const left = Math.floor(missing / 2) + (missing & wide & 1)
  return fill.repeat(left) + text + fill.repeat(missing - left)
}
function justify(text: string, args: Args, side: 'left' | 'right'): string {
  const padding = args.text('fill').repeat(Math.max(0, width(args) - characters(text).length))
  return side === 'left' ? text + padding : padding + text
}
function zeroFill(text: string, wide: number): string {
  const sign = /^[+-]?/.exec(text)![0]
  return sign + text.slice(sign.length).padStart(wide - sign.length, '0')
}
function expandTabs(text: string, size: number): string {
  let column = 0
  return characters(text)
    .map(char => {
      if (char !== '\t') {
        column = char === '\n' || char === '\r' ? 0 : column + 1
        return char
      }
      const wide = size > 0 ? size - (column % size) : 0
      column += wide
      return ' '.repeat(wide)
    })
    .join('')
}
function joinTexts(separator: string, items: readonly Py[]): string {
  const texts = items.map((item, index) => {
    if (isText(item)) return toText(item)
    throw runtimeFault(`sequence item ${index}: expected str instance, ${typeName(item)} found`)
  })
  return texts.join(separator)
}
function translate(text: string, table: Py): string {
  if (!isDict(table)) throw runtimeFault(`translate() needs a dict, not ${typeName(table)}`)
  return characters(text)
    .map(char => {
      const to = member(table, char.codePointAt(0)!)
      if (to === undefined) return char
      if (to === null) return ''
      return isText(to) ? toText(to) : String.fromCodePoint(toInteger(to))
    })
    .join('')
}
const textKeys = (dict: Py): Named =>
  new Map(isDict(dict) ? [...dict].map(([key, value]) => [toText(key), value]) : [])
const isCased = (text: string): boolean => text.toLowerCase() !== text.toUpperCase()

type TextMethod = readonly [string, (self: Py, args: Args, reach: Parameters<typeof braceFormat>[3]) => Py]
/** A method of str: `self` is the text, marked as HTML or not. */
function on(signature: string, run: (text: string, args: Args) => Py): TextMethod {
  return [signature, (self, args) => run(toText(self), args)]
}
const range = 'start=null, end=null'

export const textMethods = methodTable<Py>({
  upper: on('', text => text.toUpperCase()),
  lower: on('', lower),
  casefold: on('', text => lower(text).replaceAll('ß', 'ss')),
  title: on('', titleCase),
  capitalize: on('', capitalize),
  swapcase: on('', swapCase),
  strip: on('chars=null', (text, args) => strip(text, optional(args, 'chars'), 'both')),
  lstrip: on('chars=null', (text, args) => strip(text, optional(args, 'chars'), 'left')),
  rstrip: on('chars=null', (text, args) => strip(text, optional(args, 'chars'), 'right')),
  split: on('sep=null, maxsplit=-1', (text, args) =>
    split(text, optional(args, 'sep'), args.integer('maxsplit')),
  ),
  rsplit: on('sep=null, maxsplit=-1', (text, args) =>
    splitRight(text, optional(args, 'sep'), args.integer('maxsplit')),
  ),
  splitlines: on('keepends=false', (text, args) => splitLines(text, args.flag('keepends'))),
  join: on('items', (text, args) => joinTexts(text, iterate(args.value('items')))),
  replace: on('old, new, count=-1', (text, args) =>
    replaceText(text, args.text('old'), args.text('new'), args.integer('count')),
  ),
  startswith: on(`affix, ${range}`, (text, args) => hasAffix(text, args, (a, b) => a.startsWith(b))),
  endswith: on(`affix, ${range}`, (text, args) => hasAffix(text, args, (a, b) => a.endsWith(b))),
  removeprefix: on('affix', (text, args) =>
    text.startsWith(args.text('affix')) ? text.slice(args.text('affix').length) : text,
  ),
  removesuffix: on('affix', (text, args) =>
    text.endsWith(args.text('affix')) ? text.slice(0, text.length - args.text('affix').length) : text,
  ),
  find: on(`sub, ${range}`, (text, args) => find(text, args, 'left')),
  rfind: on(`sub, ${range}`, (text, args) => find(text, args, 'right')),
  index: on(`sub, ${range}`, (text, args) => findOrFail(text, args, 'left')),
  rindex: on(`sub, ${range}`, (text, args) => findOrFail(text, args, 'right')),
  count: on(`sub, ${range}`, count),
  partition: on('sep', (text, args) =>
    partition(text, args.text('sep'), text.indexOf(args.text('sep')), false),
  ),
  rpartition: on('sep', (text, args) =>
    partition(text, args.text('sep'), text.lastIndexOf(args.text('sep')), true),
  ),
  zfill: on('width', (text, args) => zeroFill(text, width(args))),
  ljust: on("width, fill=' '", (text, args) => justify(text, args, 'left')),
  rjust: on("width, fill=' '", (text, args) => justify(text, args, 'right')),
  center: on("width, fill=' '", (text, args) => center(text, width(args), args.text('fill'))),
  isdigit: on('', text => /^\p{Nd}+$/u.test(text)),
  isdecimal: on('', text => /^\p{Nd}+$/u.test(text)),
  isnumeric: on('', text => /^\p{N}+$/u.test(text)),
  isalpha: on('', text => /^\p{L}+$/u.test(text)),
  isalnum: on('', text => /^[\p{L}\p{N}]+$/u.test(text)),
  isspace: on('', text => /^\s+$/.test(text)),
  islower: on('', text => isCased(text) && text === text.toLowerCase()),
  isupper: on('', text => isCased(text) && text === text.toUpperCase()),
  istitle: on('', text => /\p{L}/u.test(text) && text === titleCase(text)),
  isidentifier: on('', text => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(text)),
  isascii: on('', text => /^\p{ASCII}*$/u.test(text)),
  isprintable: on('', text => !/[\p{C}\p{Zl}\p{Zp}]/u.test(text)),
  expandtabs: on('tabsize=8', (text, args) => expandTabs(text, args.integer('tabsize'))),
  encode: on(
    "encoding='utf-8', errors='strict'",
    (text, args) => new Bytes(Buffer.from(text, bufferEncoding(args.text('encoding')))),
  ),
  translate: on('table', (text, args) => translate(text, args.value('table'))),
  format: ['*args, **named', (self, args, reach) => braceFormat(toText(self), args.rest, args.named, reach)],
  format_map: [
    'mapping',
    (self, args, reach) => braceFormat(toText(self), [], textKeys(args.value('mapping')), reach),
  ],
})

export const intMethods = methodTable<number | bigint>({
  bit_length: ['', self => BigInt(self).toString(2).replace('-', '').length],
})
export const floatMethods = methodTable<Py>({ is_integer: ['', self => Number.isInteger(toNumber(self))] })
