import type { ErrorCode, Problem } from '../core/error.ts'
import type { Registry } from '../core/module.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import { engineModules, shortName } from './engine-modules.ts'
import { type KeywordShape, shapes } from './keyword-types.ts'
import { type Keyword, keywords, type Level, refused } from './keywords.ts'
import type { Signature } from './params.ts'
import { renderDidYouMean, renderKind } from './problem.ts'
import { selectWrong } from './schema.ts'
import type { YamlDocument } from './yaml.ts'

/** Reads one file of plays or tasks: knows where things stand, and collects what is wrong. */
export class Reader {
  readonly doc: YamlDocument
  readonly problems: Problem[] = []
  readonly registry: Registry

  constructor(doc: YamlDocument, registry: Registry) {
    this.doc = doc
    this.registry = registry
  }

  say(message: string, at: Source, hint?: string, code: ErrorCode = 'E_PLAYBOOK'): void {
    this.problems.push({ code, message, at, hint: hint || undefined })
  }

  /** What the options of a module are checked by; undefined: there is no such module. */
  signature(name: string): Signature | undefined {
    return this.registry.get(name) ?? engineModules.get(shortName(name))
  }

  moduleNames(): string[] {
    return [...this.registry.names(), ...engineModules.keys()]
  }

  /** Says every key that the place does not know, every value of a wrong kind and every key that is missing. */
  checkKeywords(dict: Dict, level: Level, at: Source, skip: ReadonlySet<Value> = new Set()): void {
    const table: Readonly<Record<string, Keyword>> = keywords[level]
    const wrong: string[] = []
    for (const [key, value] of dict) {
      if (skip.has(key)) continue
      const keyword = typeof key === 'string' && Object.hasOwn(table, key) ? table[key] : undefined
      if (keyword === undefined && value === null && refused[String(key)]) continue
      if (keyword === undefined) this.sayUnknown(dict, String(key), level)
      else if (value !== null && !shapes[keyword.shape].accepts(value)) wrong.push(key as string)
    }
    if (wrong.length > 0) this.#sayWrong(dict, level, wrong)
    for (const [name, keyword] of Object.entries(table))
      if (keyword.required && (dict.get(name) ?? null) === null)
        this.say(`${placeName(level)} needs ${name}`, at, `add ${name}: ${keyword.doc}`)
  }

  sayUnknown(dict: Dict, key: string, level: Level): void {
    const at = this.doc.keyAt(dict, key)
    if (refused[key]) this.say(`rota has no ${key}`, at, refused[key])
    else {
      const hint = renderDidYouMean(key, Object.keys(keywords[level]), `remove it, or see rota doc keywords`)
      this.say(sayAttribute(key, level), at, hint)
    }
  }

  #sayWrong(dict: Dict, level: Level, names: readonly string[]): void {
    const table: Readonly<Record<string, Keyword>> = keywords[level]
    const paths = selectWrong(level, dict)
    for (const name of names) {
      const path: readonly string[] = paths.find(([first]) => first === name) ?? [name]
      const [holder, key, value] = follow(dict, path)
      const shape: KeywordShape = shapes[table[name]!.shape]
      this.say(
        sayValue(name, shape, value, path.length > 1),
        this.doc.valueAt(holder, key),
        hintFor(name, shape, value),
      )
    }
  }
}

/** In Ansible's words where it has any. `isInside`: the wrong value is a member of the keyword's. */
function sayValue(name: string, shape: KeywordShape, value: Value, isInside: boolean): string {
  if (shape === shapes.tasks && !isInside)
    return `A malformed block was encountered while loading ${name}: ${isDict(value) ? 'a mapping' : String(value)} should be a list or None`
  const lead = shape === shapes.roles ? 'A malformed role declaration was encountered. ' : ''
  return `${lead}${name} must be ${shape.say}${isInside ? '; this is' : ', not'} ${renderKind(value)}`
}

/** In Ansible's words where it knows the place, so that what is found on the web about them helps. */
function sayAttribute(key: string, level: Level): string {
  const place = ansiblePlaces[level]
  return place === undefined
    ? `${placeName(level)} has no keyword ${key}`
    : `'${key}' is not a valid attribute for a ${place}`
}

const ansiblePlaces: { readonly [L in Level]?: string } = {
  play: 'Play',
  task: 'Task',
  handler: 'Handler',
  block: 'Block',
  import_playbook: 'PlaybookInclude',
  loop_control: 'LoopControl',
}

/** A handler is a task, and a file of tasks may be either; a duty is what a policy says of a secret. */
function placeName(level: Level): string {
  return level === 'handler' ? 'task' : level === 'duty' ? 'a secret of a policy' : level
}

function hintFor(name: string, shape: KeywordShape, value: Value): string {
  if (shape === shapes.list && typeof value === 'string' && /^[A-Za-z_][\w.]*$/.test(value))
    return `a variable needs braces: "{{ ${value} }}"`
  return shape === shapes.tasks ? 'begin each task with `- `' : `for example ${name}: ${shape.example}`
}

/** The container, key and value at the end of a path of JSON Schema, as far as it leads. */
function follow(dict: Dict, path: readonly string[]): readonly [Value, Value, Value] {
  let holder: Value = dict
  let key: Value = path[0]!
  let value: Value = dict.get(key) ?? null
  for (const part of path.slice(1)) {
    const next = Array.isArray(value) ? Number(part) : part
    const member: Value | undefined = isDict(value)
      ? value.get(next)
      : (value as readonly Value[])?.[Number(part)]
    if (member === undefined) break
    holder = value
    key = next
    value = member
  }
  return [holder, key, value]
}
