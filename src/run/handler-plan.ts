import { problem } from '../core/error.ts'
import type { Item } from '../core/play.ts'
import { Template } from '../core/value.ts'
import type { Handler } from './handlers.ts'
import { type Reading, renderName } from './keyword.ts'
import { shortName } from './module-name.ts'
import type { Node, TaskNode } from './plan.ts'

/**
 * The same items, when all of them can be handlers: a block may only be a way to write several of them (`isInBlock`: it has been
 * entered). Throws E_PLAYBOOK in Ansible's words.
 */
export function checkHandlers(items: readonly Item[], isInBlock = false): readonly Item[] {
  for (const item of items) {
    const reason = findFault(item, isInBlock)
    if (reason !== undefined)
      throw problem('E_PLAYBOOK', reason, {
        at: item.at,
        hint: 'make each task a handler; several can listen to one topic',
      })
    if (item.kind === 'block') checkHandlers(item.block, true)
  }
  return items
}

function findFault(item: Item, isInBlock: boolean): string | undefined {
  if (item.kind === 'block')
    return isInBlock || item.rescue || item.always
      ? 'Using a block as a handler is not supported.'
      : undefined
  const module = typeof item.module === 'string' ? shortName(item.module) : ''
  if (module === 'include_role' || module === 'import_role')
    return `Using '${module}' as a handler is not supported.`
  return module === 'meta' && item.freeForm === 'flush_handlers'
    ? 'flush_handlers cannot be used as a handler'
    : undefined
}

/**
 * The handlers of one list that has been checked: a play's, a role's. Names may use variables that are known before any host is;
 * topics to listen to are taken as they stand.
 */
export function planHandlers(nodes: readonly Node[], readingOf: (node: TaskNode) => Reading): Handler[] {
  const group = {}
  return nodes.flatMap(node =>
    node.kind === 'block'
      ? planHandlers(node.block, readingOf).map(handler => ({ ...handler, group }))
      : [planHandler(node, readingOf, group)],
  )
}

function planHandler(node: TaskNode, readingOf: (node: TaskNode) => Reading, group: object): Handler {
  const { name: given, listen = [] } = node.task
  const name = renderName(readingOf(node), node.task)
  const role = node.keywords.role?.name
  const isNameless = given instanceof Template && name === given.text
  return {
    name,
    names: isNameless ? [] : role === undefined ? [name] : [name, `${role} : ${name}`],
    listen: listen.map(topic => (topic instanceof Template ? topic.text : String(topic))),
    isUnusable: isNameless && listen.length === 0,
    node,
    group,
  }
}
