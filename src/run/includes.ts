import { problem } from '../core/error.ts'
import type { Block, Condition, Conditional, Field, Task } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Scope, Template, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import type { RunDeps } from './deps.ts'
import { searchPath } from './host-vars.ts'
import { findFile } from './operator.ts'
import { createOptions, requireOption } from './options.ts'
import { inheritKeywords, type Keywords, type Node, planItems } from './plan.ts'
import { fromOutcome, renderLabel, type TaskResult } from './result.ts'
import { walkNodes } from './walk.ts'

/**
 * `include_tasks`: the file's tasks come next on this host. They inherit from the blocks around the include, from its `apply` and
 * its `vars`, and know the item of its loop; not its other keywords, as in Ansible.
 */
export function includeTasks(act: Act, args: Dict): TaskResult {
  const { run } = act
  const { task, keywords, outer } = act.step.node
  const options = createOptions('include_tasks', args, task)
  const given = requireOption('include_tasks', 'file', options.takeText('file', '_raw'), act.at)
  options.take('apply')
  options.refuseRest()
  const file = findFile('tasks', given, searchPath(run, keywords), act.at)
  const inner = inheritInclude(act, outer, parseApply(task.args.get('apply'), act.at))
  const nodes = planItems(run.deps.loadTasks(file), inner, run.planOptions)
  return {
    ...fromOutcome({ changed: false, msg: `included: ${file}`, values: { include: given } }, false),
    included: [{ key: file, walk: (at, isRescuable) => walkNodes(nodes, at, isRescuable) }],
  }
}

function inheritInclude(act: Act, outer: Keywords, apply: Conditional): Keywords {
  const { vars } = act.step.node.task
  const applied = inheritKeywords(outer, apply, 'block vars')
  const own = inheritKeywords(applied, { at: act.at, ...(vars ? { vars } : {}) }, 'include params')
  if (act.overlay.size === 0) return own
  const from = `loop at ${act.at.file}:${act.at.line}`
  return { ...own, layers: [...own.layers, { rank: 'include params', from, values: new Map(act.overlay) }] }
}

/** Roles are directories of conventions of their own. */
export function includeRole(act: Act): TaskResult {
  throw refuseRoles(act.at)
}

export function refuseRoles(at: Source): Error {
  return problem('E_PLAYBOOK', 'roles are not supported yet', {
    at,
    hint: "use import_tasks with the role's tasks/main.yml, and vars_files for its variables",
  })
}

/**
 * Static imports: `import_tasks` is replaced by the tasks of its file, which inherit all its keywords. The name may use extra and
 * play variables only. Returns null for any other task.
 */
export function expandImport(
  deps: RunDeps,
  scope: Scope,
  folder: string,
  task: Task,
  keywords: Keywords,
  plan: (items: readonly (Task | Block)[], outer: Keywords) => Node[],
): readonly Node[] | null {
  const name = typeof task.module === 'string' ? task.module.replace(/^ansible\.(builtin|legacy)\./, '') : ''
  if (name === 'import_role') throw refuseRoles(task.at)
  if (name !== 'import_tasks') return null
  const given = task.freeForm ?? task.args.get('file')
  const file = given === undefined ? undefined : renderLabel(deps.templar.render(given, scope))
  const path = requireOption('import_tasks', 'file', file, task.at)
  const role = keywords.role ? [keywords.role.path] : []
  const folders = [...role, task.at.file.replace(/[^/]*$/, '') || '.', folder]
  if (task.loop)
    throw problem('E_PLAYBOOK', 'import_tasks cannot have a loop', { at: task.at, hint: 'use include_tasks' })
  return plan(deps.loadTasks(findFile('tasks', path, folders, task.at)), keywords)
}

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
  ['timeout', 'timeout'],
])
const lists: ReadonlySet<string> = new Set(['tags', 'when', 'environment', 'notify'])

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
