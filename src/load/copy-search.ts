import type { SecretSpec, Task } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, Template, type Value } from '../core/value.ts'
import type { Reader } from './reader.ts'

/**
 * The searches that a rotation makes by itself: before anything is changed for copies of the values in force that it does not
 * know of; and, where it says which files it rewrites, afterwards for what it forgot there. Tasks like the author's own.
 */
export function readSearch(
  reader: Reader,
  rotation: Dict,
  secrets: readonly SecretSpec[],
): { readonly before: readonly Task[]; readonly after: readonly Task[] } {
  const known = secrets.filter(({ current }) => current !== undefined)
  if (known.length === 0) return { before: [], after: [] }
  const place = (key: string): Source => reader.doc.keyAt(rotation, rotation.has(key) ? key : 'secrets')
  const where = [
    ['paths', rotation.get('scope') ?? null],
    ['rewrites', rotation.get('rewrites') ?? null],
    ['allow', rotation.get('allow_copies') ?? null],
  ] as const
  const given = where.filter(([, value]) => value !== null)
  const inForce = known.map(({ name, current }) => [name, current!] as const)
  const before: Task = {
    ...createTask('No file but the known ones holds a value in force', place('scope')),
    args: new Map<Value, Value>([['values', new Map<Value, Value>(inForce)], ...given]),
  }
  if (!rotation.has('rewrites')) return { before: [before], after: [] }
  const at = place('rewrites')
  // What keeps counting for a while stays written down; what has no part in the run is omitted.
  const stale = known
    .filter(({ grace, shared }) => grace === undefined && !(shared && rotation.has('distribute')))
    .map(({ name }) => [name, new Template(`{{ stale.${name} | default(omit) }}`, at)] as const)
  const after: Task = {
    ...createTask('No file holds a value that was replaced', at),
    args: new Map<Value, Value>([['values', new Map<Value, Value>(stale)], ...given, ['rewritten', true]]),
    // With --check nothing was replaced.
    when: [new Template('not ansible_check_mode', at)],
  }
  return { before: [before], after: [after] }
}

/** Runs whatever tags are selected. */
function createTask(name: string, at: Source): Task {
  return {
    kind: 'task',
    name,
    module: 'secret_copies',
    moduleAt: at,
    args: new Map(),
    argsAt: new Map(),
    tags: ['always'],
    at,
  }
}
