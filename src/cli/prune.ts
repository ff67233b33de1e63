import { parseDurationMs } from '../core/duration.ts'
import { exits, problem } from '../core/error.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { readCopies, removeRuns, selectPrunable } from '../rotation/host-prune.ts'
import { openReach } from './host-reach.ts'
import type { RunFlags } from './options.ts'

/**
 * `rota prune [PATTERN]`: removes from hosts what is left there of runs that ended long ago. Runs that are open, held, or that wait
 * to be finalised stay. Throws E_USAGE, E_HOSTS, E_JOURNAL and what connecting throws.
 */
export async function pruneCommand(
  pattern: string,
  { olderThan, ...flags }: RunFlags & { readonly olderThan: string },
): Promise<number> {
  const ageMs = parseDurationMs(olderThan)
  if (ageMs === undefined)
    throw problem('E_USAGE', `--older-than ${olderThan} is no length of time`, {
      hint: 'write --older-than 90d',
    })
  const before = new Date(Date.now() - ageMs)
  const reach = await openReach(flags)
  try {
    const inventory = await reach.loadInventory([])
    for (const host of selectHosts(inventory, pattern, flags.limit)) {
      const { found, runOnHost } = await reach.look(
        host,
        inventory,
        run => readCopies(host, run),
        copies => copies.length > 0,
      )
      const runs = selectPrunable(found, before)
      if (runs.length > 0) await removeRuns(host, runOnHost, runs)
      process.stdout.write(`${host}: ${runs.length} of ${found.length} runs removed\n`)
    }
    return exits.ok.code
  } finally {
    await reach.close()
  }
}
