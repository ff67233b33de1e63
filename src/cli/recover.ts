import { problem } from '../core/error.ts'
import { readJournal } from '../rotation/journal.ts'
import { findNewestRotation, findRun, stateFolder } from '../rotation/run-folder.ts'
import { configureFlags } from './config-flags.ts'
import { executePlaybooks } from './execute.ts'
import { readInvocation } from './invocation.ts'
import type { RunFlags } from './options.ts'
import { createRunState } from './run-state.ts'

/**
 * `rota resume|rollback|finalise [RUN]`: takes a rotation up again with what it was begun with. Flags given now win; passwords
 * are never kept, so `-k` and `-K` are asked again. Without a name: the newest open run.
 */
export async function recoverCommand(
  mode: 'resume' | 'rollback' | 'finalise',
  name: string | undefined,
  flags: RunFlags,
  version: string,
): Promise<number> {
  const base = stateFolder(process.env)
  const { id, folder } = name === undefined ? await findNewestRotation(base) : await findRun(base, name)
  const records = await readJournal(folder)
  if (records.length === 0)
    throw problem('E_USAGE', `run ${id} never began: it changed nothing, and there is nothing to ${mode}`, {
      hint: '`rota status` lists the rotations',
    })
  const state = createRunState(id, folder, flags.recipient ?? [])
  const invocation = await readInvocation(state)
  // Values that were given are in the journal by then, and nobody is asked for them again.
  const isSettled = mode !== 'resume' || records.some(({ type }) => type === 'pending')
  if (isSettled && flags.secret !== undefined)
    throw problem('E_USAGE', `run ${id} holds its values already`, { hint: 'leave out --secret' })
  // Inventory, variables and keys may have been given relative to where the run was begun.
  process.chdir(invocation.folder)
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  return executePlaybooks({
    mode,
    files: invocation.playbooks,
    ...configureFlags({ ...invocation.flags, ...(isSettled && { secret: [] }), ...given }),
    state,
    version,
  })
}
