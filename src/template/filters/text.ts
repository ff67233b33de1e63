import type { Filter, FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { pairsOf } from '../python/container-methods.ts'
import { isDict, isList, isText, Markup, type Py, tupleOf, Undefined } from '../python/kinds.ts'
import { percentFormat } from '../python/percent-format.ts'
import { characters, iterate, length } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { escapeHtml, toText } from '../python/text.ts'
import { capitalize, center, replaceText } from '../python/text-methods.ts'
import { splitLines, strip } from '../python/text-split.ts'
import { wrapText } from './wrap.ts'

/** Text in, text out; HTML stays HTML. */
function onText(run: (text: string, args: Args) => string): Filter['run'] {
  return (value, args) => {
    const result = run(toText(value), args)
    return value instanceof Markup ? new Markup(result) : result
  }
}
const upperFirst = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()

/** Jinja2's title: a word begins after a hyphen, a blank or an opening bracket. */
function title(text: string): string {
  return text.replace(/[^-\s({[<]+/g, upperFirst)
}

function indent(text: string, args: Args): string {
  const width = args.value('width')
  const indention = isText(width) ? toText(width) : ' '.repeat(args.integer('width'))
  const lines = splitLines(`${text}\n`)
  const [first = '', ...rest] = lines
  const isBlankToo = args.flag('blank')
  const indented = rest.map(line => (line !== '' || isBlankToo ? indention + line : line))
  return (args.flag('first') ? indention : '') + [first, ...indented].join('\n')
}

function truncate(value: Py, args: Args): Py {
  const most = args.integer('length')
  const end = args.text('end')
  const leeway = args.has('leeway') ? args.integer('leeway') : 5
  if (most < end.length) throw runtimeFault(`expected length >= ${end.length}, got ${most}`)
  if (leeway < 0) throw runtimeFault(`expected leeway >= 0, got ${leeway}`)
  // Anything with a length may pass; only what is too long has to be a text.
  if (length(value) <= most + leeway) return value
  const all = characters(toText(value))
  const cut = all.slice(0, most - end.length).join('')
  if (args.flag('killwords')) return cut + end
  const blank = cut.lastIndexOf(' ')
  return (blank < 0 ? cut : cut.slice(0, blank)) + end
}

/** Percent-encodes all but unreserved characters and `safe` ones. */
function percentEncode(text: string, safe: string): string {
  const encode = (byte: number): string => {
    const char = String.fromCharCode(byte)
    if (byte < 128 && (/[A-Za-z0-9_.~-]/.test(char) || safe.includes(char))) return char
    return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return [...Buffer.from(text)].map(encode).join('')
}
function urlEncode(value: Py): Py {
  if (value instanceof Undefined) value.fail()
  if (!isDict(value) && !isList(value)) return percentEncode(toText(value), '/')
  const query = (part: Py): string => percentEncode(toText(part), ' ').replaceAll(' ', '+')
  return pairsOf(value)
    .map(pair => pair.map(query).join('='))
    .join('&')
}

const decimalUnits = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB']
const binaryUnits = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB']
function fileSize(value: Py, args: Args): string {
  const bytes = Number(toText(value))
  if (Number.isNaN(bytes)) throw runtimeFault('filesizeformat needs a number')
  const isBinary = args.flag('binary')
  const base = isBinary ? 1024 : 1000
  if (bytes === 1) return '1 Byte'
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`
  const units = isBinary ? binaryUnits : decimalUnits
  const power = Math.min(units.length, Math.floor(Math.log(bytes) / Math.log(base) + 1e-12))
  return `${(bytes / base ** power).toFixed(1)} ${units[power - 1]}`
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
}
function unescapeHtml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (all, decimal, hex, name) => {
    if (name !== undefined) return Object.hasOwn(entities, name) ? entities[name]! : all
    return String.fromCodePoint(
      Math.min(0x10ffff, decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)),
    )
  })
}
function stripTags(text: string): string {
  return unescapeHtml(
    text
      .replace(/<!--[\s\S]*?-->|<[^>]*>/g, '')
      .split(/\s+/)
      .filter(word => word !== '')
      .join(' '),
  )
}
function xmlAttributes(value: Py, args: Args): Py {
  const attributes = pairsOf(value)
    .filter(([, member]) => member !== null && !(member instanceof Undefined))
    .map(([key, member]) => {
      if (/[\s/>=]/.test(toText(key)))
        throw runtimeFault(`Invalid character in attribute name: ${toText(key)}`)
      return `${escapeHtml(toText(key))}="${escapeHtml(toText(member))}"`
    })
  return (args.flag('autospace') && attributes.length > 0 ? ' ' : '') + attributes.join(' ')
}
function format(value: Py, args: Args): Py {
  if (args.rest.length > 0 && args.named.size > 0)
    throw runtimeFault("can't handle positional and keyword arguments at the same time")
  return percentFormat(toText(value), args.named.size > 0 ? new Map<Py, Py>(args.named) : tupleOf(args.rest))
}
/** Links in place of addresses, as Jinja2's urlize in its plain form. */
function urlize(text: string): string {
  return escapeHtml(text).replace(
    /\bhttps?:\/\/[^\s<]*[^\s<.,;:!?)&]/g,
    url => `<a href="${url}" rel="noopener">${url}</a>`,
  )
}

/** Jinja2's filters on text. */
export const textFilters: FilterSet = {
  upper: ['', onText(text => text.toUpperCase())],
  lower: ['', onText(text => text.toLowerCase())],
  capitalize: ['', onText(capitalize)],
  title: ['', onText(title)],
  trim: [
    'chars=null',
    onText((text, args) => strip(text, args.has('chars') ? args.text('chars') : null, 'both')),
  ],
  center: ['width=80', onText((text, args) => center(text, args.integer('width')))],
  indent: ['width=4, first=false, blank=false', onText(indent)],
  truncate: ["length=255, killwords=false, end='...', leeway=null", truncate],
  replace: [
    'old, new, count=null',
    onText((text, args) =>
      replaceText(text, args.text('old'), args.text('new'), args.has('count') ? args.integer('count') : -1),
    ),
  ],
  wordwrap: ['width=79, break_long_words=true, wrapstring=null, break_on_hyphens=true', onText(wrapText)],
  wordcount: ['', value => toText(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
  string: ['', value => (value instanceof Markup ? value : toText(value))],
  safe: ['', value => new Markup(toText(value))],
  'escape e': ['', value => (value instanceof Markup ? value : new Markup(escapeHtml(toText(value))))],
  forceescape: ['', value => new Markup(escapeHtml(toText(value)))],
  format: ['*args, **named', format],
  urlencode: ['', urlEncode],
  urlize: ['', value => urlize(toText(value))],
  filesizeformat: ['binary=false', fileSize],
  striptags: ['', value => stripTags(toText(value))],
  xmlattr: ['autospace=true', xmlAttributes],
  reverse: [
    '',
    value =>
      isText(value) ? [...characters(toText(value))].reverse().join('') : [...iterate(value)].reverse(),
  ],
}
