import { realDisk } from '../rotation/disk.ts'
import { findRemains } from '../rotation/host-journal.ts'
import { findLatest, openJournal, readJournal } from '../rotation/journal.ts'
import { createSealer } from '../secrets/seal.ts'
import type { RunState } from './run-state.ts'

/**
 * What a host keeps of a run that is over is its last record: how it ended. When this machine began the run, or once took it over,
 * and does not know that yet, its journal gets that end. False: the copy says nothing of the kind, or there is no such run here.
 * Throws E_JOURNAL, E_SEAL, E_LOCKED.
 */
export async function learnEnd(state: RunState, folder: string, copy: string): Promise<boolean> {
  const end = findRemains(copy)
  if (!end) return false
  const known = await readJournal(folder)
  if (known.length === 0) return false
  const last = findLatest(known)
  if (last?.type === 'end' && last.state === end.state) return true
  const { identity, recipients } = await state.keys()
  const sealer = createSealer(identity, recipients)
  const journal = await openJournal(folder, { sealer, disk: realDisk, now: () => new Date() })
  try {
    await journal.append({ type: 'end', state: end.state, hosts: end.hosts })
  } finally {
    await journal.close()
  }
  return true
}
