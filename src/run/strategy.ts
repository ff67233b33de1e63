import { type Answer, comparePlaces, type Step, type Through, type Walk } from './walk.ts'

/** A step that is due on a host. */
export interface Due {
  readonly host: string
  readonly step: Step
}
/** What came of one step on all hosts that took it. */
export interface Answers {
  /** Hosts that are missing here are out of the play: their walk is dropped, rescue and always included. */
  readonly byHost: ReadonlyMap<string, Answer>
  /** any_errors_fatal: the hosts that were not at this step fail too. */
  readonly isFatal: boolean
}
export interface Crew {
  /** All of `due` are at the same place. */
  take(due: readonly Due[]): Promise<Answers>
  /** The host's walk has ended. */
  finish(host: string, cameThrough: boolean): void
  /** True once: every host has to fail its next step, since too many others have failed (max_fail_percentage). */
  takeAbort(): boolean
  /** No further step is wanted: ^C, end_play. */
  isOver(): boolean
}
/** A strategy decides when a host takes its next step, and nothing else. */
export type Strategy = (walks: ReadonlyMap<string, Walk>, crew: Crew) => Promise<void>

/** All hosts take a task before any host takes the next one. */
const linear: Strategy = async (walks, crew) => {
  const due = new Map<string, Step>()
  const advance = (host: string, next: IteratorResult<Step, Through>): void => {
    if (!next.done) due.set(host, next.value)
    else {
      due.delete(host)
      crew.finish(host, next.value !== 'failed')
    }
  }
  for (const [host, walk] of walks) advance(host, walk.next())
  while (due.size > 0 && !crew.isOver()) {
    const group = selectFirst(due)
    const { byHost, isFatal } = await crew.take(group)
    for (const { host } of group) {
      const answer = byHost.get(host)
      if (answer) advance(host, walks.get(host)!.next(answer))
      else due.delete(host)
    }
    const others = isFatal ? [...due.keys()].filter(host => !byHost.has(host)) : []
    for (const host of crew.takeAbort() ? [...due.keys()] : others)
      advance(host, walks.get(host)!.next({ ok: false }))
  }
}

/** The hosts whose step comes first in the play. */
function selectFirst(due: ReadonlyMap<string, Step>): Due[] {
  const all = [...due].map(([host, step]) => ({ host, step }))
  let first = all[0]!
  for (const other of all) if (comparePlaces(other.step.at, first.step.at) < 0) first = other
  return all.filter(({ step }) => comparePlaces(step.at, first.step.at) === 0)
}

/** Each host goes through the play at its own pace. */
const free: Strategy = async (walks, crew) => {
  const doomed = new Set<string>()
  await Promise.all(
    [...walks].map(async ([host, walk]) => {
      let next = walk.next()
      while (!next.done && !crew.isOver()) {
        const { byHost, isFatal } = await crew.take([{ host, step: next.value }])
        if (isFatal || crew.takeAbort()) for (const other of walks.keys()) doomed.add(other)
        const answer = byHost.get(host)
        if (!answer) return
        next = walk.next(doomed.delete(host) ? { ok: false } : answer)
      }
      if (next.done) crew.finish(host, next.value !== 'failed')
    }),
  )
}

/** By the names of the `strategy` keyword. host_pinned is free: a host never waits for another one here. With `debug` debugger.ts asks. */
export const strategies: ReadonlyMap<string, Strategy> = new Map([
  ['linear', linear],
  ['free', free],
  ['host_pinned', free],
  ['debug', linear],
])

/** Whether hosts do not wait for one another. */
export function isFree(strategy: string): boolean {
  return strategies.get(strategy) === free
}
