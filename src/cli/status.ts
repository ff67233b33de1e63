import { exits } from '../core/error.ts'
import { findRun, listRuns, type RunFolder, readSummary, stateFolder } from '../rotation/run-folder.ts'

/** `rota status [RUN]`: the rotations of this operator, newest first. Exit `held` while one waits for a person. */
export async function statusCommand(name: string | undefined): Promise<number> {
  const state = stateFolder(process.env)
  const runs = name === undefined ? await listRuns(state) : [await findRun(state, name)]
  const rows = await Promise.all(runs.map(renderRun))
  const shown = rows.filter(row => row !== undefined)
  if (shown.length === 0) process.stdout.write(`no rotation in ${state}\n`)
  for (const { text } of shown) process.stdout.write(`${text}\n`)
  return shown.some(({ isOpen }) => isOpen) ? exits.held.code : exits.ok.code
}

async function renderRun({ id, folder }: RunFolder): Promise<{ text: string; isOpen: boolean } | undefined> {
  const summary = await readSummary(folder)
  if (!summary) return undefined
  const next = summary.isOpen ? `  → ${summary.ways.join(', or ')}` : ''
  const text = `${id}  ${summary.state.padEnd(23)} ${summary.reason.padEnd(14)} ${summary.hosts.join(',')}${next}`
  return { text, isOpen: summary.isOpen }
}
