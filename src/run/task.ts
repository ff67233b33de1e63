import type { HostStatus, TaskRef } from '../core/event.ts'
import { type List, toValue } from '../core/value.ts'
import { type Act, createAct } from './act.ts'
import { passBadInput } from './bad-input.ts'
import { debugTask, type Retry } from './debugger.ts'
import { storeFacts } from './fleet.ts'
import { runItem } from './item.ts'
import { renderBoolean, renderName, renderText } from './keyword.ts'
import { renderItems, runLoop } from './loop.ts'
import { shortName } from './module-name.ts'
import type { PlayRun } from './play-run.ts'
import { countResult } from './recap.ts'
import { renderEnd, renderStatus } from './report.ts'
import { failedBy, type Included, type TaskResult } from './result.ts'
import type { Answer, Step, Through } from './walk.ts'

/** What a task on a host means for it: undefined when the host is lost. */
export type Verdict = Answer | undefined

/**
 * Runs one task on one host, from its keywords to its place in the recap. `sharers` get what it registers and finds: the host
 * itself, and with run_once all others.
 */
export async function runTask(
  run: PlayRun,
  host: string,
  step: Step,
  ref: TaskRef,
  sharers: readonly string[],
): Promise<Verdict> {
  const { deps } = run
  const started = deps.now()
  deps.emit({ type: 'host.start', ...ref })
  const { act, result, status } = await runSettled(run, host, step, ref)
  if (!isRoleMissing(step, result) || status === 'ignored')
    countResult(run.fleet.host(host), result, countedAs(run, step, result, status), isInclude(step))
  else if (status === 'failed') run.fleet.host(host).isMissingRole = true
  shareResult(act, result, sharers)
  if (status === 'rescued') keepFailure(act, result)
  showCheck(act, result, status)
  deps.emit(renderEnd(act, result, status, deps.now().getTime() - started.getTime()))
  if (status === 'unreachable' || status === 'unknown') {
    run.fleet.host(host).standing = status
    return undefined
  }
  for (const topic of result.notify ?? [])
    for (const sharer of sharers) run.handlers.notify(sharer, run.handlers.find(topic), step.node)
  return { ok: status !== 'failed' && status !== 'rescued', more: includeAll(run, result.included ?? []) }
}

/** Runs it, and at the debugger again for as long as the operator wants. */
async function runSettled(
  run: PlayRun,
  host: string,
  step: Step,
  ref: TaskRef,
): Promise<{ act: Act; result: TaskResult; status: HostStatus }> {
  for (let next: Retry = { step, vars: new Map(), original: step }; ; ) {
    const { act, result } = await runKeywords(run, host, next, ref)
    const status = decideStatus(act, result)
    const again = await debugTask(act, result, status, next)
    if (!again) return { act, result, status }
    next = again
  }
}

async function runKeywords(
  run: PlayRun,
  host: string,
  { step, vars }: Retry,
  ref: TaskRef,
): Promise<{ act: Act; result: TaskResult }> {
  const act = createAct(run, host, step, ref)
  for (const [name, value] of vars) act.overlay.set(name, value)
  const { loop } = step.node.task
  if (!loop) return { act, result: await runItem(act) }
  let items: List
  try {
    items = renderItems(act, loop)
  } catch (error) {
    return { act, result: await runItem(act, error) }
  }
  try {
    return { act, result: await runLoop(act, items) }
  } catch (error) {
    passBadInput(error)
    return { act, result: failedBy(error, act.at) }
  }
}

/** An unknown outcome is never ignored and never rescued: nobody knows what there is to go on from. */
function decideStatus(act: Act, result: TaskResult): HostStatus {
  const { keywords } = act.step.node
  if (result.status === 'failed') {
    if (isTrue(act, 'ignore_errors', keywords.ignoreErrors) || isFlake(act, result)) return 'ignored'
    return act.step.isRescuable ? 'rescued' : 'failed'
  }
  if (result.status === 'unreachable' && isTrue(act, 'ignore_unreachable', keywords.ignoreUnreachable))
    return 'ignored'
  return renderStatus(result)
}

/** What is good only now and then does not keep the other checks from being made: together they say what it means. */
function isFlake(act: Act, result: TaskResult): boolean {
  if (act.run.phase !== 'verify' || result.flaky !== true) return false
  return !isTrue(act, 'ignore_errors', act.step.node.keywords.ignoreErrors)
}

/** ansible-core 2.14 counts this nowhere, and tools compare the recap; that the host failed is said beside it. */
function isRoleMissing({ node }: Step, { status, problem }: TaskResult): boolean {
  return (
    shortName(String(node.task.module)) === 'include_role' &&
    status === 'failed' &&
    problem?.code === 'E_FILE'
  )
}

/** As in Ansible what fails in a handler, and an include of what is not there, counts as failed even where a rescue takes it up. */
function countedAs(run: PlayRun, step: Step, { problem }: TaskResult, status: HostStatus): HostStatus {
  const isMissing = isInclude(step) && problem?.code === 'E_FILE'
  return status === 'rescued' && (isMissing || run.handlers.isHandler(step.node)) ? 'failed' : status
}

function isInclude({ node }: Step): boolean {
  return String(node.task.module).includes('include')
}

function isTrue(act: Act, name: string, field: Parameters<typeof renderBoolean>[2]): boolean {
  try {
    return renderBoolean(act, name, field) ?? false
  } catch {
    // A keyword that cannot be read does not make a failure any better.
    return false
  }
}

function shareResult(act: Act, result: TaskResult, sharers: readonly string[]): void {
  const { run } = act
  const name = renderText(act, 'register', act.step.node.task.register)
  for (const sharer of sharers) {
    const host = run.fleet.host(sharer)
    if (name !== undefined) host.registered.set(name, result.values)
    if (sharer !== act.host && result.facts && result.status === 'ok')
      storeFacts(host, result.facts, result.factsKind)
  }
}

/** What a rescue may ask about the failure that it is there for. */
function keepFailure(act: Act, result: TaskResult): void {
  const { task } = act.step.node
  const { registered } = act.run.fleet.host(act.host)
  registered.set('ansible_failed_result', result.values)
  registered.set(
    'ansible_failed_task',
    toValue({
      name: task.name === undefined ? '' : renderName(act, task),
      action: String(task.module),
      args: task.args,
    }),
  )
}

/** Modules that prepare a check and are none themselves. */
const noChecks: ReadonlySet<string> = new Set(['set_fact', 'debug', 'include_tasks', 'include_vars'])

/** Every task of a rotation's preflight and verify is a check, and goes into the evidence as one. */
function showCheck(act: Act, result: TaskResult, status: HostStatus): void {
  const { run, host } = act
  const { task } = act.step.node
  const { redactor } = run.deps
  const isBad = ['failed', 'unreachable', 'unknown'].includes(status)
  const name = redactor.clean(renderName(act, task))
  const message = result.message === undefined || act.isSilent ? undefined : redactor.clean(result.message)
  const why = redactor.clean(`${name}: ${message ?? status}`)
  const isFlaky = status === 'ignored' && isFlake(act, result)
  if (isBad) run.fleet.host(host).failure = why
  if (isFlaky) run.fleet.host(host).flake ??= why
  const isCheck = run.phase === 'preflight' || run.phase === 'verify'
  if (!isCheck || status === 'skipped' || noChecks.has(String(task.module))) return
  run.deps.emit({
    type: 'check',
    host,
    name,
    ok: !isBad && !isFlaky && status !== 'rescued',
    ...(message === undefined ? {} : { message }),
  })
}

function includeAll(run: PlayRun, included: readonly Included[]): Answer['more'] {
  if (included.length === 0) return undefined
  return function* (at, isRescuable) {
    let through: Through = 'ok'
    for (const each of included) {
      const order = run.orderOfInclude(at, each.key)
      const next = yield* each.walk([...at, order], isRescuable)
      if (next === 'failed') return 'failed'
      if (next === 'cleared') through = 'cleared'
    }
    return through
  }
}
