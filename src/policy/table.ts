import type { Agreement, OpenRun, Report, Standing } from './standing.ts'

const DAY_MS = 86_400_000
const HOUR_MS = DAY_MS / 24

/** `12d`, `5h`: whole units, rounded down. */
function renderAge(ms: number): string {
  return ms >= 2 * DAY_MS ? `${Math.floor(ms / DAY_MS)}d` : `${Math.floor(ms / HOUR_MS)}h`
}

function renderDue({ dueAt, timeliness }: Standing, nowMs: number): string {
  if (dueAt === undefined) return 'UNKNOWN AGE'
  const leftMs = new Date(dueAt).getTime() - nowMs
  if (timeliness === 'overdue') return `OVERDUE ${renderAge(-leftMs)}`
  return `${timeliness === 'due' ? 'due in' : 'ok, due in'} ${renderAge(leftMs)}`
}

function renderAgreements(agreements: readonly Agreement[]): string {
  const count = (found: Agreement['found']): number => agreements.filter(one => one.found === found).length
  const differing = count('differs')
  if (differing > 0) return `DRIFT ${differing} of ${agreements.length}`
  const unknown = count('unknown')
  if (unknown > 0) return `not asked: ${unknown} of ${agreements.length}`
  return agreements.length === 0 ? '-' : `agrees ${agreements.length}`
}

function renderLast({ last, rotatedAt }: Standing): string {
  const notes = { valid: '', invalid: ' EVIDENCE INVALID', elsewhere: ' elsewhere' }
  if (last) return `${last.run}${notes[last.evidence]}`
  return rotatedAt === undefined ? '-' : 'by policy'
}

function renderRow(standing: Standing, nowMs: number): readonly string[] {
  const { host, application, secret, ageMs } = standing
  return [
    host,
    application,
    secret,
    ageMs === undefined ? '?' : renderAge(ageMs),
    renderDue(standing, nowMs),
    renderAgreements(standing.agreements),
    renderLast(standing),
  ]
}

const heads = ['HOST', 'APPLICATION', 'SECRET', 'AGE', 'DUE', 'PLACES', 'LAST ROTATION']

function renderColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = heads.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

function renderOpen({ run, state, ways, graceUntil }: OpenRun): readonly string[] {
  const grace = Object.entries(graceUntil).map(
    ([name, until]) => `  the previous ${name} counts until ${until}`,
  )
  return [`${run}  ${state}${ways.length > 0 ? `  → ${ways.join(', or ')}` : ''}`, ...grace]
}

/** The report for people: a row for each host and secret, what disagrees, and what is open. */
export function renderTable({ at, standings, open, unreachable }: Report): string {
  const nowMs = new Date(at).getTime()
  const rows = renderColumns([heads, ...standings.map(standing => renderRow(standing, nowMs))])
  const notes = standings.flatMap(({ host, secret, agreements }) =>
    agreements
      .filter(({ found }) => found !== 'agrees')
      .map(({ check, found, message }) => {
        const said = message === undefined ? '' : `: ${message}`
        return `${host} ${secret}: ${found === 'differs' ? 'DRIFT' : 'not asked'}, ${check}${said}`
      }),
  )
  const down = unreachable.map(host => `${host}: not reached`)
  const runs = open.flatMap(renderOpen)
  const parts = [rows, [...down, ...notes], runs].filter(part => part.length > 0)
  return `${parts.map(part => part.join('\n')).join('\n\n')}\n`
}

/** The report as plain data, for programs: what `--format json` prints. Times are RFC 3339 UTC, ages in seconds. */
export function renderJsonReport({ at, standings, open, unreachable }: Report): string {
  const secrets = standings.map(({ duty, ageMs, last, ...rest }) => ({
    ...rest,
    ageSeconds: ageMs === undefined ? undefined : Math.floor(ageMs / 1000),
    cryptoperiodSeconds: duty.cryptoperiodMs / 1000,
    class: duty.class,
    owner: duty.owner,
    consumers: duty.consumers,
    tra: duty.tra,
    run: last?.run,
    evidence: last?.evidence,
  }))
  return `${JSON.stringify({ v: 1, at, secrets, open, unreachable }, undefined, 2)}\n`
}
