import type { BlockNode, Node, TaskNode } from './plan.ts'

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
  /** Failures so far are forgotten (meta: clear_host_errors): the blocks around go on as if there had been none. */
  readonly clears?: boolean
  readonly more?: ((at: Place, isRescuable: boolean) => Walk) | undefined
}
/** How a host came through some steps: `cleared` is ok, and so is whatever failed around them. */
export type Through = 'ok' | 'failed' | 'cleared'
/** Yields a host's steps in order and returns how the host came through. */
export type Walk = Generator<Step, Through, Answer>

/** The order of one host through nodes: the next task, or after a failure the nearest rescue, and always the always. */
export function* walkNodes(nodes: readonly Node[], at: Place = [], isRescuable = false): Walk {
  let through: Through = 'ok'
  for (const [index, node] of nodes.entries()) {
    const here = [...at, index]
    const next =
      node.kind === 'block'
        ? yield* walkBlock(node, here, isRescuable)
        : yield* walkTask(node, here, isRescuable)
    if (next === 'failed') return 'failed'
    if (next === 'cleared') through = 'cleared'
  }
  return through
}

function* walkBlock(node: BlockNode, at: Place, isRescuable: boolean): Walk {
  let through = yield* walkNodes(node.block, [...at, 0], isRescuable || node.rescue !== undefined)
  if (through === 'failed' && node.rescue) through = yield* walkNodes(node.rescue, [...at, 1], isRescuable)
  const last = node.always ? yield* walkNodes(node.always, [...at, 2], isRescuable) : 'ok'
  return last === 'ok' ? through : last
}

function* walkTask(node: TaskNode, at: Place, isRescuable: boolean): Walk {
  const { ok, clears, more } = yield { at, node, isRescuable }
  if (!ok) return 'failed'
  if (more) return yield* more([...at, 3], isRescuable)
  return clears ? 'cleared' : 'ok'
}

/** Negative when `a` is before `b`; 0 when they are the same place. */
export function comparePlaces(a: Place, b: Place): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
