import { createHash } from 'node:crypto'

/** How often something is run; each name is one of systemd's calendar words too. */
export const periods = ['daily', 'weekly', 'monthly', 'quarterly', 'yearly'] as const
export type Period = (typeof periods)[number]
const DAY_MS = 86_400_000
const lengthsMs: Readonly<Record<Period, number>> = {
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 31 * DAY_MS,
  quarterly: 92 * DAY_MS,
  yearly: 366 * DAY_MS,
}

/** The longest period that keeps every cryptoperiod (milliseconds); daily when none does. */
export function selectPeriod(cryptoperiodsMs: readonly number[]): Period {
  const shortest = Math.min(...cryptoperiodsMs)
  return periods.findLast(period => lengthsMs[period] <= shortest) ?? 'daily'
}

/** Something that is run by itself. */
export interface Job {
  /** Letters, digits and dashes. */
  readonly name: string
  /** For people. */
  readonly say: string
  readonly every: Period
  /** What is typed after `rota`. */
  readonly args: readonly string[]
}
/** Where rota and its project are on the machine that runs the jobs. */
export interface Site {
  readonly folder: string
  readonly user: string
  /** The program, as argv. */
  readonly rota: readonly string[]
}
export interface ScheduleFile {
  readonly path: string
  readonly text: string
}

const days: Readonly<Record<Period, string>> = {
  daily: '* * *',
  weekly: '* * 1',
  monthly: '1 * *',
  quarterly: '1 1,4,7,10 *',
  yearly: '1 1 *',
}

/** Five fields of crontab(5): between three and four at night, at a minute that differs from job to job. */
export function renderCronTime({ name, every }: Job): string {
  const minute = createHash('sha256').update(name).digest()[0]! % 60
  return `${minute} 3 ${days[every]}`
}

/** One word of POSIX sh. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
