import type { RotationState } from '../core/event.ts'
import { renderLine, sumOf } from './journal.ts'
import { isOver } from './outcome.ts'
import { note, type Run, toMessage } from './run.ts'

/** The sums of the records that are known here; of those that were forgotten, as their copies have them. */
function selectKnown({ journal }: Run): readonly string[] {
  return journal.records.flatMap(record => [
    ...(record.type === 'forgotten' ? record.sums : []),
    sumOf(renderLine(record)),
  ])
}

/**
 * Holds hosts for this run, by default all of it. The first one by name decides between two that begin on the same hosts at the same moment.
 * One that does not answer is taken when it is first worked on.
 */
export async function takeHosts(run: Run, hosts = selectHeld(run)): Promise<void> {
  const { hostLocks } = run.deps
  if (!hostLocks) return
  const known = selectKnown(run)
  const take = async (host: string): Promise<void> => {
    await hostLocks.take(host, known).catch(error => {
      const { code } = error as { code?: unknown }
      if (code === 'E_LOCKED' || code === 'E_JOURNAL') throw error
      note(run, 'warn', `${host} is not locked yet: ${toMessage(run, error)}`)
    })
  }
  const [first, ...others] = [...hosts].sort()
  if (first !== undefined) await take(first)
  await Promise.all(others.map(take))
}

/** The hosts of the run, and those outside of it where changes were delegated to; but for those that were given up. */
export function selectHeld({ world, ledger }: Run): readonly string[] {
  const all = new Set([...world.hosts, ...ledger.steps.map(({ change }) => change.host)])
  return [...all].filter(host => !ledger.abandoned.has(host))
}

/**
 * Holds a host outside the run before a change is delegated to it, with a copy of the first record there, which leads whoever
 * finds it to the others. Throws E_LOCKED when another run holds it, E_UNREACHABLE.
 */
export async function holdOutside(run: Run, host: string): Promise<void> {
  const { hostLocks, hostJournal } = run.deps
  if (!hostLocks || run.world.hosts.includes(host)) return
  const isNew = await hostLocks.hold(host)
  const begin = run.journal.records[0]
  if (isNew && begin) await hostJournal?.append(host, renderLine(begin))
}

/** Gives the hosts of a run that has ended back. What cannot be freed is said: the next run would be refused. */
export async function freeHosts(run: Run, state: RotationState): Promise<void> {
  const { hostLocks } = run.deps
  if (!hostLocks) return
  const known = selectKnown(run)
  const freed = selectHeld(run).map(host =>
    hostLocks
      .free(host, known, isOver(state, run.world))
      .catch(error =>
        note(
          run,
          'warn',
          `${host} is still locked (rota resume ${run.deps.run} frees it): ${toMessage(run, error)}`,
        ),
      ),
  )
  await Promise.all(freed)
}
