import { problem } from '../core/error.ts'
import type { Conditional, Item } from '../core/play.ts'
import type { Dict } from '../core/value.ts'
import type { Act } from './act.ts'
import { parseApply } from './apply.ts'
import { loadIncluded } from './bad-input.ts'
import { checkHandlers } from './handler-plan.ts'
import { searchPath } from './host-vars.ts'
import { findFile } from './operator.ts'
import { createOptions, requireOption } from './options.ts'
import { inheritKeywords, type Keywords, planItems } from './plan.ts'
import { fromOutcome, type TaskResult } from './result.ts'
import { walkNodes } from './walk.ts'

/**
 * `include_tasks`: the file's tasks come next on this host. They inherit from the blocks around the include, from its `apply` and
 * its `vars`, and know the item of its loop; not its other keywords, as in Ansible.
 */
export function includeTasks(act: Act, args: Dict): TaskResult {
  const { task } = act.step.node
  const options = createOptions('include_tasks', args, task)
  const given = requireOption('include_tasks', 'file', options.takeText('file', '_raw'), act.at)
  options.take('apply')
  options.refuseRest()
  return includeFile(act, given, parseApply(task.args.get('apply'), act.at))
}

/** The older `include: FILE a=1`, where it is not static: what is no option is a variable for the tasks. */
export function include(act: Act, args: Dict): TaskResult {
  const options = createOptions('include', args, act.step.node.task)
  const given = requireOption('include', 'file', options.takeText('file', '_raw'), act.at)
  return includeFile(act, given, { at: act.at, vars: options.rest() as Dict })
}

function includeFile(act: Act, given: string, apply: Conditional): TaskResult {
  const { run } = act
  const { keywords, outer } = act.step.node
  const file = findFile('tasks', given, searchPath(run, keywords), act.at)
  const inner = loadIncluded(run, () => inheritInclude(act, outer, apply))
  const isHandler = run.handlers.isHandler(act.step.node)
  const load = (): readonly Item[] =>
    isHandler ? checkHandlers(run.deps.loadTasks(file), true) : run.deps.loadTasks(file)
  const nodes = loadIncluded(run, () => planItems(load(), inner, run.planOptions))
  if (isHandler) run.handlers.adopt(nodes)
  return {
    ...fromOutcome({ changed: false, values: { include: given } }, false),
    message: `included: ${file}`,
    included: [{ key: file, walk: (at, isRescuable) => walkNodes(nodes, at, isRescuable) }],
  }
}

/** An include that includes itself for ever would end with the memory. */
const DEEPEST = 500

/** What the steps of an include inherit: the blocks around it, `apply`, its `vars`, and the item of its loop. */
export function inheritInclude(act: Act, around: Keywords, apply: Conditional): Keywords {
  const { vars } = act.step.node.task
  const depth = (around.depth ?? 0) + 1
  if (depth > DEEPEST)
    throw problem('E_PLAYBOOK', `${DEEPEST} includes stand one in the other`, {
      at: act.at,
      hint: 'it includes itself: add a `when` that ends it, or a loop instead',
    })
  const outer = { ...around, depth }
  const applied = inheritKeywords(outer, apply, 'block vars')
  const own = inheritKeywords(applied, { at: act.at, ...(vars ? { vars } : {}) }, 'include params')
  if (act.overlay.size === 0) return own
  const from = `loop at ${act.at.file}:${act.at.line}`
  return { ...own, layers: [...own.layers, { rank: 'include params', from, values: new Map(act.overlay) }] }
}
