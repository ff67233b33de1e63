import type { Runtime } from '../compile/runtime.ts'
import { limitFault, runtimeFault } from '../fault.ts'
import { subelementPairs } from '../filters/combine.ts'
import { productOf } from '../filters/sets.ts'
import { dictOf, member } from '../python/equality.ts'
import { isDict, isList, isText, type Py, toNumber, tupleOf, typeName, Undefined } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import { percentFormat } from '../python/percent-format.ts'
import { floatSource } from '../python/random.ts'
import { iterate } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { type LookupSet, splitTerm } from './lookup.ts'

/** The items of the terms: lists are opened one level, anything else is an item. */
function flattenOnce(terms: readonly Py[]): readonly Py[] {
  return terms.flatMap(term => {
    if (term instanceof Undefined) term.fail()
    return isList(term) ? term : [term]
  })
}
function asList(term: Py): readonly Py[] {
  if (term instanceof Undefined) term.fail()
  return isList(term) ? term : [term]
}
function dicts(terms: readonly Py[]): readonly Py[] {
  return terms.flatMap(term => {
    if (term instanceof Undefined) term.fail()
    if (!isDict(term)) throw runtimeFault(`with_dict expects a dict, got ${typeName(term)}`)
    return [...term].map(([key, value]) =>
      dictOf([
        ['key', key],
        ['value', value],
      ]),
    )
  })
}
function together(terms: readonly Py[]): readonly Py[] {
  if (terms.length === 0) throw runtimeFault('with_together requires at least one element in each list')
  const lists = terms.map(asList)
  const size = Math.max(...lists.map(list => list.length))
  return Array.from({ length: size }, (_row, index) =>
    lists.map(list => (index < list.length ? list[index]! : null)),
  )
}
function nested(terms: readonly Py[]): readonly Py[] {
  if (terms.length === 0) throw runtimeFault('with_nested requires at least one element in the nested list')
  return productOf(terms.map(term => flattenOnce(asList(term))))
}
function subelements(terms: readonly Py[]): readonly Py[] {
  const [elements, path, flags = dictOf([])] = terms
  if (elements === undefined || path === undefined || terms.length > 3)
    throw runtimeFault('subelements lookup expects a list of two or three items')
  if (!isText(path))
    throw runtimeFault(
      'subelements lookup expects a list of two or three items, first a dict or a list, second a string',
    )
  if (!isDict(flags))
    throw runtimeFault('subelements lookup: the optional third item must be a dict with flags: skip_missing')
  const skip = isDict(flags) ? member(flags, 'skip_missing') : undefined
  if (isDict(elements) && isTrue(member(elements, 'skipped') ?? false)) return []
  const chosen = isDict(elements) ? [...elements.values()] : asList(elements)
  const wanted = chosen.filter(element => !(isDict(element) && isTrue(member(element, 'skipped') ?? false)))
  const pairs = subelementPairs(wanted, path, skip !== undefined && isTrue(skip))
  return isList(pairs) ? pairs : []
}
function randomChoice(terms: readonly Py[], _options: Args, runtime: Runtime): readonly Py[] {
  if (terms.length === 0) return []
  return [terms[floatSource(runtime.session.world.random).below(terms.length)]!]
}

const LONGEST_SEQUENCE = 1_000_000
interface Span {
  readonly start: number
  readonly end: number
  readonly stride: number
  readonly format: string
}
/** The short form `start-end/stride:format`; numbers may be hexadecimal or octal. */
function shortSpan(text: string): Span | undefined {
  const match = /^(?:(-?(?:0x)?[\da-f]+)-)?(-?(?:0x)?[\da-f]+)(?:\/(-?(?:0x)?[\da-f]+))?(?::(.+))?$/i.exec(
    text,
  )
  if (!match) return undefined
  const [, start = '1', end, stride = '1', format = '%d'] = match
  return {
    start: wholeOf('start', start),
    end: wholeOf('end', end!),
    stride: wholeOf('stride', stride),
    format,
  }
}
function wholeOf(name: string, value: Py): number {
  if (!isText(value)) return toNumber(value)
  const text = toText(value)
  const number = /^-/.test(text) ? -Number(text.slice(1)) : Number(text.replace(/^0(?=\d)/, '0o'))
  if (text.trim() === '' || !Number.isInteger(number))
    throw runtimeFault(`can't parse ${name}=${text} as integer`)
  return number
}
function longSpan(options: Args): Span {
  const [hasEnd, hasCount] = [options.has('end'), options.has('count')]
  if (hasEnd && hasCount) throw runtimeFault("can't specify both count and end in with_sequence")
  if (!hasEnd && !hasCount) throw runtimeFault('must specify count or end in with_sequence')
  const start = options.has('start') ? wholeOf('start', options.value('start')) : 1
  const stride = options.has('stride') ? wholeOf('stride', options.value('stride')) : 1
  const count = hasCount ? wholeOf('count', options.value('count')) : 0
  const end = hasEnd ? wholeOf('end', options.value('end')) : start + count * stride - (stride > 0 ? 1 : -1)
  if (hasCount && count === 0) return { start, end: start - 1, stride: 1, format: '%d' }
  if (stride > 0 && end < start) throw runtimeFault('to count backwards make stride negative')
  if (stride < 0 && end > start) throw runtimeFault("to count forward don't make stride negative")
  return { start, end, stride, format: options.has('format') ? options.text('format') : '%d' }
}
function renderSpan({ start, end, stride, format }: Span): readonly Py[] {
  if (stride === 0) return []
  if (!/%.*[diouxX]/.test(format)) throw runtimeFault(`bad formatting string: ${format}`)
  const size = Math.max(0, Math.floor((end - start) / stride) + 1)
  if (size > LONGEST_SEQUENCE) throw limitFault(`a sequence of ${size} numbers is too long`)
  return Array.from({ length: size }, (_item, index) => percentFormat(format, start + index * stride))
}
const spanOptions = ['start', 'end', 'stride', 'count', 'format']
function sequence(terms: readonly Py[], options: Args): readonly Py[] {
  if (terms.length === 0) return renderSpan(longSpan(options))
  return terms.flatMap(term => {
    if (term instanceof Undefined) term.fail()
    const text = toText(term)
    const span = shortSpan(text)
    if (span) return renderSpan(span)
    const split = splitTerm(text, options, spanOptions)
    if (split.name !== '') throw runtimeFault(renderUnknown(split.name))
    return renderSpan(longSpan(split.options))
  })
}

/** `junk=3` is an option that there is not; anything else is no option. */
function renderUnknown(text: string): string {
  const names = [...text.matchAll(/(\w+)=/g)].map(([, name]) => `'${name}'`)
  return names.length > 0
    ? `unrecognized arguments to with_sequence: [${names.join(', ')}]`
    : `unknown error parsing with_sequence arguments: '${text}'`
}

/** Lookups that only rearrange their terms. */
export const listLookups: LookupSet = {
  items: { takes: '', run: flattenOnce },
  list: { takes: '', run: terms => terms },
  flattened: { takes: '', run: terms => flattenDeep(terms) },
  dict: { takes: '', run: dicts },
  together: { takes: '', run: together },
  nested: { takes: '', run: nested },
  indexed_items: {
    takes: '',
    run: terms => flattenOnce(terms).map((item, index) => tupleOf([index, item])),
  },
  subelements: { takes: '', run: subelements },
  random_choice: { takes: '', run: randomChoice },
  sequence: { takes: 'start=null, end=null, stride=null, count=null, format=null', run: sequence },
}
function flattenDeep(terms: readonly Py[]): readonly Py[] {
  return terms.flatMap(term => (isList(term) ? flattenDeep(iterate(term)) : [term]))
}
