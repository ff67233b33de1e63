import { problem } from '../core/error.ts'
import type { Condition, Conditional, Field } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { isDict, Template, type Value } from '../core/value.ts'

/** Keywords that come as data and not as a task's own: `apply` of an include, and a role's entry in `roles`. */
const applicable: ReadonlyMap<string, keyof Conditional> = new Map<string, keyof Conditional>([
  ['tags', 'tags'],
  ['when', 'when'],
  ['become', 'become'],
  ['become_user', 'becomeUser'],
  ['become_method', 'becomeMethod'],
  ['vars', 'vars'],
  ['environment', 'environment'],
  ['delegate_to', 'delegateTo'],
  ['ignore_errors', 'ignoreErrors'],
  ['ignore_unreachable', 'ignoreUnreachable'],
  ['no_log', 'noLog'],
  ['run_once', 'runOnce'],
  ['check_mode', 'checkMode'],
  ['diff', 'diff'],
  ['connection', 'connection'],
  ['remote_user', 'remoteUser'],
  ['any_errors_fatal', 'anyErrorsFatal'],
  ['notify', 'notify'],
  ['throttle', 'throttle'],
  ['debugger', 'debugger'],
  ['timeout', 'timeout'],
])
const lists: ReadonlySet<string> = new Set(['tags', 'when', 'environment', 'notify'])

/** Whether a key is a keyword that `apply` and a role's entry can have. */
export function isApplicable(key: string): boolean {
  return applicable.has(key)
}

/** The keywords of `apply`, as a block has them. Throws E_PLAYBOOK for one that cannot be applied. */
export function parseApply(apply: Value | undefined, at: Source): Conditional {
  if (apply === undefined || apply === null) return { at }
  if (!isDict(apply))
    throw problem('E_PLAYBOOK', 'apply is no dict', { at, hint: 'write apply: {KEYWORD: value}' })
  const entries = [...apply].map(([key, value]): [string, unknown] => {
    const name = applicable.get(String(key))
    if (!name) throw problem('E_PLAYBOOK', `apply cannot take "${String(key)}"`, { at, hint: 'remove it' })
    const fields = Array.isArray(value) ? (value as readonly Field[]) : [value]
    if (name === 'when') return [name, fields.map(field => parseCondition(field, at))]
    return [name, name === 'tags' ? fields.flatMap(splitTags) : lists.has(name) ? fields : value]
  })
  return { at, ...Object.fromEntries(entries) }
}

function parseCondition(field: Field, at: Source): Condition {
  return typeof field === 'string'
    ? new Template(field, at)
    : field instanceof Template
      ? field
      : field === true
}

function splitTags(field: Field): Field[] {
  return typeof field === 'string' ? field.split(',').map(tag => tag.trim()) : [field]
}
