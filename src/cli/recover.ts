import { exits } from '../core/error.ts'
import { readJournal } from '../rotation/journal.ts'
import { findRun, type RunFolder, stateFolder } from '../rotation/run-folder.ts'
import { executePlaybooks } from './execute.ts'
import { openInvocation, placePlaybooks, selectFolder } from './invocation.ts'
import type { RunFlags } from './options.ts'
import { createRunState } from './run-state.ts'

export interface RecoverFlags extends RunFlags {
  /** Name of a host that has a copy of the run's journal. */
  readonly fromHost?: string
}

/**
 * `rota resume|rollback|finalise [RUN]`: takes a rotation up again with what it was begun with. Flags given now win; passwords
 * are never kept, so `-k` and `-K` are asked again. Without a name: the newest run. `--from-host` first fetches the run from
 * its hosts, for an operator on another machine.
 */
export async function recoverCommand(
  mode: 'resume' | 'rollback' | 'finalise',
  name: string | undefined,
  { fromHost, ...flags }: RecoverFlags,
  version: string,
): Promise<number> {
  const found = await selectRun(mode, name, fromHost, flags)
  if (found === undefined) {
    process.stdout.write(`run ${name} had changed nothing: ${fromHost} is free again\n`)
    return exits.ok.code
  }
  const { id, folder } = found
  const state = createRunState(id, folder, flags.recipient ?? [])
  const invocation = await openInvocation(state, await readJournal(folder))
  const base = selectFolder(invocation, process.cwd(), fromHost !== undefined)
  // Inventory, variables and keys may have been given relative to where the run was begun.
  process.chdir(base)
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  return executePlaybooks({
    mode,
    files: placePlaybooks(invocation, base),
    flags: { ...invocation.flags, ...given },
    state,
    version,
  })
}

async function selectRun(
  mode: 'resume' | 'rollback' | 'finalise',
  name: string | undefined,
  fromHost: string | undefined,
  flags: RunFlags,
): Promise<RunFolder | undefined> {
  const state = stateFolder(process.env)
  if (fromHost === undefined) return findRun(state, name ?? 'latest')
  const { fetchRun } = await import('./from-host.ts')
  return fetchRun(state, mode, name, fromHost, flags)
}
