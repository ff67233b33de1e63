import type { Node, TaskNode } from './plan.ts'

/**
 * A place in a play: indices from the play's section down to the task. Places are ordered as the tasks run, and the same task
 * has the same place on every host.
 */
export type Place = readonly number[]

/** One task, due on one host. */
export interface Step {
  readonly at: Place
  readonly node: TaskNode
  /** A rescue is waiting for this task's failure. */
  readonly isRescuable: boolean
}
/** What came of a step. `more`: an include or a flush of handlers is answered with more steps. */
export interface Answer {
  readonly ok: boolean
  readonly more?: ((at: Place, isRescuable: boolean) => Walk) | undefined
}
/** Yields a host's steps in order and returns whether the host came through. */
export type Walk = Generator<Step, boolean, Answer>

/** The order of one host through nodes: the next task, or after a failure the nearest rescue, and always the always. */
export function* walkNodes(nodes: readonly Node[], at: Place = [], isRescuable = false): Walk {
  for (const [index, node] of nodes.entries()) {
    const here = [...at, index]
    let ok: boolean
    if (node.kind === 'block') {
      ok = yield* walkNodes(node.block, [...here, 0], isRescuable || node.rescue !== undefined)
      if (!ok && node.rescue) ok = yield* walkNodes(node.rescue, [...here, 1], isRescuable)
      if (node.always && !(yield* walkNodes(node.always, [...here, 2], isRescuable))) ok = false
    } else {
      const answer = yield { at: here, node, isRescuable }
      ok = answer.ok
      if (ok && answer.more) ok = yield* answer.more([...here, 3], isRescuable)
    }
    if (!ok) return false
  }
  return true
}

/** Negative when `a` is before `b`; 0 when they are the same place. */
export function comparePlaces(a: Place, b: Place): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
