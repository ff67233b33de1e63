import { exits, problem } from '../core/error.ts'
import { findNewestDue } from '../rotation/due.ts'
import { readJournal } from '../rotation/journal.ts'
import type { RotationDeps } from '../rotation/run.ts'
import { findNewestRotation, findRun, type RunFolder, stateFolder } from '../rotation/run-folder.ts'
import { configureFlags } from './config-flags.ts'
import { executePlaybooks } from './execute.ts'
import type { GivenBack } from './from-host.ts'
import { openInvocation, placePlaybooks, selectFolder } from './invocation.ts'
import type { RunFlags } from './options.ts'
import type { Mode } from './rotation.ts'
import { createRunState } from './run-state.ts'

export interface RecoverFlags extends RunFlags {
  /** Name of a host that has a copy of the run's journal. */
  readonly fromHost?: string
  /** Hosts to give up, and why. */
  readonly abandon?: readonly string[]
  readonly message?: string
}

/** Throws E_USAGE when hosts are given up without a word, or the other way round. */
function selectAbandon({ abandon, message }: RecoverFlags): RotationDeps['abandon'] {
  if (abandon !== undefined && message !== undefined && message.trim() !== '')
    return { hosts: abandon, why: message.trim() }
  if (abandon === undefined && message === undefined) return undefined
  throw problem('E_USAGE', abandon ? '--abandon without a reason' : '-m is for --abandon', {
    hint: "--abandon HOST -m 'why': it stays in the journal and the evidence",
  })
}

/**
 * `rota resume|rollback|confirm|finalise [RUN]`: takes a rotation up again with what it was begun with. Flags given now win; passwords
 * are never kept, so `-k` and `-K` are asked again. Without a name: the newest open run. `--from-host` first fetches the run from
 * its hosts, for an operator on another machine.
 */
export async function recoverCommand(
  mode: Exclude<Mode, 'run'>,
  name: string | undefined,
  { fromHost, abandon: hosts, message, ...flags }: RecoverFlags,
  version: string,
): Promise<number> {
  const abandon = selectAbandon({
    ...(hosts && { abandon: hosts }),
    ...(message !== undefined && { message }),
  })
  const found = await selectRun(mode, name, fromHost, flags)
  if ('why' in found) {
    process.stdout.write(`run ${name} ${found.why}: ${fromHost} is free again\n`)
    return exits.ok.code
  }
  const { id, folder } = found
  const records = await readJournal(folder)
  if (records.length === 0)
    throw problem('E_USAGE', `run ${id} never began: it changed nothing, and there is nothing to ${mode}`, {
      hint: '`rota status` lists the rotations',
    })
  const state = createRunState(id, folder, flags.recipient ?? [])
  const invocation = await openInvocation(state, records)
  const base = selectFolder(invocation, process.cwd(), fromHost !== undefined)
  // Values that were given are in the journal by then, and nobody is asked for them again.
  const isSettled = mode !== 'resume' || records.some(({ type }) => type === 'pending')
  if (isSettled && flags.secret !== undefined)
    throw problem('E_USAGE', `run ${id} holds its values already`, { hint: 'leave out --secret' })
  // Inventory, variables and keys may have been given relative to where the run was begun.
  process.chdir(base)
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  return executePlaybooks({
    mode,
    files: placePlaybooks(invocation, base),
    ...configureFlags({ ...invocation.flags, ...hereAndNow, ...(isSettled && { secret: [] }), ...given }),
    state,
    version,
    ...(abandon && { abandon }),
  })
}

/** How the run was shown then is no concern of now; and its file of events would be written over. */
const hereAndNow: Pick<RunFlags, 'output' | 'events' | 'color' | 'verbose'> = {
  output: undefined,
  events: undefined,
  color: undefined,
  verbose: undefined,
}

async function selectRun(
  mode: Exclude<Mode, 'run'>,
  name: string | undefined,
  fromHost: string | undefined,
  flags: RunFlags,
): Promise<RunFolder | GivenBack> {
  const state = stateFolder(process.env)
  if (fromHost === undefined) {
    if (name !== undefined) return findRun(state, name)
    const isClosing = mode === 'confirm' || mode === 'finalise'
    return (isClosing && (await findNewestDue(state))) || findNewestRotation(state)
  }
  const { fetchRun } = await import('./from-host.ts')
  return fetchRun(state, mode, name, fromHost, flags)
}
