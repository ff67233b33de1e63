import { errors, type Problem } from '../core/error.ts'
import type { HostStatus, RunEvent } from '../core/event.ts'
import type { Clean } from '../core/redact.ts'
import type { Value } from '../core/value.ts'
import type { Act } from './act.ts'
import type { RunDeps } from './deps.ts'
import { renderJson, type TaskResult, toMap } from './result.ts'

/** The status of a result by itself, before rescue and ignore_errors are considered. */
export function renderStatus(result: TaskResult): HostStatus {
  return result.status === 'ok' && result.changed ? 'changed' : result.status
}

/** The result's diff as text, redacted; undefined when there is none to show. */
export function renderPatch(deps: RunDeps, { diff }: TaskResult): Clean | undefined {
  const text = diff ? deps.renderDiff(diff.before, diff.after) : ''
  return text === '' ? undefined : deps.redactor.clean(text)
}

const SILENT_HINT = 'no_log hides why; without it everybody who sees the output sees the result'
const HINT = 'the result above says why'

const CENSORED =
  "the output has been hidden due to the fact that 'no_log: true' was specified for this result"

/** What is shown of a result with `no_log`. */
export function censored({ changed }: TaskResult): ReadonlyMap<string, Value> {
  return toMap({ censored: CENSORED, changed })
}

/** The end of a task on a host as an event: everything redacted, nothing of a no_log task. */
export function renderEnd(act: Act, result: TaskResult, status: HostStatus, elapsedMs: number): RunEvent {
  const { deps } = act.run
  const end = { type: 'host.end', ...act.ref, status, elapsedMs } as const
  if (act.isSilent) {
    const isBad = status !== 'ok' && status !== 'changed' && status !== 'skipped'
    const hidden = { ...end, censored: true, result: deps.redactor.clean(renderJson(censored(result))) }
    const problem: Problem = { code: 'E_TASK', message: errors.E_TASK.say, at: act.at, hint: SILENT_HINT }
    return isBad ? { ...hidden, message: deps.redactor.clean(CENSORED), problem } : hidden
  }
  const diff = renderPatch(deps, result)
  // The message stands beside it already; this says where, and what to do.
  const plain: Problem = { code: 'E_TASK', message: errors.E_TASK.say, at: act.at, hint: HINT }
  const problem = result.problem ?? (status === 'failed' ? plain : undefined)
  return {
    ...end,
    ...(result.message === undefined ? {} : { message: deps.redactor.clean(result.message) }),
    ...(problem === undefined ? {} : { problem: cleanProblem(deps, problem) }),
    ...(diff === undefined || isLoop(act) ? {} : { diff }),
    result: renderValues(deps, result),
  }
}

/** Options that may hold what nobody should read although it is no Secret; Ansible hides these as well. */
const HIDDEN = /^content$|pass|secret|token/

function renderInvocation(options: ReadonlyMap<string, Value>): Value {
  const shown = [...options].map(([name, value]) => [
    name,
    HIDDEN.test(name) && value !== null ? 'VALUE_SPECIFIED_IN_NO_LOG_PARAMETER' : value,
  ])
  return toMap({ module_args: Object.fromEntries(shown) })
}

/** What is shown of a result's values: with `-vvv` also how the module was called. */
export function renderValues(deps: RunDeps, { values, invocation }: TaskResult): Clean {
  const shown = invocation
    ? new Map([...values, ['invocation', renderInvocation(invocation)] as const])
    : values
  return deps.redactor.clean(renderJson(shown))
}

/** Items have shown their diffs already. */
function isLoop(act: Act): boolean {
  return act.step.node.task.loop !== undefined
}

export function cleanProblem(deps: RunDeps, problem: Problem): Problem {
  return {
    ...problem,
    message: deps.redactor.clean(problem.message),
    hint: problem.hint === undefined ? undefined : deps.redactor.clean(problem.hint),
  }
}
