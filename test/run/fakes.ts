// A world for the engine without files, network or Jinja: plays as data, a templar of a few forms, modules as functions.

import { problem } from '../../src/core/error.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { defineAction, defineState, type Module, type Outcome } from '../../src/core/module.ts'
import type { Block, Item, Play, Playbook, Rotation, Task } from '../../src/core/play.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { Templar } from '../../src/core/templar.ts'
import { type Dict, isDict, Omit, type Scope, Template, toValue, type Value } from '../../src/core/value.ts'
import { type Inventory, type Layer, ranks } from '../../src/core/vars.ts'
import { type RunDeps, type RunEnd, runPlaybooks, type Settings } from '../../src/run/engine.ts'
import { plainSettings } from './settings.ts'

export const at = { file: '/plays/play.yml', line: 1, col: 1 }
export const T = (text: string): Template => new Template(text, at)
const dict = (data: Record<string, unknown>): Dict => toValue(data) as Dict

/** A task: its name, module, arguments and further keywords. */
export function task(
  name: string,
  module = 'ok',
  args: Record<string, unknown> = {},
  more: Partial<Task> = {},
): Task {
  return { kind: 'task', name, module, moduleAt: at, args: dict(args), argsAt: new Map(), at, ...more }
}
export const meta = (freeForm: string, more: Partial<Task> = {}): Task =>
  task('', 'meta', {}, { freeForm, ...more })
export function block(items: Item[], more: Partial<Block> = {}): Block {
  return { kind: 'block', block: items, at, ...more }
}
export function play(tasks: Item[], more: Partial<Play> = {}): Play {
  return { kind: 'play', hosts: 'all', at, preTasks: [], tasks, postTasks: [], handlers: [], ...more }
}
export const rotation = (
  phases: Partial<Rotation['phases']>,
  secrets: Rotation['secrets'] = [],
): Rotation => ({
  name: 'r',
  secrets,
  providerGates: [],
  at,
  phases: {
    preflight: [],
    backup: [],
    distribute: [],
    change: [],
    converge: [],
    verify: [],
    committed: [],
    confirmed: [],
    finalise_preflight: [],
    finalise: [],
    ...phases,
  },
})

/** Names with dots, literals, `not`, `==`, `is defined`, `+` on lists: enough for keywords. Jinja's own tests are elsewhere. */
function evaluate(text: string, scope: Scope): Value {
  const source = text.trim()
  if (source.startsWith('not ')) return !evaluate(source.slice(4), scope)
  const [, left, right] = /^(.+?) == (.+)$/.exec(source) ?? []
  if (left !== undefined) return evaluate(left, scope) === evaluate(right!, scope)
  const [, name] = /^(.+) is defined$/.exec(source) ?? []
  if (name !== undefined) return look(name, scope) !== undefined
  if (/^'.*'$/.test(source)) return source.slice(1, -1)
  if (/^-?\d+$/.test(source)) return Number(source)
  if (source === 'true' || source === 'false') return source === 'true'
  const value = look(source, scope)
  if (value === undefined) throw problem('E_UNDEFINED', `'${source}' is undefined`, { at })
  return value
}
function look(path: string, scope: Scope): Value | undefined {
  const [first, ...rest] = path.split('.')
  let value = scope.get(first!)
  for (const part of rest) {
    value = value instanceof Template ? templar.render(value, scope) : value
    value = isDict(value)
      ? value.get(part)
      : Array.isArray(value)
        ? (value as readonly Value[])[Number(part)]
        : undefined
  }
  return value instanceof Template ? templar.render(value, scope) : value
}
const templar: Templar = {
  render(value, scope) {
    if (value instanceof Template) {
      const whole = /^\{\{([^}]*)\}\}$/.exec(value.text)
      if (whole) return evaluate(whole[1]!, scope)
      return value.text.replace(/\{\{([^}]*)\}\}/g, (_, inner) => String(evaluate(inner, scope)))
    }
    if (Array.isArray(value))
      return (value as readonly Value[])
        .map(each => templar.render(each, scope))
        .filter(each => !(each instanceof Omit))
    if (isDict(value)) return new Map([...value].map(([key, each]) => [key, templar.render(each, scope)]))
    return value
  },
  evaluate: (expression, scope) => evaluate(expression.text, scope),
  renderFile: text => text,
  isTrue: value => Boolean(value),
}

function scopeOf(layers: readonly Layer[], magic: Scope): Scope {
  const sorted = [...layers].sort(
    (a, b) => ranks.indexOf(b.rank) - ranks.indexOf(a.rank) || layers.indexOf(b) - layers.indexOf(a),
  )
  return {
    get: name => magic.get(name) ?? sorted.find(layer => layer.values.has(name))?.values.get(name),
    names: () => new Set([...magic.names(), ...layers.flatMap(layer => [...layer.values.keys()])]),
  }
}

type Behaviour = (
  host: string,
  args: Readonly<Record<string, unknown>>,
) => Partial<Outcome> | Promise<Partial<Outcome>>
const any = { type: 'any', doc: '' } as const
function action(name: string, run: Behaviour, reads = true): Module {
  return defineAction({
    name,
    summary: name,
    params: {},
    otherParams: any,
    returns: {},
    examples: '',
    reads,
    run: async (target, args) => ({ changed: false, ...(await run(target.name, args)) }),
  })
}

/** A target for the state module `set`: what each host holds. */
export type Disk = Record<string, Record<string, string>>

export interface Result extends RunEnd {
  readonly events: readonly RunEvent[]
  /** `task:host=status`, in the order the tasks ended. */
  readonly order: string
  readonly registered: readonly (readonly [string, Value])[]
}
export interface World {
  readonly hosts?: Record<string, Record<string, unknown>>
  readonly groups?: Record<string, string[]>
  readonly settings?: Partial<Settings>
  readonly modules?: Record<string, Behaviour>
  readonly files?: Record<string, Item[]>
  readonly disk?: Disk
  readonly deps?: Partial<RunDeps>
  readonly onEvent?: (event: RunEvent) => void
}

function stateModule(disk: Disk): Module {
  return defineState({
    name: 'set',
    summary: 'set',
    params: {
      key: { type: 'string', required: true, doc: '' },
      value: { type: 'string', required: true, doc: '' },
    },
    returns: {},
    examples: '',
    read: async (t, args) => ({ key: args.key, value: disk[t.name]?.[args.key] ?? null }),
    reread: async (t, state: { key: string; value: string | null }) => ({
      key: state.key,
      value: disk[t.name]?.[state.key] ?? null,
    }),
    want: args => ({ key: args.key, value: args.value }),
    write: async (t, before, after) => {
      const held = disk[t.name]?.[before.key] ?? null
      if (held !== before.value) throw problem('E_CONFLICT', `${before.key} is ${held}`)
      disk[t.name] ??= {}
      if (after.value === null) delete disk[t.name]![after.key]
      else disk[t.name]![after.key] = after.value
    },
    result: (_, before, after) => ({ before: before.value, after: after.value }),
    show: state => ({ header: state.key, text: `${state.value}\n` }),
  })
}

export function inventoryOf(world: World): Inventory {
  const hosts = world.hosts ?? { a: {}, b: {}, c: {} }
  const groups = world.groups ?? {}
  return {
    sources: ['/plays/hosts'],
    hosts: new Map(
      Object.entries(hosts).map(([name, values]) => [
        name,
        {
          name,
          groups: Object.keys(groups).filter(group => groups[group]!.includes(name)),
          layers: [
            {
              rank: 'inventory file host vars',
              from: 'hosts',
              values: dict(values) as ReadonlyMap<string, Value>,
            },
          ],
        },
      ]),
    ),
    groups: new Map(
      Object.entries(groups).map(([name, members]) => [name, { name, hosts: members, children: [] }]),
    ),
  }
}

/** Plays in, events out. */
export async function run(plays: Play[], world: World = {}): Promise<Result> {
  const events: RunEvent[] = []
  const registered: [string, Value][] = []
  const modules = new Map<string, Module>(
    [
      action('ok', () => ({})),
      action('touch', () => ({ changed: true }), false),
      action('fail', () => ({ failed: true, msg: 'failed as told' })),
      action('gone', host => {
        throw problem('E_UNREACHABLE', `${host} is gone`)
      }),
      action('lost', host => {
        throw problem('E_UNKNOWN', `${host}: the channel closed`)
      }),
      action('say', (host, { value }) => {
        registered.push([host, value as Value])
        return { msg: 'said' }
      }),
      action('give', (_, args) => ({ ...args, values: args })),
      action('set_fact', (_, args) => ({ facts: new Map(Object.entries(args)) as never })),
      stateModule(world.disk ?? {}),
      ...Object.entries(world.modules ?? {}).map(([name, behave]) => action(name, behave)),
    ].map(module => [module.name, module]),
  )
  const deps: RunDeps = {
    registry: { get: name => modules.get(name), names: () => [...modules.keys()] },
    connections: {
      open: () => Promise.reject(new Error('no network')),
      reset: async () => {},
      close: async () => {},
    },
    templar,
    inventory: inventoryOf(world),
    settings: { ...plainSettings, ...world.settings },
    redactor: createRedactor(),
    emit: event => {
      events.push(event)
      world.onEvent?.(event)
    },
    stop: new AbortController().signal,
    now: () => new Date(0),
    random: size => Buffer.alloc(size),
    checkArgs: (_, args) => Object.fromEntries([...args].map(([key, value]) => [String(key), value])),
    loadPlaybook: file => ({ file, plays: [] }),
    loadTasks: file => world.files?.[file.split('/').at(-1)!] ?? [],
    loadHandlers: () => [],
    loadVarsFile: () => ({ values: new Map() }),
    selectHosts: (inventory, pattern) =>
      pattern === 'all'
        ? [...inventory.hosts.keys()]
        : [...inventory.hosts.keys()].filter(name => isIn(inventory, pattern, name)),
    scopeOf,
    runLookup: (_, terms) => terms,
    addressOf: () => {
      throw new Error('no address')
    },
    becomeOf: () => undefined,
    renderDiff: (before, after) => (before.text === after.text ? '' : `-${before.text}+${after.text}`),
    backupFolder: async () => '/backup',
    seal: () => Promise.reject(new Error('no seal')),
    openVault: () => {
      throw new Error('no vault')
    },
    unseal: () => Promise.reject(new Error('no seal')),
    ...world.deps,
  }
  const playbook: Playbook = { file: at.file, plays }
  const end = await runPlaybooks([playbook], deps)
  return { ...end, events, order: renderOrder(events), registered }
}

function isIn(inventory: Inventory, pattern: string, host: string): boolean {
  return pattern.split(',').some(each => each === host || inventory.groups.get(each)?.hosts.includes(host))
}

/** Hosts that take a task at the same time end in no given order: they are shown in that of their names. */
function renderOrder(events: readonly RunEvent[]): string {
  const names = new Map<string, string>()
  const groups: { task: string; ends: string[] }[] = []
  for (const event of events) {
    if (event.type === 'task.start') names.set(event.task, event.name)
    if (event.type !== 'host.end') continue
    if (groups.at(-1)?.task !== event.task) groups.push({ task: event.task, ends: [] })
    const status = event.status === 'ok' ? '' : `=${event.status}`
    groups.at(-1)!.ends.push(`${names.get(event.task)}:${event.host}${status}`)
  }
  return groups.flatMap(({ ends }) => ends.sort()).join(' ')
}

/** `ok=1 changed=0 …` without the zeros. */
export function recapOf(result: RunEnd, host: string): string {
  return Object.entries(result.recap[host] ?? {})
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name}=${count}`)
    .join(' ')
}
