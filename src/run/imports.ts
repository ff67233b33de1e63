import { basename, dirname } from 'node:path'
import { problem } from '../core/error.ts'
import type { Task } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import type { Dict, Scope, Value } from '../core/value.ts'
import { shortName } from './module-name.ts'
import { findFile } from './operator.ts'
import { requireOption } from './options.ts'
import { inheritKeywords, type Keywords, type Node, planItems } from './plan.ts'
import { renderLabel } from './result.ts'
import { parseRoleOptions, planRole, type RolePlanner } from './roles.ts'

/**
 * Static imports: `import_tasks` and `import_role` are replaced by the tasks that they name, which inherit all their keywords. Names
 * may use extra and play variables only. Returns null for any other task.
 */
export function expandImport(
  planner: RolePlanner,
  scope: Scope,
  task: Task,
  keywords: Keywords,
): readonly Node[] | null {
  const name = typeof task.module === 'string' ? shortName(task.module) : ''
  if (name === 'include') return isStaticInclude(task) ? includeStatically(planner, task, keywords) : null
  if (name !== 'import_tasks' && name !== 'import_role') return null
  if (task.loop)
    throw problem('E_PLAYBOOK', `${name} cannot have a loop`, {
      at: task.at,
      hint: `use ${name.replace('import', 'include')}`,
    })
  const { templar } = planner.deps
  const args = new Map([...task.args].map(([key, value]) => [key, renderOption(key, value)]))
  function renderOption(key: Value, value: Value): Value {
    return key === 'apply' ? value : templar.render(value, scope)
  }
  if (task.freeForm !== undefined) args.set('file', templar.render(task.freeForm, scope))
  if (name === 'import_tasks') return importTasks(planner, task, args, keywords)
  return planRole(planner, parseRoleOptions(name, args, task, task), keywords)
}

/** `include: FILE` without a loop or a template is what import_tasks is now. */
function isStaticInclude({ loop, freeForm, args }: Task): boolean {
  return !loop && typeof (freeForm ?? args.get('file')) === 'string'
}

/** Its `vars` are include params, which stand above set_fact; `a=1` behind the file's name is like a variable of the tasks. */
function includeStatically(planner: RolePlanner, task: Task, keywords: Keywords): Node[] {
  const { freeForm, args, vars = new Map(), at } = task
  const own = new Map([...args].filter(([key]) => key !== 'file'))
  const inner = inheritKeywords(keywords, { at, vars: own }, 'task vars')
  return importTasks(planner, task, new Map([...vars, ['file', freeForm ?? args.get('file') ?? '']]), inner)
}

function importTasks(
  { deps, folder, options, importing }: RolePlanner,
  task: Task,
  args: Dict,
  keywords: Keywords,
): Node[] {
  const file = args.get('file')
  const params = [...args].filter(([key]) => key !== 'file')
  const path = requireOption('import_tasks', 'file', file === undefined ? file : renderLabel(file), task.at)
  const role = keywords.role ? [keywords.role.path] : []
  const folders = [...role, dirname(task.at.file), folder]
  const inner = inheritKeywords(keywords, { at: task.at, vars: new Map(params) }, 'include params')
  const found = findFile('tasks', path, folders, task.at)
  refuseCircle(importing, found, task.at)
  importing.push(found)
  const nodes = planItems(deps.loadTasks(found, inner.when.length > 0), inner, options())
  importing.pop()
  return nodes
}

/** A file that imports itself, by way of others or not. `importing`: the files around it. Throws E_PLAYBOOK. */
export function refuseCircle(importing: readonly string[], file: string, at: Source): void {
  if (!importing.includes(file)) return
  const circle = [...importing.slice(importing.indexOf(file)), file].map(each => basename(each))
  throw problem('E_PLAYBOOK', `imports go round in a circle: ${circle.join(' imports ')}`, {
    at,
    hint: 'remove one of them; include_tasks with a `when` may include itself',
  })
}
