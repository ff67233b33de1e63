import type { Block, Field, Item, Loop, LoopControl, Phase, Task } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, Template, type Value } from '../core/value.ts'
import { type Call, isLoopKey, readCall, sayNoModule } from './call.ts'
import { isIdentifier, readFields } from './fields.ts'
import { shapes } from './keyword-types.ts'
import { keywords } from './keywords.ts'
import { checkLiterals } from './params.ts'
import type { Reader } from './reader.ts'
import { readArgs, type TaskArgs, withExpressions } from './task-args.ts'

/** What the place of a task in its file says about it. */
export interface Place {
  readonly isHandler: boolean
  /** No module_defaults can add options to the tasks here. */
  readonly isComplete: boolean
  /** A rescue or ignore_errors is there for failures: options that are wrong are one of those, as in Ansible, when the task runs. */
  readonly isForgiving?: boolean
  /** A `when` stands here or around it: what only other hosts take is said when the task runs, where it does. */
  readonly isGuarded?: boolean
  /** Of a rotation. */
  readonly phase?: Phase | undefined
}

/** The tasks and blocks of a list. What is no list or no mapping has been said already, and is left out. */
export function readItems(reader: Reader, list: Value | undefined, place: Place): Item[] {
  if (!Array.isArray(list)) return []
  return (list as readonly Value[])
    .map((item, index) =>
      isDict(item) ? readItem(reader, item, reader.doc.valueAt(list, index), place) : undefined,
    )
    .filter(item => item !== undefined)
}

function readItem(reader: Reader, dict: Dict, at: Source, place: Place): Item | undefined {
  if (dict.has('block')) return readBlock(reader, dict, at, place)
  const part = ['rescue', 'always'].find(key => dict.has(key))
  if (part === undefined) return readTask(reader, dict, at, place)
  reader.say(
    `${part} stands without a block`,
    reader.doc.keyAt(dict, part),
    'add block: with the tasks to guard',
  )
  return undefined
}

function readBlock(reader: Reader, dict: Dict, at: Source, place: Place): Block {
  reader.checkKeywords(dict, 'block', at)
  const inner = dict.has('module_defaults') ? { ...place, isComplete: false } : place
  const isForgiving = inner.isForgiving === true || isIgnoring(dict)
  const isGuarded = inner.isGuarded === true || dict.has('when')
  const part = (key: string, isRescued = false): Item[] =>
    readItems(reader, dict.get(key), { ...inner, isGuarded, isForgiving: isForgiving || isRescued })
  return {
    kind: 'block',
    ...readFields(reader, dict, 'block'),
    block: part('block', dict.has('rescue')),
    ...(dict.has('rescue') ? { rescue: part('rescue') } : {}),
    ...(dict.has('always') ? { always: part('always') } : {}),
    at,
  }
}

/** Whether the author expects a failure here. */
function isIgnoring(dict: Dict): boolean {
  const ignore = dict.get('ignore_errors') ?? false
  return (ignore !== false && ignore !== 'no') || dict.has('failed_when')
}

/** Keywords that are neither true nor false are looked at when the task runs, which they fail. */
function postponeBooleans(reader: Reader, dict: Dict): Dict {
  const isWrong = (key: Value, value: Value): value is string =>
    typeof key === 'string' &&
    typeof value === 'string' &&
    Object.hasOwn(keywords.task, key) &&
    keywords.task[key as keyof typeof keywords.task].shape === 'bool' &&
    !shapes.bool.accepts(value)
  if (![...dict].some(([key, value]) => isWrong(key, value))) return dict
  const later = [...dict].map(
    ([key, value]) =>
      [key, isWrong(key, value) ? new Template(value, reader.doc.valueAt(dict, key)) : value] as const,
  )
  const copy = new Map(later)
  reader.doc.copyPlaces(dict, copy)
  return copy
}

function readTask(reader: Reader, given: Dict, at: Source, place: Place): Task | undefined {
  const level = place.isHandler ? 'handler' : 'task'
  const isForgiving = (place.isForgiving === true || isIgnoring(given)) && place.phase === undefined
  const dict = isForgiving ? postponeBooleans(reader, given) : given
  const isGuarded = (place.isGuarded === true || dict.has('when')) && place.phase === undefined
  const call = readCall(reader, dict, at, level, isGuarded)
  const loopKeys = [...dict.keys()].filter(isLoopKey)
  reader.checkKeywords(
    dict,
    level,
    at,
    new Set<Value>([...(call ? [call.key, ...(call.also ?? [])] : []), ...loopKeys]),
  )
  if (call === undefined) return undefined
  const moduleAt = reader.doc.keyAt(dict, call.key)
  const options = readGiven(reader, dict, call)
  checkModule(reader, call, options, moduleAt, {
    ...place,
    isComplete: place.isComplete && !dict.has('module_defaults'),
    isForgiving,
    isGuarded,
  })
  checkRegister(reader, dict)
  const loop = readLoop(reader, dict, loopKeys)
  const loopControl = readLoopControl(reader, dict)
  const {
    action: _1,
    localAction: _2,
    args: _3,
    loop: _4,
    loopControl: _5,
    ...fields
  } = readFields(reader, dict, level)
  return {
    kind: 'task',
    ...(call.isLocal ? { delegateTo: 'localhost' } : {}),
    ...fields,
    module: call.module,
    moduleAt,
    ...(options ?? { args: new Map(), argsAt: new Map() }),
    ...(loop ? { loop } : {}),
    ...(loopControl ? { loopControl } : {}),
    at,
  }
}

function readGiven(reader: Reader, dict: Dict, call: Call): TaskArgs | undefined {
  const name = typeof call.module === 'string' ? call.module : call.module.text
  const signature = typeof call.module === 'string' ? reader.signature(name) : undefined
  const own = readArgs(reader, name, signature, call.value, reader.doc.valueAt(dict, call.key))
  const more = dict.get('args')
  const extra = isDict(more)
    ? readArgs(reader, name, signature, more, reader.doc.valueAt(dict, 'args'))
    : undefined
  if (own === undefined) return undefined
  const args = new Map([...(extra?.args ?? []), ...own.args])
  const argsAt = new Map([...(extra?.argsAt ?? []), ...own.argsAt])
  const from = more instanceof Template ? { argsFrom: more } : {}
  return withExpressions(reader, signature, { ...from, ...own, args, argsAt })
}

function checkModule(
  reader: Reader,
  call: Call,
  given: TaskArgs | undefined,
  at: Source,
  place: Place,
): void {
  if (place.phase === 'change' || place.phase === 'distribute')
    checkUndoable(reader, call.module, at, place.phase)
  if (typeof call.module !== 'string') return
  const signature = reader.signature(call.module)
  if (signature === undefined) {
    if (call.key === 'action' || call.key === 'local_action') sayNoModule(reader, call.module, at)
    return
  }
  if (given === undefined || place.isForgiving) return
  const { freeForm } = given
  const args =
    freeForm === undefined || signature.freeForm === undefined
      ? given.args
      : new Map([...given.args, [signature.freeForm, freeForm] as const])
  const where = { at, argsAt: given.argsAt }
  // What a variable holds, or a text that is refused when the task runs, may be all that is missing.
  const isOpen = given.argsFrom !== undefined || (freeForm !== undefined && signature.freeForm === undefined)
  const isComplete = place.isComplete && !isOpen
  reader.problems.push(...checkLiterals(signature, args, where, { ...place, isComplete }))
}

/** Only what is undone by its own inverse may stand where a rotation changes things. */
function checkUndoable(reader: Reader, module: string | Template, at: Source, phase: Phase): void {
  if (module instanceof Template) {
    reader.say('a rotation cannot undo a module that is not known yet', at, 'name the module')
    return
  }
  const found = reader.registry.get(module)
  if (found?.kind === 'state' || (found === undefined && reader.signature(module) === undefined)) return
  reader.say(
    `rota cannot undo ${module}, so it cannot stand in ${phase}`,
    at,
    'move it to preflight if it only reads, else to converge, which also runs after an undo',
  )
}

function checkRegister(reader: Reader, dict: Dict): void {
  const given = dict.get('register') ?? null
  if (given === null || given instanceof Template) return
  const name = String(given)
  if (isIdentifier(name)) return
  reader.say(
    `Invalid variable name in 'register' specified: '${name}'`,
    reader.doc.valueAt(dict, 'register'),
    `use letters, digits and _: ${name.replace(/\W/g, '_')}`,
  )
}

function readLoop(reader: Reader, dict: Dict, loopKeys: readonly string[]): Loop | undefined {
  const keys = [...(dict.has('loop') ? ['loop'] : []), ...loopKeys]
  const [key, second] = keys
  if (key === undefined) return undefined
  if (second !== undefined)
    reader.say(
      `one task cannot loop by both ${key} and ${second}`,
      reader.doc.keyAt(dict, second),
      'remove one',
    )
  const items: Field = dict.get(key) ?? []
  return { kind: key.replace(/^with_/, ''), items, at: reader.doc.keyAt(dict, key) }
}

function readLoopControl(reader: Reader, dict: Dict): LoopControl | undefined {
  const control = dict.get('loop_control')
  if (!isDict(control)) return undefined
  const at = reader.doc.keyAt(dict, 'loop_control')
  reader.checkKeywords(control, 'loop_control', at)
  return { ...readFields(reader, control, 'loop_control'), at }
}
