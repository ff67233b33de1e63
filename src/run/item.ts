import { setTimeout as sleep } from 'node:timers/promises'
import { problem } from '../core/error.ts'
import type { Condition } from '../core/play.ts'
import { Template, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { attempt } from './attempt.ts'
import { badInput, passBadInput } from './bad-input.ts'
import { storeFacts } from './fleet.ts'
import { isConditionTrue, renderBoolean, renderNumber, renderText, renderTexts } from './keyword.ts'
import { failedBy, skipped, type TaskResult } from './result.ts'

const DELAY_S = 5
const RETRIES = 3

/**
 * A task once, or one item of its loop: when → arguments → module → changed_when → failed_when → until, again → whom to notify.
 * `loopError`: the loop could not be evaluated, which matters only if the task is not skipped. Never throws.
 */
export async function runItem(act: Act, loopError?: unknown): Promise<TaskResult> {
  try {
    const unmet = findUnmet(act, act.step.node.keywords.when)
    if (unmet !== undefined)
      return skipped({
        skip_reason: 'Conditional result was False',
        // Of an item it is the task's, over and over.
        ...(act.index === undefined && { false_condition: typeof unmet === 'boolean' ? unmet : unmet.text }),
      })
    if (loopError !== undefined) throw loopError
    const result = keepFacts(act, await runUntil(act))
    return result.status === 'ok' && result.changed ? { ...result, notify: findTopics(act) } : result
  } catch (error) {
    passBadInput(error)
    return failedBy(error, act.at)
  }
}

function findUnmet(act: Act, conditions: readonly Condition[]): Condition | undefined {
  return conditions.find(condition => !isConditionTrue(act, condition, act.run.warn))
}

/** Attempts until `until` holds, or without one until the task succeeds; `retries` more after the first. */
async function runUntil(act: Act): Promise<TaskResult> {
  const { task } = act.step.node
  const { deps } = act.run
  const retries =
    task.until || task.retries !== undefined ? (renderNumber(act, 'retries', task.retries) ?? RETRIES) : 0
  const delayMs = 1000 * Math.max(0, renderNumber(act, 'delay', task.delay) ?? DELAY_S)
  for (let made = 1; ; made++) {
    const raw = await attempt(act)
    if (raw.status !== 'ok' && raw.status !== 'failed') return raw
    const result = judge(act, retries > 0 ? withValue(raw, 'attempts', made) : raw)
    if (retries <= 0) return result
    showResult(act, result)
    if (task.until ? findUnmet(act, task.until) === undefined : result.status === 'ok') return result
    const left = retries + 1 - made
    if (left <= 0 || deps.stop.aborted) return exhausted(result, retries, task.failedWhen !== undefined)
    deps.emit({ type: 'host.retry', ...act.ref, left })
    await sleep(delayMs, undefined, { signal: deps.stop }).catch(() => undefined)
  }
}

/** failed_when has the last word here too: where it does not hold, the task has not failed. */
function exhausted(result: TaskResult, retries: number, isJudged: boolean): TaskResult {
  const failed = withValue(withValue(result, 'attempts', retries), 'failed', true)
  if (isJudged && result.status === 'ok') return { ...failed, status: 'ok' }
  return {
    ...failed,
    status: 'failed',
    message: result.message ?? `the condition of until did not hold after ${retries} retries`,
  }
}

/** changed_when and failed_when have the last word; they see the result under its register name. */
function judge(act: Act, result: TaskResult): TaskResult {
  const { changedWhen, failedWhen } = act.step.node.task
  let judged = result
  let name = 'changed_when_result'
  try {
    if (changedWhen) {
      showResult(act, judged)
      const changed = findUnmet(act, changedWhen) === undefined
      judged = { ...withValue(judged, 'changed', changed), changed }
    }
    name = 'failed_when_result'
    if (failedWhen) {
      showResult(act, judged)
      judged = withVerdict(judged, findUnmet(act, failedWhen) === undefined, failedWhen)
    }
    return judged
  } catch (error) {
    const failed = failedBy(error, act.at)
    const values = new Map([...judged.values, ...failed.values])
    values.set(name, failed.message ?? '').set('changed', judged.changed)
    return { ...failed, changed: judged.changed, values }
  }
}

function withVerdict(result: TaskResult, failed: boolean, conditions: readonly Condition[]): TaskResult {
  const flagged = withValue(withValue(result, 'failed', failed), 'failed_when_result', failed)
  const wasFailed = result.status === 'failed'
  if (!failed)
    return { ...flagged, status: 'ok', problem: undefined, message: wasFailed ? undefined : result.message }
  const message =
    result.status === 'failed' ? result.message : `failed_when holds: ${renderConditions(conditions)}`
  return { ...flagged, status: 'failed', message }
}

function renderConditions(conditions: readonly Condition[]): string {
  return conditions.map(each => (each instanceof Template ? each.text : String(each))).join(' and ')
}

function withValue(result: TaskResult, name: string, value: Value): TaskResult {
  return { ...result, values: new Map(result.values).set(name, value) }
}

function showResult(act: Act, result: TaskResult): void {
  const name = renderText(act, 'register', act.step.node.task.register)
  if (name !== undefined) act.overlay.set(name, result.values)
}

/** At once, so that the next item of a loop sees them. What belongs to another host is nobody else's. */
function keepFacts(act: Act, result: TaskResult): TaskResult {
  if (!result.facts || result.status !== 'ok') return result
  const isDelegated = renderBoolean(act, 'delegate_facts', act.step.node.keywords.delegateFacts) ?? false
  const owner = isDelegated ? (result.factsOf ?? act.host) : act.host
  storeFacts(act.run.fleet.host(owner), result.facts, result.factsKind)
  return owner === act.host ? result : { ...result, facts: undefined }
}

/** Topics that a handler answers to. One that none does is a mistake in the playbook: throws BadInput of E_PLAYBOOK. */
function findTopics(act: Act): string[] {
  const { keywords } = act.step.node
  if (keywords.notify.length === 0) return []
  const topics = renderTexts(act, 'notify', keywords.notify)
  for (const { name } of act.run.handlers.all.filter(handler => handler.isUnusable))
    act.run.warn(`Handler '${name}' is unusable: its name cannot be rendered, and it listens to nothing`)
  const missing = topics.filter(topic => act.run.handlers.find(topic).length === 0)
  if (act.run.deps.settings.allowsMissingHandlers) for (const topic of missing) act.run.warn(noHandler(topic))
  else
    for (const topic of missing)
      throw badInput(
        act.run,
        problem('E_PLAYBOOK', noHandler(topic), {
          at: act.at,
          hint: `add it under \`handlers:\`, by \`name\` or with \`listen\`${renderHandlers(act)}`,
        }),
      )
  return topics
}

function renderHandlers({ run }: Act): string {
  const names = [...new Set(run.handlers.all.map(({ name }) => name))]
  return names.length > 0 && names.length <= 12 ? `; there are: ${names.join(', ')}` : ''
}

function noHandler(topic: string): string {
  return `The requested handler '${topic}' was not found in either the main handlers list nor in the listening handlers list`
}
