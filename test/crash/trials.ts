// Which trials are made, and what came of them as a table.
import { census, type Story, stories, type Trial, tryOut, type Verdict, type Way } from './simulated-site.ts'
import { allFaults, type Fault, faults } from './tripwire.ts'

/** A struck run lives on after most faults and passes points that an undisturbed one does not. */
const BEYOND = 40
const ways: readonly Way[] = ['resume', 'rollback']

export interface Tally {
  trials: number
  /** Of these, struck again in the recovery. */
  twice: number
  whole: number
}
export interface Outcome {
  /** Points of each story's run, by name of the story. */
  readonly points: ReadonlyMap<string, readonly string[]>
  readonly tallies: ReadonlyMap<Fault, Tally>
  readonly wrong: readonly { readonly trial: Trial; readonly verdict: Verdict }[]
}
export interface Wanted {
  /** About how many trials. */
  readonly trials: number
  /** End with the first one that is not whole. */
  readonly isFirstEnough?: boolean
}

/** Every single stop there is: story × point × fault × way. */
async function listSingles(): Promise<{
  readonly all: readonly Trial[]
  readonly points: Map<string, readonly string[]>
}> {
  const points = new Map<string, readonly string[]>()
  const all: Trial[] = []
  for (const story of stories) {
    const passed = await census(story)
    points.set(story.name, passed)
    for (let at = 1; at <= passed.length + BEYOND; at++)
      for (const fault of allFaults) for (const way of ways) all.push({ story, fault, at, way })
  }
  return { all, points }
}

/** Spreads a walk over a list so that its beginning is a sample of the whole: a stride that shares no factor with the length. */
function* spread<T>(list: readonly T[]): Generator<T> {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))
  let stride = Math.floor(list.length * 0.618)
  while (gcd(stride, list.length) !== 1) stride++
  for (let i = 0, at = 0; i < list.length; i++, at = (at + stride) % list.length) yield list[at]!
}

/** Makes trials until there are as many as wanted: each single stop, and one with a second stop in its recovery. */
export async function runTrials({ trials, isFirstEnough = false }: Wanted): Promise<Outcome> {
  const { all, points } = await listSingles()
  const tallies = new Map<Fault, Tally>(allFaults.map(fault => [fault, { trials: 0, twice: 0, whole: 0 }]))
  const wrong: { trial: Trial; verdict: Verdict }[] = []
  let made = 0
  const make = async (trial: Trial): Promise<number> => {
    const verdict = await tryOut(trial)
    if (!verdict.isStruck) return 0
    const tally = tallies.get(trial.fault)!
    made++
    tally.trials++
    if (trial.again !== undefined) tally.twice++
    if (verdict.wrong.length === 0) tally.whole++
    else wrong.push({ trial, verdict })
    return verdict.recovery
  }
  for (const trial of spread(all)) {
    if (made >= trials || (isFirstEnough && wrong.length > 0)) break
    const recovery = await make(trial)
    if (recovery > 0) await make({ ...trial, again: 1 + ((trial.at * 31 + made) % recovery) })
  }
  return { points, tallies, wrong }
}

const doorOf = (point: string): string => point.split(' ')[0]!
const columns = ['disk', 'evidence', 'send', 'host', 'answer'] as const

/** The table that `npm run crash` prints. */
export function renderTable({ points, tallies, wrong }: Outcome): string {
  const row = (name: string, cells: readonly (number | string)[]): string =>
    `${name.padEnd(52)}${cells.map(cell => String(cell).padStart(10)).join('')}`
  const sum = (key: keyof Tally): number =>
    [...tallies.values()].reduce((total, tally) => total + tally[key], 0)
  return [
    row('points of a run', [...columns, 'all']),
    ...[...points].map(([story, names]) =>
      row(`  ${story}`, [
        ...columns.map(door => names.filter(name => doorOf(name) === door).length),
        names.length,
      ]),
    ),
    '',
    row('fault', ['trials', 'twice', 'whole', 'not whole']),
    ...[...tallies].map(([fault, tally]) =>
      row(`  ${faults[fault]}`, [tally.trials, tally.twice, tally.whole, tally.trials - tally.whole]),
    ),
    row('  all', [sum('trials'), sum('twice'), sum('whole'), wrong.length]),
    ...wrong.slice(0, 20).map(({ trial, verdict }) => `NOT WHOLE ${renderTrial(trial, verdict)}`),
  ].join('\n')
}

function renderTrial({ story, fault, at, way, again }: Trial, { point, wrong }: Verdict): string {
  const second = again === undefined ? '' : `, struck again at its point ${again}`
  return `${story.name}: ${fault} at point ${at} (${point}), then ${way}${second}: ${wrong.join('; ')}`
}

export type { Story }
