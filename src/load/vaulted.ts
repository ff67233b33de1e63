import type { Common, ImportPlaybook, Item, Play } from '../core/play.ts'
import { Secret } from '../core/secret.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'

/**
 * A play of a file that is a vault as a whole: the texts of its variables are Secrets, and unless it says otherwise nothing is shown
 * of what its tasks do (`no_log`), since their arguments are no one else's business. Names stay readable.
 */
export function hidePlay<P extends Play | ImportPlaybook>(play: P): P {
  const hidden = hideCommon(play)
  if (hidden.kind === 'import_playbook') return hidden
  const { preTasks, tasks, postTasks, handlers } = hidden
  return {
    ...hidden,
    preTasks: preTasks.map(hideVars),
    tasks: tasks.map(hideVars),
    postTasks: postTasks.map(hideVars),
    handlers: handlers.map(hideVars),
  }
}

/** The same of a task or block of a file of tasks. */
export function hideItem(item: Item): Item {
  return hideCommon(hideVars(item))
}

function hideCommon<C extends Common>(common: C): C {
  return { ...common, noLog: common.noLog ?? true, ...(common.vars && { vars: hideDict(common.vars) }) }
}

function hideVars(item: Item): Item {
  const own = item.vars ? { vars: hideDict(item.vars) } : {}
  if (item.kind === 'task') return { ...item, ...own }
  return {
    ...item,
    ...own,
    block: item.block.map(hideVars),
    ...(item.rescue && { rescue: item.rescue.map(hideVars) }),
    ...(item.always && { always: item.always.map(hideVars) }),
  }
}

function hideDict(dict: Dict): Dict {
  return new Map([...dict].map(([key, value]) => [key, hideValue(value, String(key))]))
}

function hideValue(value: Value, label: string): Value {
  if (typeof value === 'string') return new Secret(value, label)
  if (Array.isArray(value)) return value.map(each => hideValue(each as Value, label))
  return isDict(value) ? hideDict(value) : value
}
