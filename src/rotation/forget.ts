import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { replaceWhole } from './disk.ts'
import { inspectJournal, isForgotten, type JournalRecord, renderLine, sumOf } from './journal.ts'

/**
 * Takes out of an ended run's journal whatever was sealed in it, and the key to it: values, states, registered variables. What was
 * done stays readable; a last record holds the head of the chain as it was, and what tells its copies on the hosts. Nobody can take values out of it any more, with whatever
 * key. Only for a run that is over: nothing of it can be resumed, undone or finalised after that. Throws E_JOURNAL.
 */
export async function forgetSealed(folder: string, now: Date): Promise<void> {
  const { records, last } = await inspectJournal(folder)
  if (records.length === 0 || isForgotten(records)) return
  let prev = '0'.repeat(64)
  const add = (record: JournalRecord): string => {
    const line = renderLine(record)
    prev = createHash('sha256').update(line).digest('hex')
    return line
  }
  const lines = records.map(record => {
    const { sealed: _sealed, key: _key, ...plain } = record
    return add({ ...plain, prev } as JournalRecord)
  })
  const sums = records.map(record => sumOf(renderLine(record)))
  const entry = { type: 'forgotten', head: last, sums } as const
  lines.push(add({ seq: records.length, at: now.toISOString(), prev, ...entry }))
  await replaceWhole(join(folder, 'journal'), lines.join(''))
}
