import { realDisk } from '../rotation/disk.ts'
import { readCopy } from '../rotation/host-journal.ts'
import { openJournal, readJournal } from '../rotation/journal.ts'
import { createSealer } from '../secrets/seal.ts'
import type { RunState } from './run-state.ts'

/**
 * What a host keeps of a run that is over is its last record: how it ended. When this machine began the run, or once took it over,
 * and does not know that yet, its journal gets that end. False: the copy says nothing of the kind, or there is no such run here.
 * Throws E_JOURNAL, E_SEAL, E_LOCKED.
 */
export async function learnEnd(state: RunState, folder: string, copy: string): Promise<boolean> {
  const records = readCopy(copy)
  const end = records.find(record => record.type === 'end')
  if (end?.type !== 'end' || records.length > 1) return false
  const known = await readJournal(folder)
  if (known.length === 0) return false
  const last = known.findLast(({ type }) => type !== 'forgotten')
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
