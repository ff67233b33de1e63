import { findRun, stateFolder } from '../rotation/run-folder.ts'
import { configureFlags } from './config-flags.ts'
import { executePlaybooks } from './execute.ts'
import { readInvocation } from './invocation.ts'
import type { RunFlags } from './options.ts'
import { createRunState } from './run-state.ts'

/**
 * `rota resume|rollback|finalise [RUN]`: takes a rotation up again with what it was begun with. Flags given now win; passwords
 * are never kept, so `-k` and `-K` are asked again. Without a name: the newest run.
 */
export async function recoverCommand(
  mode: 'resume' | 'rollback' | 'finalise',
  name: string | undefined,
  flags: RunFlags,
  version: string,
): Promise<number> {
  const { id, folder } = await findRun(stateFolder(process.env), name ?? 'latest')
  const state = createRunState(id, folder, flags.recipient ?? [])
  const invocation = await readInvocation(state)
  // Inventory, variables and keys may have been given relative to where the run was begun.
  process.chdir(invocation.folder)
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  return executePlaybooks({
    mode,
    files: invocation.playbooks,
    ...configureFlags({ ...invocation.flags, ...given }),
    state,
    version,
  })
}
