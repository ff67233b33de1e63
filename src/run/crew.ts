import pLimit, { type LimitFunction } from 'p-limit'
import { renderSource } from '../core/source.ts'
import { Template } from '../core/value.ts'
import { onceForAll } from './actions.ts'
import { passBadInput } from './bad-input.ts'
import { hasTooManyFailures } from './batch.ts'
import { scopeOfTask } from './host-vars.ts'
import { type Reading, renderBoolean, renderName, renderNumber } from './keyword.ts'
import { takeMeta } from './meta.ts'
import { shortName } from './module-name.ts'
import type { PlayRun } from './play-run.ts'
import { cleanProblem } from './report.ts'
import { failedBy } from './result.ts'
import type { Answers, Crew, Due } from './strategy.ts'
import { runTask, type Verdict } from './task.ts'
import type { Answer } from './walk.ts'

/** Runs the steps that a strategy hands out: on how many hosts at once, once for all or on each, and what a failure means for the others. */
export function createCrew(run: PlayRun, maxFailPercentage: number | undefined): Crew & LastTasks {
  const titles = new Map<string, string>()
  const throttles = new Map<string, LimitFunction>()
  const last = new Map<string, string>()
  let abort: 'no' | 'wanted' | 'done' = 'no'
  return {
    lastTasks: last,
    async take(due) {
      const { step } = due[0]!
      const name = moduleName(due[0]!)
      const id = `${run.id}.${step.at.join('.')}`
      // The play's own flushes of handlers are not shown.
      if (name === 'meta' && step.node.task.at === run.play.at) return takeMeta(run, due)
      const title = titles.get(id) ?? renderTitle(run, due[0]!)
      if (!titles.has(id)) {
        if (run.deps.confirmTask && !(await run.deps.confirmTask(title))) return passOver(due)
        startTask(run, due[0]!, id, title)
      }
      titles.set(id, title)
      if (name === 'meta') return takeMeta(run, due)
      for (const { host } of due) last.set(host, title)
      try {
        return await takeTask(run, due, id, name, throttles)
      } catch (error) {
        passBadInput(error)
        return failAll(run, due, error)
      }
    },
    finish(host, cameThrough) {
      last.delete(host)
      const state = run.fleet.host(host)
      if (cameThrough || state.standing !== 'in') return
      state.standing = 'failed'
      const failed = run.hosts.filter(each => run.fleet.host(each).standing === 'failed').length
      if (abort === 'no' && hasTooManyFailures(failed, run.hosts.length, maxFailPercentage)) abort = 'wanted'
    },
    takeAbort() {
      if (abort !== 'wanted') return false
      abort = 'done'
      return true
    },
    isOver: () => run.deps.stop.aborted || run.ended !== 'no',
  }
}
export interface LastTasks {
  /** The task that a host was given last, while it is on its way. */
  readonly lastTasks: ReadonlyMap<string, string>
}

function moduleName({ step }: Due): string {
  const { module } = step.node.task
  return shortName(module instanceof Template ? module.text : module)
}

/** The task's name, with the first host's variables in it. */
function renderTitle(run: PlayRun, due: Due): string {
  return renderName(readingOf(run, due), { ...due.step.node.task, module: moduleName(due) })
}

/** What the operator does not want performed is as if it were not there. */
function passOver(due: readonly Due[]): Answers {
  return { byHost: new Map(due.map(({ host }) => [host, { ok: true }])), isFatal: false }
}

/** The heading of a task. */
function startTask(run: PlayRun, due: Due, id: string, title: string): void {
  const { task, keywords } = due.step.node
  const module = moduleName(due)
  run.deps.emit({
    type: 'task.start',
    task: id,
    name: run.deps.redactor.clean(keywords.role ? `${keywords.role.name} : ${title}` : title),
    module,
    place: renderSource(task.at),
    handler: run.handlers.isHandler(due.step.node),
    check: isChecked(run, due),
  })
}

/** As far as it can be told for the first host: what cannot be read fails the task later. */
function isChecked(run: PlayRun, due: Due): boolean {
  try {
    const { checkMode } = due.step.node.keywords
    return renderBoolean(readingOf(run, due), 'check_mode', checkMode) ?? run.deps.settings.check
  } catch {
    return run.deps.settings.check
  }
}

function readingOf(run: PlayRun, { host, step }: Due): Reading {
  const { node } = step
  return {
    templar: run.deps.templar,
    scope: scopeOfTask(run, host, node.keywords, new Map()),
    at: node.task.at,
  }
}

async function takeTask(
  run: PlayRun,
  due: readonly Due[],
  id: string,
  name: string,
  throttles: Map<string, LimitFunction>,
): Promise<Answers> {
  const { keywords } = due[0]!.step.node
  const isTrue = (keyword: 'run_once' | 'any_errors_fatal', field: unknown): boolean =>
    typeof field === 'boolean'
      ? field
      : field !== undefined && (renderBoolean(readingOf(run, due[0]!), keyword, field as never) ?? false)
  const isOnce = onceForAll.has(name) || isTrue('run_once', keywords.runOnce)
  const limit = throttleOf(run, due[0]!, id, throttles)
  const takers = isOnce ? due.slice(0, 1) : due
  const hosts = run.hosts.filter(run.fleet.isIn)
  const verdicts = await Promise.all(
    takers.map(taker => limit(() => takeAlone(run, taker, id, isOnce ? hosts : [taker.host]))),
  )
  // A failure that a rescue is waiting for is none yet.
  const isErrorFatal = !due[0]!.step.isRescuable && isTrue('any_errors_fatal', keywords.anyErrorsFatal)
  return decideAnswers(due, isOnce, verdicts, isErrorFatal)
}

/** A keyword that cannot be read for one host fails the task on that host. */
async function takeAlone(
  run: PlayRun,
  { host, step }: Due,
  id: string,
  sharers: readonly string[],
): Promise<Verdict> {
  const started = run.deps.now()
  const ref = { task: id, host }
  try {
    return await runTask(run, host, step, ref, sharers)
  } catch (error) {
    passBadInput(error)
    const { problem } = failedBy(error, step.node.task.at)
    run.fleet.host(host).recap.failed++
    const elapsedMs = run.deps.now().getTime() - started.getTime()
    const clean = cleanProblem(run.deps, problem!)
    run.deps.emit({ type: 'host.end', ...ref, status: 'failed', elapsedMs, problem: clean })
    return { ok: false }
  }
}

function throttleOf(
  run: PlayRun,
  due: Due,
  id: string,
  throttles: Map<string, LimitFunction>,
): <T>(work: () => Promise<T>) => Promise<T> {
  const { throttle } = due.step.node.keywords
  const width = throttle === undefined ? 0 : (renderNumber(readingOf(run, due), 'throttle', throttle) ?? 0)
  if (width < 1) return work => run.limit(work)
  const own = throttles.get(id) ?? pLimit(width)
  throttles.set(id, own)
  return work => own(() => run.limit(work))
}

/**
 * Each host's answer from the verdicts of those that ran the task. With run_once one host fails for all of them; an include brings its
 * steps to that host only, as in Ansible.
 */
function decideAnswers(
  due: readonly Due[],
  isOnce: boolean,
  verdicts: readonly Verdict[],
  isErrorFatal: boolean,
): Answers {
  const hasFailed = verdicts.some(verdict => !verdict?.ok)
  const isFatal = (isErrorFatal && hasFailed) || (isOnce && verdicts[0]?.ok === false)
  const byHost = new Map<string, Answer>()
  for (const [index, { host }] of due.entries()) {
    const verdict = isOnce && index > 0 ? { ok: true } : verdicts[index]
    if (verdict) byHost.set(host, isFatal ? { ok: false } : verdict)
  }
  return { byHost, isFatal }
}

/** A keyword that concerns all hosts cannot be read: the task fails on all of them. */
function failAll(run: PlayRun, due: readonly Due[], error: unknown): Answers {
  const { problem } = failedBy(error, due[0]!.step.node.task.at)
  run.deps.emit({ type: 'problem', problem: cleanProblem(run.deps, problem!) })
  for (const { host } of due) run.fleet.host(host).recap.failed++
  return { byHost: new Map(due.map(({ host }) => [host, { ok: false }])), isFatal: false }
}
