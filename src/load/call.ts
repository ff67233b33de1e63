import type { Source } from '../core/source.ts'
import { type Dict, isDict, Template, type Value } from '../core/value.ts'
import { keywords } from './keywords.ts'
import { renderDidYouMean, selectNearest } from './problem.ts'
import type { Reader } from './reader.ts'

/** The module of a task: its name, its value, and the key that holds both. */
export interface Call {
  readonly key: string
  readonly module: string | Template
  readonly value: Value
  readonly isLocal: boolean
  /** Keys of further modules, which have been said. */
  readonly also?: readonly string[]
}

export function isLoopKey(key: Value): key is string {
  return typeof key === 'string' && key.startsWith('with_')
}

/** What a task calls; what is wrong with that is said. `isGuarded`: see Place. */
export function readCall(
  reader: Reader,
  dict: Dict,
  at: Source,
  level: 'task' | 'handler',
  isGuarded: boolean,
): Call | undefined {
  const others = [...dict.keys()]
    .map(String)
    .filter(key => !Object.hasOwn(keywords[level], key) && !isLoopKey(key))
  const modules = others.filter(key => reader.signature(key))
  const action = ['action', 'local_action'].find(key => dict.has(key))
  if (action !== undefined) return readAction(reader, dict, action)
  const [key, ...also] = modules
  if (also.length > 0)
    reader.say(
      `one task cannot do both ${key} and ${also[0]}`,
      reader.doc.keyAt(dict, also[0]!),
      'make it two tasks',
    )
  if (key !== undefined) return { key, module: key, value: dict.get(key) ?? null, isLocal: false, also }
  const unknown =
    others.find(key => selectNearest(key, Object.keys(keywords[level])) === undefined) ?? others[0]
  if (unknown === undefined) {
    reader.say('the task has no module', at, 'add what it is to do, for example `command: uptime`')
    return undefined
  }
  if (!(isGuarded && isOfCollection(unknown))) sayNoModule(reader, unknown, reader.doc.keyAt(dict, unknown))
  return { key: unknown, module: unknown, value: null, isLocal: false }
}

/** `community.general.homebrew`: there may be such a module, for hosts that rota does not know. */
function isOfCollection(name: string): boolean {
  return /^\w+\.\w+\.\w/.test(name) && !name.startsWith('ansible.')
}

export function sayNoModule(reader: Reader, name: string, at: Source): void {
  const short = name.slice(name.lastIndexOf('.') + 1)
  const hint = renderDidYouMean(short, reader.moduleNames(), 'see rota doc for the modules there are')
  reader.say(`there is no module ${name}`, at, hint, 'E_MODULE')
}

/** `action: copy src=a dest=b`, `action: { module: copy, src: a }` and the same as `local_action`. */
function readAction(reader: Reader, dict: Dict, key: string): Call | undefined {
  const value = dict.get(key)!
  const isLocal = key === 'local_action'
  if (isDict(value)) {
    const { module, rest } = splitModule(reader, value)
    if (module !== undefined) return { key, module, value: rest, isLocal }
  } else if (typeof value === 'string' || value instanceof Template) {
    const text = typeof value === 'string' ? value : value.text
    const [, name, rest] = /^\s*((?:\{\{.*?\}\}|[^\s{])+)\s*(.*)$/s.exec(text) ?? []
    const field = (part: string): string | Template =>
      value instanceof Template && part.includes('{') ? new Template(part, value.at) : part
    if (name) return { key, module: field(name), value: rest ? field(rest) : null, isLocal }
  }
  reader.say(`${key} names no module`, reader.doc.keyAt(dict, key), `write ${key}: command uptime`)
  return undefined
}

function splitModule(reader: Reader, dict: Dict): { module: string | Template | undefined; rest: Dict } {
  const module = dict.get('module')
  const rest = new Map([...dict].filter(([key]) => key !== 'module'))
  reader.doc.copyPlaces(dict, rest)
  return { module: typeof module === 'string' || module instanceof Template ? module : undefined, rest }
}
