import { join } from 'node:path'
import { problem, type RotaError } from '../core/error.ts'
import type { Inventory } from '../core/vars.ts'
import { readHold } from '../rotation/host-hold.ts'
import { findBegin, findRemains, readCopy, rebuildJournal } from '../rotation/host-journal.ts'
import { type Found, freeHost, type Owner, takeCopy } from '../rotation/host-lock.ts'
import { selectHosts } from '../rotation/journal.ts'
import { isRunId, type RunFolder } from '../rotation/run-folder.ts'
import { openReach, type Reach } from './host-reach.ts'
import { openInvocation, placePlaybooks, selectFolder } from './invocation.ts'
import { learnEnd } from './learned-end.ts'
import type { RunFlags } from './options.ts'
import type { Mode } from './rotation.ts'
import { createRunState, type RunState } from './run-state.ts'

export type FetchMode = Exclude<Mode, 'run'>

/**
 * Takes a run over from its hosts and makes its folder here: HOST's copy of the journal names the others, whose copies are
 * needed too. The process that had the run can change nothing on them any more. GivenBack: there was nothing left to do but to
 * give HOST back, which is done. Throws E_USAGE, E_HOSTS, E_JOURNAL, E_SEAL
 * when this operator is no recipient of the run, and what connecting throws.
 */
export async function fetchRun(
  state: string,
  mode: FetchMode,
  run: string | undefined,
  host: string,
  given: RunFlags,
): Promise<RunFolder | GivenBack> {
  if (run === undefined || !isRunId(run))
    throw problem('E_USAGE', '--from-host needs the whole id of the run', {
      hint: `rota recover ${host} names it`,
    })
  const folder = join(state, 'runs', run)
  const reach = await openReach(given)
  try {
    const inventory = await reach.loadInventory([])
    const fetch = { reach, run, mode, folder, state: createRunState(run, folder, []) }
    return (await fetchCopies(fetch, host, inventory)) ?? { id: run, folder }
  } finally {
    await reach.close()
  }
}

export interface Fetch {
  readonly reach: Reach
  readonly run: string
  readonly mode: FetchMode
  /** Of the run, to be made here. */
  readonly folder: string
  readonly state: RunState
}

/** A host that a run no longer needs is free again. */
export interface GivenBack {
  /** Said of the run: `had changed nothing`. */
  readonly why: string
}

/** Undefined: the run's folder is here now. `inventory` has to name HOST. */
export async function fetchCopies(
  fetch: Fetch,
  host: string,
  inventory: Inventory,
): Promise<GivenBack | undefined> {
  const { reach, run, folder } = fetch
  await requireRecipient(fetch, host, inventory)
  const found = await takeFrom(fetch, host, inventory)
  const begin = findBegin(found.journal ?? '')
  if (begin === undefined) {
    if (!found.isHeld && (await learnEnd(fetch.state, folder, found.journal ?? ''))) return undefined
    // Every host has a copy before any is changed, so nothing was changed anywhere.
    if (!found.isHeld || fetch.mode !== 'rollback') throw nothingOf(run, host, found)
    await freeHost(host, found.owner)
    return { why: 'had changed nothing' }
  }
  const invocation = await openInvocation(fetch.state, [begin])
  const base = selectFolder(invocation, process.cwd(), true)
  const files = placePlaybooks(invocation, base)
  const whole = await reach.loadInventory(files, invocation.flags.inventory)
  const records = readCopy(found.journal ?? '')
  const abandoned = records.flatMap(record => (record.type === 'abandon' ? record.hosts : []))
  const others = selectHosts(records).filter(other => other !== host && !abandoned.includes(other))
  const copies = await Promise.all(
    others.map(async (other): Promise<[string, Taken]> => [other, await takeFrom(fetch, other, whole)]),
  )
  const all = [[host, found] as const, ...copies]
  const end = all.map(([, { journal }]) => findRemains(journal ?? '')).find(record => record !== undefined)
  if (end) {
    if (end.hosts[host] === 'abandoned') throw wasAbandoned(run, host)
    return giveBack(all, end.state)
  }
  const texts = all.flatMap(([name, { journal, isHeld }]) => {
    // A host that the run holds and that has no copy got none: nothing was changed there.
    const text = journal ?? (isHeld ? '' : undefined)
    return text === undefined ? [] : [[name, text] as const]
  })
  await rebuildJournal(folder, new Map(texts))
  return undefined
}

function wasAbandoned(run: string, host: string): RotaError {
  return problem(
    'E_HELD',
    `run ${run} ended without ${host}, which was given up: nothing of it can be finished there`,
    {
      hint: `look at ${host}, then: rota recover ${host}`,
    },
  )
}

/** Of a machine that was lost while it gave its hosts back: every host is as the run left it, and only those that it kept are held. */
async function giveBack(hosts: readonly (readonly [string, Taken])[], state: string): Promise<GivenBack> {
  for (const [host, { isHeld, owner }] of hosts) if (isHeld) await freeHost(host, owner, { isOver: true })
  return { why: `is over (${state})` }
}

/** Before anything is taken over: who is no recipient cannot go on, and must not stop whoever can. Throws E_SEAL. */
async function requireRecipient(
  { reach, run, state }: Fetch,
  host: string,
  inventory: Inventory,
): Promise<void> {
  const { found } = await reach.look(
    host,
    inventory,
    runOnHost => readHold(host, runOnHost, run),
    ({ journal }) => journal !== undefined,
  )
  const begin = findBegin(found.journal ?? '')
  if (begin) await openInvocation(state, [begin])
}

function nothingOf(run: string, host: string, { isHeld }: Found): RotaError {
  if (isHeld)
    return problem('E_JOURNAL', `run ${run} holds ${host}, but had not begun to change anything`, {
      hint: `rota rollback ${run} --from-host ${host} gives it back`,
    })
  return problem('E_JOURNAL', `${host} has no journal of run ${run}`, {
    hint: 'check the id and the host; where the play becomes another user than root, give --become-user, or -K when sudo asks for a password',
  })
}

interface Taken extends Found {
  readonly owner: Owner
}

async function takeFrom({ reach, run }: Fetch, host: string, inventory: Inventory): Promise<Taken> {
  const { found, runOnHost } = await reach.look(
    host,
    inventory,
    runOnHost => takeCopy(host, reach.ownerOf(run, runOnHost)),
    ({ isHeld, journal }) => isHeld || journal !== undefined,
  )
  return { ...found, owner: reach.ownerOf(run, runOnHost) }
}
