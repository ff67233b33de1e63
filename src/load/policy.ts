import { dirname, resolve } from 'node:path'
import type { Play, Task } from '../core/play.ts'
import type { Application, Duty, Policy } from '../core/policy.ts'
import type { Source } from '../core/source.ts'
import { type Dict, Float, isDict, Template, type Value } from '../core/value.ts'
import { readFields } from './fields.ts'
import { readItems } from './items.ts'
import type { LoadOptions } from './playbook.ts'
import { renderKind } from './problem.ts'
import { Reader } from './reader.ts'
import { loadText, throwAll } from './text-file.ts'
import { parseYaml } from './yaml.ts'

const DAY_MS = 86_400_000
const unitsMs: Readonly<Record<string, number>> = {
  h: DAY_MS / 24,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
}
const WARN_MS = 14 * DAY_MS
/** Of a period shorter than eight weeks. */
const WARN_PART = 4
const example = 'cryptoperiod: 90d'

/**
 * Reads a policy file: a list of applications, each with its hosts, its playbook and its secrets. Nothing is rendered and the
 * playbooks are not opened. Throws one RotaError with every problem: E_FILE, E_YAML, E_POLICY, and for its tasks E_MODULE and E_PARAMS.
 */
export function loadPolicy(file: string, options: LoadOptions): Policy {
  return parsePolicy(loadText(file), file, options)
}

/** The same from text; paths are taken from the folder of `file`. */
export function parsePolicy(text: string, file: string, { registry, vault }: LoadOptions): Policy {
  const doc = parseYaml(text, file, { vault })
  const reader = new Reader(doc, registry)
  const list = doc.value ?? []
  const applications = Array.isArray(list)
    ? (list as readonly Value[]).flatMap((entry, index) => {
        const at = doc.valueAt(list, index)
        if (isDict(entry)) return [readApplication(reader, entry, at)]
        reader.say(`an application is a mapping, not ${renderKind(entry)}`, at, 'begin with `- name: panel`')
        return []
      })
    : []
  if (!Array.isArray(list) || list.length === 0)
    reader.say('a policy is a list of applications', doc.at([]), 'begin with `- name: panel`')
  sayTwice(reader, applications)
  // The loader of plays says E_PLAYBOOK of every place that it knows.
  const problems = reader.problems.map(one =>
    one.code === 'E_PLAYBOOK' ? { ...one, code: 'E_POLICY' as const } : one,
  )
  throwAll(problems.toSorted((a, b) => (a.at && b.at ? a.at.line - b.at.line || a.at.col - b.at.col : 0)))
  return { file, applications }
}

function sayTwice(reader: Reader, applications: readonly Application[]): void {
  const seen = new Set<string>()
  for (const { name, at } of applications) {
    if (seen.has(name)) reader.say(`there are two applications ${name}`, at, 'give one of them another name')
    seen.add(name)
  }
}

function readApplication(reader: Reader, dict: Dict, at: Source): Application {
  reader.checkKeywords(dict, 'application', at)
  const { playbook, secrets: _, ...fields } = readFields(reader, dict, 'application')
  const name = plainText(reader, dict, 'name') ?? ''
  plainText(reader, dict, 'playbook')
  const read = readItems(reader, dict.get('read'), {
    isHandler: false,
    isComplete: !dict.has('module_defaults'),
  })
  const play: Play = {
    kind: 'play',
    hosts: dict.get('hosts') ?? '',
    gatherFacts: false,
    ...fields,
    preTasks: [],
    tasks: read,
    postTasks: [],
    handlers: [],
    at,
  }
  const duties = readDuties(reader, dict, !dict.has('module_defaults'))
  return { name, playbook: resolve(dirname(reader.doc.file), String(playbook ?? '')), duties, play, at }
}

function readDuties(reader: Reader, dict: Dict, isComplete: boolean): Duty[] {
  const secrets = dict.get('secrets')
  if (!isDict(secrets)) return []
  return [...secrets.keys()].flatMap(key => {
    const duty = secrets.get(key) ?? null
    const at = reader.doc.keyAt(secrets, key)
    if (isDict(duty)) return [readDuty(reader, String(key), duty, at, isComplete)]
    reader.say(
      `${String(key)} wants a mapping`,
      at,
      `write ${String(key)}: { class: password, ${example}, owner: … }`,
    )
    return []
  })
}

function readDuty(reader: Reader, secret: string, dict: Dict, at: Source, isComplete: boolean): Duty {
  reader.checkKeywords(dict, 'duty', at)
  const text = (key: string): string | undefined => plainText(reader, dict, key)
  const cryptoperiodMs = readPeriod(reader, dict, 'cryptoperiod') ?? 0
  const consumers = readFields(reader, dict, 'duty')['consumers'] as readonly Value[] | undefined
  return {
    secret,
    class: text('class') ?? '',
    cryptoperiodMs,
    warnMs: readPeriod(reader, dict, 'warn') ?? Math.min(WARN_MS, cryptoperiodMs / WARN_PART),
    owner: text('owner') ?? '',
    consumers: (consumers ?? []).map(String),
    tra: text('tra'),
    rotated: readTime(reader, dict, 'rotated'),
    agrees: readAgrees(reader, dict, isComplete),
    at,
  }
}

/** Tasks by themselves: of a block or an include nobody could say which one disagreed. */
function readAgrees(reader: Reader, dict: Dict, isComplete: boolean): Task[] {
  return readItems(reader, dict.get('agrees'), { isHandler: false, isComplete }).flatMap(item => {
    if (item.kind === 'task' && !/(^|\.)(include|import)_/.test(String(item.module))) return [item]
    reader.say(
      'agrees takes single tasks',
      item.at,
      'write the tasks out, one for each place that holds the secret',
    )
    return []
  })
}

/** Text that is the same for all hosts. A wrong kind has been said. */
function plainText(reader: Reader, dict: Dict, key: string): string | undefined {
  const value = dict.get(key) ?? null
  if (value instanceof Template)
    reader.say(`${key} cannot be a template`, reader.doc.valueAt(dict, key), 'write it out')
  if (value === null || typeof value === 'object')
    return value instanceof Float ? String(value.value) : undefined
  return String(value)
}

/** `90d`, `12h`, `6w`, `1y` in milliseconds. */
function readPeriod(reader: Reader, dict: Dict, key: string): number | undefined {
  const text = plainText(reader, dict, key)
  if (text === undefined) return undefined
  const [, count, unit = ''] = /^(\d+)([hdwy])$/.exec(text) ?? []
  if (Number(count) > 0) return Number(count) * unitsMs[unit]!
  reader.say(
    `${key} is no length of time: ${text}`,
    reader.doc.valueAt(dict, key),
    `write hours, days, weeks or years: 12h, 90d, 6w or 1y`,
  )
  return undefined
}

function readTime(reader: Reader, dict: Dict, key: string): string | undefined {
  const text = plainText(reader, dict, key)
  if (text === undefined) return undefined
  const time = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? new Date(text) : undefined
  if (time && !Number.isNaN(time.getTime())) return time.toISOString()
  reader.say(`${key} is no date: ${text}`, reader.doc.valueAt(dict, key), `write ${key}: 2026-10-01`)
  return undefined
}
