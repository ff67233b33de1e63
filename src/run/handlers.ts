import type { Node, TaskNode } from './plan.ts'
import { type Answer, type Place, type Walk, walkNodes } from './walk.ts'

export interface Handler {
  /** Rendered where that is possible. */
  readonly name: string
  /** `name` and `role : name`; the topics it listens to. */
  readonly names: readonly string[]
  readonly listen: readonly string[]
  /** Its name cannot be known, and it listens to nothing. */
  readonly isUnusable: boolean
  readonly node: TaskNode
  /** The same for all handlers of one list: a play's, a role's. */
  readonly group: object
}

/** A play's handlers in order of definition, and who has been notified. */
export interface Handlers {
  readonly all: readonly Handler[]
  /** Roles that are included while the play runs bring more; those that are there already are left out. */
  add(handlers: readonly Handler[]): void
  /** Returns the handlers that answer to it: of that name the first one of the last list that has it, and all that listen. */
  find(topic: string): readonly Handler[]
  /** A handler that notifies itself does not run again. */
  notify(host: string, handlers: readonly Handler[], by: TaskNode): void
  /** Tasks that a handler's include brings are handlers too. */
  adopt(nodes: readonly Node[]): void
  isHandler(node: TaskNode): boolean
  /** The steps that run what the host was notified of. */
  flush(host: string): NonNullable<Answer['more']>
}

export function createHandlers(handlers: readonly Handler[]): Handlers {
  const all: Handler[] = [...handlers]
  const adopted = new Set<Node>()
  const notified = new Map<string, Set<Handler>>()
  const pending = (host: string): Set<Handler> => {
    const found = notified.get(host) ?? new Set()
    notified.set(host, found)
    return found
  }
  return {
    all,
    add: more => {
      all.push(...more.filter(handler => !all.includes(handler)))
    },
    find(topic) {
      const last = all.findLast(handler => handler.names.includes(topic))
      const named = all.find(handler => handler.group === last?.group && handler.names.includes(topic))
      return all.filter(handler => handler === named || handler.listen.includes(topic))
    },
    notify(host, found, by) {
      for (const handler of found) if (handler.node !== by) pending(host).add(handler)
    },
    adopt(nodes) {
      for (const node of nodes) adopted.add(node)
    },
    isHandler: node => adopted.has(node) || all.some(handler => handler.node === node),
    flush: host => (at, isRescuable) => walkNotified(all, pending(host), at, isRescuable),
  }
}

/** A handler that a later handler notifies runs in the same flush only if it is defined after that one. */
function* walkNotified(
  all: readonly Handler[],
  notified: Set<Handler>,
  at: Place,
  isRescuable: boolean,
): Walk {
  for (let index = 0; index < all.length; index++) {
    const handler = all[index]!
    if (!notified.delete(handler)) continue
    if ((yield* walkNodes([handler.node], [...at, index], isRescuable)) === 'failed') return 'failed'
  }
  return 'ok'
}
