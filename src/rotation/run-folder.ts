import { mkdir, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { problem, RotaError } from '../core/error.ts'
import type { RotationState } from '../core/event.ts'
import type { Reason } from '../core/transaction.ts'
import { realDisk } from './disk.ts'
import { findLast, findLatest, isUndoing, type JournalRecord, readJournal, selectHosts } from './journal.ts'
import type { Abandoned } from './journal-entry.ts'

/** `$XDG_STATE_HOME/rota`, or `~/.local/state/rota` when that is unset or relative (XDG Base Directory Specification). */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const given = env['XDG_STATE_HOME']
  return join(given?.startsWith('/') ? given : join(env['HOME'] ?? homedir(), '.local', 'state'), 'rota')
}

export interface RunFolder {
  /** Sorts by time: `20261123T034500Z-k3f9`. */
  readonly id: string
  readonly folder: string
}

const ID = /^\d{8}T\d{6}Z-[a-z0-9]{4}$/
/** True for a whole run id. */
export function isRunId(text: string): boolean {
  return ID.test(text)
}
const letters = 'abcdefghijkmnpqrstuvwxyz23456789'

/** UTC to the second, and four characters that tell runs of one second apart (32 letters: a byte's low five bits each). */
export function createRunId(now: Date, random: (sizeBytes: number) => Buffer): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '')
  return `${time}-${[...random(4)].map(byte => letters[byte % letters.length]).join('')}`
}

/**
 * The id of the next run of this operator: behind all that are there, also when the clock was set back since. Runs are ordered by
 * their ids, and their time is only for people.
 */
export async function nextRunId(
  state: string,
  now: Date,
  random: (sizeBytes: number) => Buffer,
): Promise<string> {
  const [newest] = await listRuns(state)
  const id = createRunId(now, random)
  if (newest === undefined || newest.id.slice(0, TIME_CHARS) < id.slice(0, TIME_CHARS)) return id
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(
    newest.id,
  )!
  const after = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`).getTime() + 1000
  return createRunId(new Date(after), random)
}
/** As in `20261123T034500Z`. */
const TIME_CHARS = 16

const MEND = 'mend the folder, or put runs elsewhere with XDG_STATE_HOME'

/**
 * Makes the folder of a run, mode 0700, with the folders above it, so that its name would survive a power cut; a folder that is
 * there stays as it is. Throws E_FILE.
 */
export async function makeRunFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    // The journal in it is only as durable as the names that lead to it.
    for (const up of ['..', '../..', '../../..']) await realDisk.syncFolder(join(folder, up))
  } catch (cause) {
    throw problem(
      'E_FILE',
      `cannot make the run folder ${folder}: ${(cause as NodeJS.ErrnoException).code}`,
      {
        hint: MEND,
        cause,
      },
    )
  }
}

/** One level at a time: mkdir with `recursive` never comes back where a parent cannot be made, as below /proc. */
async function makeFolder(folder: string): Promise<void> {
  const make = (): Promise<unknown> => mkdir(folder, { mode: 0o700 })
  const isThere = await make().then(
    () => true,
    async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return (await stat(folder)).isDirectory()
      if (error.code === 'ENOENT' && dirname(folder) !== folder) return false
      throw error
    },
  )
  if (isThere) return
  await makeFolder(dirname(folder))
  await make()
}

/** Every run of this operator, newest first. */
export async function listRuns(state: string): Promise<readonly RunFolder[]> {
  const runs = join(state, 'runs')
  const names = await readdir(runs).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw problem('E_FILE', `cannot read ${runs}: ${error.code}`, { hint: MEND, cause: error })
  })
  const ids = names.filter(name => ID.test(name)).sort()
  return ids.reverse().map(id => ({ id, folder: join(runs, id) }))
}

/** Finds a run by `latest` or by the beginning of its id, if only one begins so. Throws E_USAGE naming the candidates. */
export async function findRun(state: string, name: string): Promise<RunFolder> {
  const all = await listRuns(state)
  const found = name === 'latest' ? all.slice(0, 1) : all.filter(({ id }) => id.startsWith(name))
  if (found.length === 1) return found[0]!
  const shown = (found.length > 0 ? found : all).slice(0, 5).map(({ id }) => id)
  if (found.length > 1)
    throw problem('E_USAGE', `${found.length} runs begin with ${JSON.stringify(name)}`, {
      hint: `give more of the id: ${shown.join(', ')}`,
    })
  // A whole id is copied from what another command says of a host: the run was begun elsewhere, or its folder is lost.
  const elsewhere = isRunId(name)
    ? 'if a host names it, resume and rollback take --from-host HOST -i INVENTORY; '
    : ''
  throw problem(
    'E_USAGE',
    all.length === 0 ? `there is no run in ${state}` : `no run begins with ${JSON.stringify(name)}`,
    {
      hint:
        elsewhere + (all.length === 0 ? 'rota run PLAYBOOK makes one' : `the newest are ${shown.join(', ')}`),
    },
  )
}

/**
 * The rotation that a command without a run's name is about: the newest one that is open; else the newest of all. Runs that never
 * began (refused by another run, `--check`) are passed over. Throws E_USAGE when there is none.
 */
export async function findNewestRotation(state: string): Promise<RunFolder> {
  let newest: RunFolder | undefined
  for (const run of await listRuns(state)) {
    const summary = await readSummary(run.folder).catch(() => undefined)
    if (summary?.isOpen) return run
    if (summary) newest ??= run
  }
  if (newest) return newest
  throw problem('E_USAGE', `there is no rotation in ${state}`, { hint: 'rota run PLAYBOOK begins one' })
}

/** What a run folder's journal says in plain, for lists: no key is needed. */
export interface RotationSummary {
  readonly reason: Reason
  readonly plan: string
  readonly hosts: readonly string[]
  readonly began: string
  /** The state of its `end` or `held`; else how far it got. */
  readonly state: RotationState
  /** It has no `end`: it is under way, or waits for `resume` or `rollback`. */
  readonly isOpen: boolean
  /** What to type next, best first; empty when nothing is open. */
  readonly ways: readonly string[]
  /** What the journal knows of each host: whether something was changed there. */
  readonly changed: Readonly<Record<string, 'no' | 'undone' | 'yes'>>
  /** Hosts that it ended without, as they stood: nobody knows what is true there. */
  readonly abandoned: Readonly<Record<string, Abandoned>>
}

/** The run's own; hosts that were committed alone leave the others both ways. */
function hasPivot(records: readonly JournalRecord[]): boolean {
  return records.some(record => record.type === 'commit' && record.hosts === undefined)
}

/** What is committed only goes forward, and an undo that was begun only goes back. */
function selectWays(run: string, records: readonly JournalRecord[]): readonly string[] {
  if (records.some(({ type }) => type === 'end')) return []
  if (hasPivot(records)) return [`rota resume ${run}`]
  return isUndoing(records) ? [`rota rollback ${run}`] : [`rota resume ${run}`, `rota rollback ${run}`]
}

function selectChanged(
  hosts: readonly string[],
  records: readonly JournalRecord[],
): RotationSummary['changed'] {
  const open = new Map<string, Set<string>>()
  for (const record of records) {
    if (!('step' in record)) continue
    const steps = open.get(record.host) ?? new Set()
    open.set(record.host, steps)
    if (record.type === 'undone') steps.delete(record.step)
    else steps.add(record.step)
  }
  const all = [...new Set([...hosts, ...open.keys()])]
  return Object.fromEntries(
    all.map(host => {
      const steps = open.get(host)
      return [host, steps === undefined ? 'no' : steps.size === 0 ? 'undone' : 'yes']
    }),
  )
}

function selectState(records: readonly JournalRecord[]): RotationState {
  const last = findLatest(records)
  if (last?.type === 'end' || last?.type === 'held') return last.state
  if (hasPivot(records)) return 'committed'
  return isUndoing(records) ? 'rolling_back' : 'running'
}

/** Reads what a rotation amounts to; undefined when the run is no rotation or never began. Throws E_JOURNAL when it is damaged. */
export async function readSummary(folder: string): Promise<RotationSummary | undefined> {
  return summarize(basename(folder), await readJournal(folder))
}

/** The same from records, of a host's copy of the journal too; undefined without the first one. */
export function summarize(run: string, records: readonly JournalRecord[]): RotationSummary | undefined {
  const begin = findLast(records, 'begin')
  if (!begin) return undefined
  const { reason, plan, at } = begin
  const hosts = selectHosts(records)
  const isOpen = !records.some(({ type }) => type === 'end')
  return {
    reason,
    plan,
    hosts,
    began: at,
    state: selectState(records),
    isOpen,
    ways: selectWays(run, records),
    changed: selectChanged(hosts, records),
    abandoned: Object.assign({}, ...records.map(record => ('abandoned' in record ? record.abandoned : {}))),
  }
}

/**
 * Refuses to begin a rotation on hosts that an open run of this operator still holds. Throws E_LOCKED naming the run and
 * what to type. A damaged journal refuses too: nobody can say what it holds. `except` is the run that asks.
 */
export async function refuseOverlap(state: string, hosts: readonly string[], except?: string): Promise<void> {
  for (const { id, folder } of await listRuns(state)) {
    if (id === except) continue
    const summary = await readSummary(folder).catch((error: unknown) => {
      if (!(error instanceof RotaError)) throw error
      throw problem(
        'E_LOCKED',
        `run ${id} cannot be read, so it may still hold these hosts: ${error.message}`,
        {
          hint: `restore ${folder}, or move it away when you know that its run is over`,
          cause: error,
        },
      )
    })
    const shared = summary?.isOpen ? hosts.filter(host => summary.hosts.includes(host)) : []
    if (shared.length > 0)
      throw problem('E_LOCKED', `run ${id} (${summary!.state}) still holds ${shared.join(', ')}`, {
        hint: summary!.ways.join(', or '),
      })
  }
}
