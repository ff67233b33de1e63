import type { Field } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, Template, toTemplate, type Value } from '../core/value.ts'
import { readExpressions } from './fields.ts'
import { parseFreeText } from './free-text.ts'
import type { Signature } from './params.ts'
import { renderKind } from './problem.ts'
import type { Reader } from './reader.ts'

/** What a task gives its module. */
export interface TaskArgs {
  readonly args: Dict
  readonly argsAt: ReadonlyMap<string, Source>
  readonly freeForm?: Field
  /** A variable that holds options. */
  readonly argsFrom?: Field
}

/** The options that Ansible takes out of the text of these modules; all other `k=v` in it belongs to the command. */
const commandOptions = [
  'chdir',
  'creates',
  'removes',
  'executable',
  'stdin',
  'stdin_add_newline',
  'strip_empty_ends',
]
const commands = new Set(['command', 'shell', 'script', 'raw'])

/** Ansible refuses a free text of these only when the task runs, so that it can be ignored or rescued. */
const lenient = new Set(['add_host', 'group_by', 'set_fact'])

/** `{{ name }}` and nothing else. */
function isVariable(text: string): boolean {
  return /^\s*\{\{(?:(?!\}\}).)*\}\}\s*$/s.test(text)
}

/** Reads a module's value: a mapping, or the short form `src=a dest=b`, or free text. Undefined when it cannot be read, which is said. */
export function readArgs(
  reader: Reader,
  name: string,
  signature: Signature | undefined,
  value: Value,
  at: Source,
): TaskArgs | undefined {
  if (value === null) return { args: new Map(), argsAt: new Map() }
  if (isDict(value)) return { args: value, argsAt: placesOf(reader, value) }
  if (typeof value === 'string' || value instanceof Template)
    return readText(reader, name, signature, value, at)
  reader.say(
    `${name} takes a mapping of options, not ${renderKind(value)}`,
    at,
    `write ${name}: { option: value }`,
  )
  return undefined
}

function placesOf(reader: Reader, dict: Dict): Map<string, Source> {
  return new Map([...dict.keys()].map(key => [String(key), reader.doc.keyAt(dict, key)]))
}

function readText(
  reader: Reader,
  name: string,
  signature: Signature | undefined,
  value: string | Template,
  at: Source,
): TaskArgs | undefined {
  const text = typeof value === 'string' ? value : value.text
  const field = (part: string): Field => (value instanceof Template ? toTemplate(part, value.at) : part)
  const isOption = (option: string): boolean => {
    if (commands.has(signature?.name ?? name))
      return commandOptions.includes(option) && (signature === undefined || option in signature.params)
    return !option.includes('{{') || signature?.otherParams !== undefined
  }
  const parsed = parseFreeText(text, isOption)
  if (parsed === undefined) {
    reader.say(`${name}: a quote or a brace is not closed`, at, 'close it, or write the options as a mapping')
    return undefined
  }
  const args = new Map<Value, Value>([...parsed.options].map(([option, part]) => [option, field(part)]))
  const argsAt = new Map([...parsed.options.keys()].map(option => [option, at]))
  if (parsed.rest.trim() === '') return { args, argsAt }
  if (signature !== undefined && signature.freeForm === undefined && !lenient.has(signature.name)) {
    const rest = field(parsed.rest.trim())
    if (isVariable(parsed.rest)) return { args, argsAt, argsFrom: rest }
    // Only the run knows what the text is.
    if (rest instanceof Template) return { args, argsAt, freeForm: rest }
    const message = `${name} takes options, and "${parsed.rest.trim()}" is none`
    reader.say(message, at, `write ${name}: { option: value }, or option=value`)
    return undefined
  }
  if (lenient.has(signature?.name ?? '') && isVariable(parsed.rest))
    return { args, argsAt, argsFrom: field(parsed.rest.trim()) }
  return { args, argsAt, freeForm: field(parsed.rest) }
}

/** The options that are bare expressions (assert's `that`, debug's `var`) as Templates, which nothing renders before. */
export function withExpressions(reader: Reader, signature: Signature | undefined, given: TaskArgs): TaskArgs {
  const names = Object.entries(signature?.params ?? {})
    .filter(([, { type }]) => type === 'expression')
    .flatMap(([name, { aliases = [] }]) => [name, ...aliases])
    .filter(name => (given.args.get(name) ?? null) !== null)
  if (names.length === 0) return given
  const args = new Map(given.args)
  for (const name of names)
    args.set(name, readExpressions(reader, args.get(name)!, given.argsAt.get(name) ?? reader.doc.at([])))
  return { ...given, args }
}
