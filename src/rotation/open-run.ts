import { problem } from '../core/error.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { abandonHosts } from './abandon.ts'
import { takeHosts } from './hold.ts'
import { openJournal } from './journal.ts'
import { readLedger } from './ledger.ts'
import type { RotationOutcome } from './outcome.ts'
import { showSecrets } from './pending.ts'
import { type RotationDeps, type Run, sendJournal } from './run.ts'

/** A run's journal with what it amounts to, locked while `work` goes on. Throws E_LOCKED, E_JOURNAL, E_SEAL. */
export async function openRun(
  world: RotationWorld,
  deps: RotationDeps,
  work: (run: Run) => Promise<RotationOutcome>,
): Promise<RotationOutcome> {
  const { disk, processes, isLocked, sealer, now } = deps
  const journal = await openJournal(deps.folder, { disk, processes, isLocked, sealer, now })
  try {
    return await work({ world, deps, journal, ledger: readLedger(journal), warned: new Map() })
  } finally {
    await journal.close()
  }
}

/** The hosts are those that the journal knows, whoever has joined since. */
async function restoreHosts({ ledger, world, deps }: Run): Promise<void> {
  const isThere = ledger.hosts.every(host => world.hosts.includes(host))
  const isSame = isThere && ledger.hosts.length === world.hosts.length
  if (isSame) return
  if (isThere && world.setHosts) return world.setHosts(ledger.hosts)
  throw problem('E_JOURNAL', `run ${deps.run} is of other hosts: ${ledger.hosts.join(', ')}`, {
    hint: 'give the inventory and --limit that the run was begun with',
  })
}

/** Gives the world what the run knew, and the targets the records that they may lack. */
export async function restore(run: Run): Promise<void> {
  await restoreHosts(run)
  showSecrets(run)
  if (run.ledger.snapshot !== undefined) run.world.restore(run.ledger.snapshot)
  if (!run.ledger.secrets) {
    if (!run.deps.abandon) return
    throw problem('E_USAGE', `run ${run.deps.run} has changed nothing yet: no host has to be given up`, {
      hint: 'the same command without --abandon',
    })
  }
  await takeHosts(run)
  await abandonHosts(run)
  await sendJournal(run)
}

/** The reason of the run is the journal's, whatever the caller believes. */
export function withReason(run: Run): Run {
  const reason = run.ledger.begin?.reason ?? run.deps.reason
  return { ...run, deps: { ...run.deps, reason } }
}
