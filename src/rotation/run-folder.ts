import { mkdir, readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { problem, RotaError } from '../core/error.ts'
import type { RotationState } from '../core/event.ts'
import type { Reason } from '../core/transaction.ts'
import { realDisk } from './disk.ts'
import { type JournalRecord, readJournal } from './journal.ts'

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

/** Makes the folder of a new run, mode 0700, under `STATE/runs`. Throws E_FILE. */
export async function createRunFolder(
  state: string,
  now: Date,
  random: (sizeBytes: number) => Buffer,
): Promise<RunFolder> {
  const runs = join(state, 'runs')
  for (;;) {
    const id = createRunId(now, random)
    const folder = join(runs, id)
    try {
      await mkdir(runs, { recursive: true, mode: 0o700 })
      await mkdir(folder, { mode: 0o700 })
      // The journal in it is only as durable as the names that lead to it.
      for (const parent of [runs, state, dirname(state)]) await realDisk.syncFolder(parent)
      return { id, folder }
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'EEXIST') continue
      throw problem('E_FILE', `cannot make the run folder ${folder}: ${code}`, {
        hint: 'mend the folder, or put runs elsewhere with XDG_STATE_HOME',
        cause,
      })
    }
  }
}

/** Every run of this operator, newest first. */
export async function listRuns(state: string): Promise<readonly RunFolder[]> {
  const runs = join(state, 'runs')
  const names = await readdir(runs).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw problem('E_FILE', `cannot read ${runs}: ${error.code}`, { cause: error })
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
  throw problem(
    'E_USAGE',
    all.length === 0 ? `there is no run in ${state}` : `no run begins with ${JSON.stringify(name)}`,
    {
      hint: all.length === 0 ? 'rota run PLAYBOOK makes one' : `the newest are ${shown.join(', ')}`,
    },
  )
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
}

function selectState(records: readonly JournalRecord[]): RotationState {
  const last = records.at(-1)
  if (last?.type === 'end' || last?.type === 'held') return last.state
  if (records.some(({ type }) => type === 'commit')) return 'committed'
  return records.some(record => record.type === 'phase' && record.phase === 'undo')
    ? 'rolling_back'
    : 'running'
}

/** Reads what a rotation amounts to; undefined when the run is no rotation or never began. Throws E_JOURNAL when it is damaged. */
export async function readSummary(folder: string): Promise<RotationSummary | undefined> {
  const records = await readJournal(folder)
  const begin = records.find(record => record.type === 'begin')
  if (!begin) return undefined
  const { reason, plan, hosts, at } = begin
  const isOpen = !records.some(({ type }) => type === 'end')
  return { reason, plan, hosts, began: at, state: selectState(records), isOpen }
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
        hint: `rota resume ${id}, or rota rollback ${id}`,
      })
  }
}
