import { existsSync } from 'node:fs'
import { exits, problem } from '../core/error.ts'
import { type DueRun, listDue } from '../rotation/due.ts'
import type { Abandoned } from '../rotation/journal-entry.ts'
import {
  findRun,
  listRuns,
  type RotationSummary,
  type RunFolder,
  readSummary,
  stateFolder,
} from '../rotation/run-folder.ts'
import type { StatusFlags } from './policy-status.ts'

interface Row {
  readonly text: string
  readonly isOpen: boolean
  readonly isAwaiting: boolean
}

/** Where a policy is looked for when no flag names one: in the current folder. */
export const POLICY_FILE = 'rota.yml'

/** `rota status [RUN | PATTERN]`: of the runs on this machine; where there is a policy, of every secret on the hosts. */
export async function statusCommand(
  name: string | undefined,
  flags: StatusFlags,
  version: string,
): Promise<number> {
  const policy = flags.policy ?? (existsSync(POLICY_FILE) ? POLICY_FILE : undefined)
  const isRun = name !== undefined && /^(latest$|\d{8})/.test(name)
  if (policy !== undefined && !isRun)
    return (await import('./policy-status.ts')).policyStatusCommand(policy, name, flags, version)
  const flag = flags.format !== undefined ? '--format' : flags.offline ? '--offline' : undefined
  if (flag === undefined) return runsCommand(name)
  throw problem('E_USAGE', `${flag} is about the secrets of a policy, and there is none`, {
    hint: `write a ${POLICY_FILE} here, or name one with --policy`,
  })
}

/**
 * The rotations of this operator, newest first, with what they still owe. Exit `held` while one waits for a person to decide,
 * `awaiting` while one waits for a change at a provider.
 */
async function runsCommand(name: string | undefined): Promise<number> {
  const state = stateFolder(process.env)
  const runs = name === undefined ? await listRuns(state) : [await findRun(state, name)]
  const due = new Map((await listDue(state)).map(run => [run.id, run]))
  const read = await Promise.all(runs.map(async run => ({ ...run, summary: await readSummary(run.folder) })))
  const rotations = read.filter((run): run is Rotation => run.summary !== undefined)
  const shown = rotations.map((run, index) =>
    renderRun(run, due.get(run.id), selectLost(run, rotations.slice(0, index)), new Date()),
  )
  if (shown.length === 0) process.stdout.write(`no rotation in ${state}\n`)
  for (const { text } of shown) process.stdout.write(`${text}\n`)
  if (shown.some(({ isOpen }) => isOpen)) return exits.held.code
  return shown.some(({ isAwaiting }) => isAwaiting) ? exits.awaiting.code : exits.ok.code
}

interface Rotation extends RunFolder {
  readonly summary: RotationSummary
}

/** Hosts that it gave up and that no later rotation of this operator was on. */
function selectLost(
  { summary }: Rotation,
  later: readonly Rotation[],
): readonly (readonly [string, Abandoned])[] {
  const met = new Set(later.flatMap(run => run.summary.hosts))
  return Object.entries(summary.abandoned).filter(([host]) => !met.has(host))
}

function renderRun(
  { id, summary }: Rotation,
  due: DueRun | undefined,
  lost: readonly (readonly [string, Abandoned])[],
  now: Date,
): Row {
  const ways = summary.isOpen ? summary.ways : due ? [wayOf(due)] : []
  const next = ways.length > 0 ? `  → ${ways.join(', or ')}` : ''
  const head = `${id}  ${summary.state.padEnd(23)} ${summary.reason.padEnd(14)} ${summary.hosts.join(',')}${next}`
  const lines = [
    ...(due ? renderDue(due, now) : []),
    ...lost.map(
      ([host, { by, at, why }]) =>
        `${host} was given up by ${by} at ${at} (${why}), as it stood: when it returns, look at it, then rota recover ${host}`,
    ),
  ]
  const text = [head, ...lines.map(line => `    ${line}`)].join('\n')
  return { text, isOpen: summary.isOpen, isAwaiting: (due?.gates.length ?? 0) > 0 }
}

function wayOf({ id, gates }: DueRun): string {
  return gates.length > 0 ? `rota confirm ${id}` : `rota finalise ${id}`
}

/** One line for each gate that is shut and each value of before that still counts. */
function renderDue({ gates, until }: DueRun, now: Date): readonly string[] {
  return [
    ...gates.map(({ name, say }) => `waits for ${name}: ${say}`),
    ...Object.entries(until).map(
      ([name, time]) => `grace: the previous ${name} counts until ${time} (${renderLeft(time, now)})`,
    ),
  ]
}

const HOUR_MS = 3_600_000

function renderLeft(time: string, now: Date): string {
  const hours = (new Date(time).getTime() - now.getTime()) / HOUR_MS
  if (hours < 0) return `over for ${Math.ceil(-hours)} h`
  return `${Math.ceil(hours)} h left`
}
