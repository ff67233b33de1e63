import { problem, RotaError } from '../core/error.ts'
import type { Module, Outcome, Target } from '../core/module.ts'
import { Template, type Value } from '../core/value.ts'
import { type Act, renderEnvironment, selectWhereabouts, type Whereabouts } from './act.ts'
import { actions } from './actions.ts'
import { renderArguments, UndefinedOption } from './arguments.ts'
import { passBadInput } from './bad-input.ts'
import { runDetached, runWaitedFor, selectJob, withJob } from './detach.ts'
import { mergeGathered, selectFactModules } from './fact-modules.ts'
import { searchPath } from './host-vars.ts'
import { renderBoolean, renderName, renderNumber, renderText } from './keyword.ts'
import { shortName } from './module-name.ts'
import { createOperator, selectAsk, tellFiles } from './operator.ts'
import { failedBy, fromOutcome, skipped, type TaskResult, toMap } from './result.ts'
import { runStateModule } from './state-change.ts'
import { createTarget } from './target.ts'
import { withoutTyped } from './typed-secrets.ts'

/** Runs the module once. Every error becomes the result: it never throws. */
export async function attempt(act: Act): Promise<TaskResult> {
  const warnings: string[] = []
  try {
    const name = shortName(renderModuleName(act))
    const gatherers = name === 'gather_facts' ? selectFactModules(act) : undefined
    if (gatherers) {
      const gathered: TaskResult[] = []
      for (const each of gatherers) gathered.push(await runNamed(act, shortName(each), warnings))
      return withWarnings(mergeGathered(gathered), warnings)
    }
    const action = actions.get(name)
    if (action) return await action(act, renderArguments(act, name, actionSignature(name)))
    return withWarnings(await runNamed(act, name, warnings), warnings)
  } catch (error) {
    passBadInput(error)
    const failed = failedBy(error, act.at)
    const explained =
      error instanceof UndefinedOption
        ? { ...failed, values: new Map(failed.values).set('msg', error.msg), isUnrendered: true }
        : failed
    return withWarnings(explained, warnings)
  }
}

function runNamed(act: Act, name: string, warnings: string[]): Promise<TaskResult> {
  const module = act.run.deps.registry.get(name)
  if (module) return runModule(act, name, module, warnings)
  throw problem('E_MODULE', `there is no module "${name}"`, {
    at: act.step.node.task.moduleAt,
    hint: '`rota doc` lists the modules',
  })
}

/** Free text is `_raw`; what has variables for options takes none. */
function actionSignature(name: string): Pick<Module, 'params' | 'freeForm' | 'otherParams'> {
  if (name === 'add_host') return { params: {}, otherParams: { type: 'any', doc: 'A variable of the host.' } }
  return name === 'group_by' ? { params: {} } : { params: {}, freeForm: '_raw' }
}

function renderModuleName(act: Act): string {
  const { module } = act.step.node.task
  return module instanceof Template ? (renderText(act, 'action', module) ?? '') : module
}

/** What the module warned of on its way stands before what its result says. */
function withWarnings(result: TaskResult, warnings: readonly string[]): TaskResult {
  if (warnings.length === 0) return result
  const own = result.values.get('warnings')
  const all = [...warnings, ...(Array.isArray(own) ? (own as readonly Value[]) : [])]
  return { ...result, values: new Map([...result.values, ['warnings', all]]) }
}

async function runModule(act: Act, name: string, module: Module, warnings: string[]): Promise<TaskResult> {
  const { run } = act
  const { task, keywords } = act.step.node
  const isCheck = renderBoolean(act, 'check_mode', keywords.checkMode) ?? run.deps.settings.check
  const isDiff = renderBoolean(act, 'diff', keywords.diff) ?? run.deps.settings.diff
  const given = renderArguments(act, name, module)
  const args = run.deps.checkArgs(module, given, task)
  if (isCheck && module.kind === 'action' && !module.reads && !module.foresees) {
    tellFiles(run.deps, args, searchPath(run, keywords))
    return skipped({ msg: `${name} is skipped in check mode: it does not only read` })
  }
  const job = selectJob(act, name)
  const timeoutMs = 1000 * (renderNumber(act, 'timeout', keywords.timeout) ?? job?.limitS ?? 0)
  const where = selectWhereabouts(act)
  const outcome = await withDeadline(act, timeoutMs, async stop => {
    const target = createTarget({
      deps: run.deps,
      ...where,
      // A host outside the run is taken only when a change is about to be made there.
      fence: async () => run.fleet.fences.get(where.name)?.(),
      environment: keywords.environment.length > 0 ? renderEnvironment(act) : {},
      operator: {
        ...createOperator(run.deps, act.scope, () => searchPath(run, keywords), act.at),
        ...selectAsk(run),
      },
      ref: act.ref,
      check: isCheck,
      diff: isDiff,
      isUndoable: run.isUndoable,
      timeoutMs,
      stop,
      isSilent: act.isSilent,
      warnings,
    })
    const work = (there: Target): Promise<Outcome> =>
      module.kind === 'state'
        ? runStateModule(module, there, args, changeRef(act, module.name, where), run.apply, change =>
            run.deps.foresee?.(change, run.phase),
          )
        : module.run(there, args)
    if (!job) return work(target)
    if (!job.isDetached) return runWaitedFor(act, job, target, () => work(target))
    return isCheck ? work(target) : runDetached(act, job, target, work)
  })
  showBackups(act, where.name, outcome)
  const result: TaskResult = {
    ...fromOutcome(job?.isDetached === false ? withJob(outcome, job) : outcome, isDiff),
    ...(run.deps.settings.verbosity > 2 && { invocation: toMap(args) }),
    factsKind: module.name !== 'set_fact' ? 'facts' : args['cacheable'] === true ? 'cacheable' : 'set_fact',
  }
  const clean = withoutTyped(result, module, given)
  return where.name === act.host ? clean : { ...clean, factsOf: where.name }
}

function showBackups({ run }: Act, host: string, { backups = [] }: Outcome): void {
  const { clean } = run.deps.redactor
  for (const { path, proof, sha256, sizeBytes } of backups)
    run.deps.emit({ type: 'backup', host, path: clean(path), sha256, sizeBytes, proof: clean(proof) })
}

/** Who made a change: found again when the run is resumed, since it is made of places only. */
function changeRef(act: Act, module: string, where: Whereabouts): Parameters<typeof runStateModule>[3] {
  const { run, step, host, index } = act
  const become = where.become()
  const name = renderName(act, { ...step.node.task, module })
  const item = index === undefined ? '' : `:${index}`
  return {
    step: `${run.stepId}.${step.at.join('.')}:${host}${item}`,
    host: where.name,
    ...(where.name !== host && { owner: host }),
    module,
    become: become && { method: become.method, user: become.user },
    what: run.deps.redactor.clean(`${name} (${act.at.file}:${act.at.line})`),
  }
}

/**
 * Gives the module a signal that fires at ^C and at the deadline. A remote call has the deadline as its own time limit, so what is
 * under way there ends as unknown; a module that is busy here fails.
 */
async function withDeadline(
  act: Act,
  timeoutMs: number,
  work: (stop: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  if (timeoutMs === 0) return work(act.run.deps.stop)
  const deadline = new AbortController()
  const name = act.step.node.task.module
  const seconds = timeoutMs / 1000
  const late = `The ${name} action failed to execute in the expected time frame (${seconds}) and was terminated`
  const expired = problem('E_TASK', late, {
    at: act.at,
    hint: 'raise `timeout`, or find out what it waits for',
  })
  // The remote call's own limit is the same time: let it speak first, because it knows what was sent.
  const graceMs = 2000
  const timer = setTimeout(() => deadline.abort(expired), timeoutMs)
  const begunMs = act.run.deps.now().getTime()
  const stop = AbortSignal.any([act.run.deps.stop, deadline.signal])
  try {
    return await Promise.race([work(stop), rejectAfter(deadline.signal, graceMs, expired)])
  } catch (error) {
    const isLate = act.run.deps.now().getTime() - begunMs >= timeoutMs
    if (!isLate || !(error instanceof RotaError) || error.code !== 'E_UNKNOWN') throw error
    throw problem('E_UNKNOWN', `${late}: ${error.message}`, { at: error.at, hint: error.hint, cause: error })
  } finally {
    clearTimeout(timer)
  }
}

function rejectAfter(signal: AbortSignal, graceMs: number, error: Error): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => setTimeout(() => reject(error), graceMs).unref(), { once: true })
  })
}
