import type { Change, Reason } from '../core/transaction.ts'
import { isSameState, type State } from '../core/value.ts'

/** What is true on the target now of a change: its state is `before`, `after`, neither, or nobody knows. */
export type Probe = 'not_applied' | 'applied' | 'conflict' | 'unreachable'

/** What recovery does about a change. `skip` and `done` and `keep` touch nothing. */
export type Decision = 'skip' | 'apply' | 'undo' | 'keep' | 'done' | 'held' | 'in_doubt'

/** After an incident going back would put the compromised value in force again. */
export function isForwardOnly(reason: Reason): boolean {
  return reason === 'incident' || reason === 'offboarding' || reason === 'key-compromise'
}

/** Compares what the target holds with what was and what should be. A change of nothing counts as applied. */
export function selectProbe(change: Pick<Change, 'before' | 'after'>, now: State): Probe {
  if (isSameState(now, change.after)) return 'applied'
  return isSameState(now, change.before) ? 'not_applied' : 'conflict'
}

/**
 * What recovery does when nobody forces a direction (research: saga literature's compensatable, pivot and retriable steps):
 *
 * | probe       | no commit; scheduled, drill | no commit; incident, offboarding, key-compromise | commit   |
 * | ----------- | --------------------------- | ------------------------------------------------ | -------- |
 * | not_applied | skip                        | apply                                            | apply    |
 * | applied     | undo                        | keep                                             | done     |
 * | conflict    | held                        | held                                             | held     |
 * | unreachable | in_doubt                    | in_doubt                                         | in_doubt |
 */
export function decide(probe: Probe, committed: boolean, reason: Reason): Decision {
  switch (probe) {
    case 'conflict':
      return 'held'
    case 'unreachable':
      return 'in_doubt'
    case 'applied':
      if (committed) return 'done'
      return isForwardOnly(reason) ? 'keep' : 'undo'
    case 'not_applied':
      return committed || isForwardOnly(reason) ? 'apply' : 'skip'
  }
}
