import { type ErrorCode, type Problem, problemsOf, RotaError } from '../core/error.ts'
import type { Outcome, Shown } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'
import { Template, toValue, type Value } from '../core/value.ts'
import type { Place, Walk } from './walk.ts'

export type FactsKind = 'facts' | 'set_fact' | 'cacheable' | 'include_vars'

/** What came of a task, or of one item of its loop, before it is decided what that means for the host. */
export interface TaskResult {
  readonly status: 'ok' | 'skipped' | 'failed' | 'unreachable' | 'unknown'
  readonly changed: boolean
  /** What `register` gets, in Ansible's names. May hold raw text of the target. */
  readonly values: ReadonlyMap<string, Value>
  readonly message?: string | undefined
  readonly problem?: Problem | undefined
  /** Failed, but not always: see Outcome. */
  readonly flaky?: boolean | undefined
  readonly diff?: { readonly before: Shown; readonly after: Shown } | undefined
  /** Variables for the host from now on, and what kind they are. */
  readonly facts?: ReadonlyMap<string, Value> | undefined
  readonly factsKind?: FactsKind | undefined
  /** Whose variables the facts would be with `delegate_facts`. */
  readonly factsOf?: string | undefined
  /** Handlers to notify, rendered. */
  readonly notify?: readonly string[] | undefined
  /** How often an ok counts in the recap, when not once: include_tasks for each file, include_role not at all. */
  readonly okCount?: number | undefined
  /** Of a loop: how many items named a file that is not there. */
  readonly missingCount?: number | undefined
  /** The options that the module was given: shown with `-vvv`, not registered. */
  readonly invocation?: ReadonlyMap<string, Value> | undefined
  /** The options could not be rendered: in a loop no further item is tried. */
  readonly isUnrendered?: boolean | undefined
  /** Steps that an include brings, in order. */
  readonly included?: readonly Included[] | undefined
}
export interface Included {
  /** The same for all hosts that include the same file at the same item. */
  readonly key: string
  walk(at: Place, isRescuable: boolean): Walk
}

export function skipped(values: Readonly<Record<string, unknown>>, message?: string): TaskResult {
  return {
    status: 'skipped',
    changed: false,
    message,
    values: toMap({ changed: false, skipped: true, ...values }),
  }
}

const statusOf: Partial<Record<ErrorCode, TaskResult['status']>> = {
  E_UNREACHABLE: 'unreachable',
  E_HOST_KEY: 'unreachable',
  E_AUTH: 'unreachable',
  E_BECOME: 'unreachable',
  E_UNKNOWN: 'unknown',
}

/** An error as the host's result. */
export function failedBy(error: unknown, at: Source): TaskResult {
  const found = problemsOf(error)
  const [first] = found
  const problem: Problem = {
    code: first?.code ?? 'E_BUG',
    message: found.map(each => each.message).join('; '),
    at: first?.at ?? at,
    hint: first?.hint,
  }
  const status = statusOf[problem.code] ?? 'failed'
  const own = error instanceof RotaError ? error.values : {}
  const flag = status === 'unreachable' || status === 'unknown' ? { [status]: true } : {}
  return {
    status,
    changed: false,
    message: problem.message,
    problem,
    values: toMap({ changed: false, ...own, failed: status === 'failed', ...flag, msg: problem.message }),
  }
}

/** A module's outcome as a result: Ansible's keys, `failed` from `rc` where the module does not say. */
export function fromOutcome(outcome: Outcome, isDiff: boolean): TaskResult {
  const { changed, msg, diff, facts, flaky, shown = msg } = outcome
  const rc = outcome.values?.['rc']
  const failed = outcome.failed ?? (typeof rc === 'number' && rc !== 0)
  const values = toMap({ changed, ...outcome.values })
  addLines(values, 'stdout')
  addLines(values, 'stderr')
  if (msg !== undefined) values.set('msg', msg)
  if (facts) values.set('ansible_facts', facts)
  if (diff && isDiff && !values.has('diff')) values.set('diff', toValue(renderDiffValue(diff)))
  if (outcome.skipped) values.set('skipped', true)
  values.set('failed', failed)
  const status = failed ? 'failed' : outcome.skipped ? 'skipped' : 'ok'
  return { status, changed, values, message: shown, diff: isDiff ? diff : undefined, facts, flaky }
}

/** A diff as Ansible registers it. */
export function renderDiffValue({ before, after }: NonNullable<Outcome['diff']>): Record<string, string> {
  return {
    before: before.text,
    after: after.text,
    before_header: before.header,
    after_header: after.header,
  }
}

/** Ansible gives `stdout_lines` beside every `stdout`. */
function addLines(values: Map<string, Value>, name: string): void {
  const text = values.get(name)
  if (typeof text !== 'string' || values.has(`${name}_lines`)) return
  values.set(`${name}_lines`, text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/))
}

export function toMap(data: Readonly<Record<string, unknown>>): Map<string, Value> {
  return new Map(
    Object.entries(data)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, toValue(member)]),
  )
}

/** A value as one line for people: text as it is, everything else as JSON; secrets by their label. */
export function renderLabel(value: Value): string {
  if (value instanceof Secret) return `[secret ${value.label}]`
  return typeof value === 'string' ? value : renderJson(value)
}

/** JSON with dicts as objects. Secrets show their label. */
export function renderJson(value: Value): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (member instanceof Map)
      return Object.fromEntries([...member].map(([key, each]) => [String(key), each]))
    if (member instanceof Template) return member.text
    return typeof member === 'bigint' ? Number(member) : member
  })
}
