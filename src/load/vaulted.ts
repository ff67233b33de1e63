import type { Common, ImportPlaybook, Item, Play } from '../core/play.ts'
import { type Dict, isDict, Template, type Value } from '../core/value.ts'
import { isConnectionVariable, sealText, type Vault } from './vault.ts'

/**
 * A play of a file that is a vault as a whole: the texts of its variables are Secrets, and unless it says otherwise nothing is shown
 * of what its tasks do (`no_log`), since their arguments are no one else's business. Names stay readable.
 */
export function hidePlay<P extends Play | ImportPlaybook>(play: P, vault: Vault | undefined): P {
  const hidden = hideCommon(play, vault)
  const hide = (item: Item): Item => hideVars(item, vault)
  if (hidden.kind === 'import_playbook') return hidden
  const { preTasks, tasks, postTasks, handlers } = hidden
  return {
    ...hidden,
    preTasks: preTasks.map(hide),
    tasks: tasks.map(hide),
    postTasks: postTasks.map(hide),
    handlers: handlers.map(hide),
  }
}

/** The same of a task or block of a file of tasks. */
export function hideItem(item: Item, vault: Vault | undefined): Item {
  return { ...hideVars(item, vault), noLog: item.noLog ?? true }
}

function hideCommon<C extends Common>(common: C, vault: Vault | undefined): C {
  return {
    ...common,
    noLog: common.noLog ?? true,
    ...(common.vars && { vars: hideDict(common.vars, vault) }),
  }
}

function hideVars(item: Item, vault: Vault | undefined): Item {
  const own = item.vars ? { vars: hideDict(item.vars, vault) } : {}
  const hide = (inner: Item): Item => hideVars(inner, vault)
  if (item.kind === 'task') return { ...item, ...own }
  return {
    ...item,
    ...own,
    block: item.block.map(hide),
    ...(item.rescue && { rescue: item.rescue.map(hide) }),
    ...(item.always && { always: item.always.map(hide) }),
  }
}

function hideDict(dict: Dict, vault: Vault | undefined): Dict {
  return new Map([...dict].map(([key, value]) => [key, hideValue(value, String(key), vault)]))
}

/** Every text in a value that came out of a vault as a Secret. `label` is the name of the variable. The vault hears of each. */
export function hideValue(value: Value, label: string, vault: Vault | undefined): Value {
  if (isConnectionVariable(label)) return value
  if (typeof value === 'string') return sealText(value, label, vault)
  if (value instanceof Template) return new Template(value.text, value.at, label)
  if (Array.isArray(value)) return value.map(each => hideValue(each as Value, label, vault))
  return isDict(value) ? hideDict(value, vault) : value
}
