import { exits, problem, RotaError } from '../core/error.ts'
import { inspectJournal, type JournalRecord, openPayload } from '../rotation/journal.ts'
import { type DescribeChange, renderChain, renderRecords, selectPlain } from '../rotation/journal-view.ts'
import { findRun, readSummary, stateFolder } from '../rotation/run-folder.ts'
import { createSealer } from '../secrets/seal.ts'
import { createRunState } from './run-state.ts'

/** `rota journal show RUN`: what the run has recorded, in order. Needs no key; a recipient's key adds what each change is. */
export async function journalShowCommand(
  name: string,
  { format }: { readonly format?: string | undefined },
): Promise<number> {
  const { id, folder } = await findRun(stateFolder(process.env), name)
  const journal = await inspectJournal(folder)
  if (journal.records.length === 0)
    throw problem('E_USAGE', `run ${id} has no journal: it is no rotation, or never began`, {
      hint: '`rota status` lists the rotations',
    })
  if (format === 'json') {
    const { file, last, tornBytes, records } = journal
    const shown = { run: id, file, head: last, tornBytes, records: records.map(selectPlain) }
    process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`)
    return exits.ok.code
  }
  const summary = await readSummary(folder)
  const next = summary?.isOpen ? `\nto type next: ${summary.ways.join(', or ')}` : ''
  process.stdout.write(`run ${id}: ${summary?.state ?? 'never began'}${next}\n${renderChain(journal)}\n`)
  process.stdout.write(renderRecords(journal.records, await loadDescriptions(id, folder, journal.records)))
  return exits.ok.code
}

/** Opens what the changes are, where this operator's key can. */
async function loadDescriptions(
  id: string,
  folder: string,
  records: readonly JournalRecord[],
): Promise<DescribeChange> {
  const sealed = records[0]?.key
  if (sealed === undefined) return () => undefined
  try {
    const { identity, recipients } = await createRunState(id, folder, []).keys()
    const key = await createSealer(identity, recipients).openKey(sealed)
    const intents = records.filter(record => record.type === 'intent')
    const whats = intents.map(record => {
      const { what } = openPayload(key, record) as { readonly what: string }
      return [record.step, what] as const
    })
    const byStep = new Map(whats)
    return step => byStep.get(step)
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    process.stderr.write('the names of the tasks are sealed to others: places are shown instead\n')
    return () => undefined
  }
}
