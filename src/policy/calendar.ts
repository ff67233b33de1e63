import { createHash } from 'node:crypto'
import type { Report, Standing } from './standing.ts'

const LINE_BYTES = 75

/** RFC 5545 3.1: no line is longer than 75 bytes; what follows begins with a space. A character is never cut. */
function foldLine(line: string): string {
  const lines: string[] = []
  let rest = ''
  for (const character of line) {
    if (Buffer.byteLength(rest + character) > LINE_BYTES) {
      lines.push(rest)
      rest = ' '
    }
    rest += character
  }
  return [...lines, rest].join('\r\n')
}

/** RFC 5545 3.3.11. */
function escapeText(text: string): string {
  return text.replace(/[\\;,]/g, '\\$&').replaceAll('\n', '\\n')
}
const renderDate = (time: string): string => time.slice(0, 10).replaceAll('-', '')
const renderTime = (time: string): string => time.replace(/[-:]|\.\d+/g, '')

/** What is due on one day of one application is one event. */
function groupByDay(standings: readonly Standing[]): readonly (readonly Standing[])[] {
  const groups = new Map<string, Standing[]>()
  for (const standing of standings) {
    if (standing.dueAt === undefined) continue
    const key = `${standing.application} ${renderDate(standing.dueAt)}`
    groups.set(key, [...(groups.get(key) ?? []), standing])
  }
  return [...groups.values()]
}

function renderEvent(standings: readonly Standing[], at: string): readonly string[] {
  const { application, dueAt = at, duty } = standings[0]!
  const day = renderDate(dueAt)
  const secrets = [...new Set(standings.map(({ secret }) => secret))].join(', ')
  const rows = standings.map(one => `${one.host}: ${one.secret} (${one.duty.owner})`)
  const warnDays = Math.max(1, Math.round(duty.warnMs / 86_400_000))
  const uid = createHash('sha256').update(`${application} ${day} ${secrets}`).digest('hex').slice(0, 32)
  const summary = escapeText(`Rotate ${application}: ${secrets}`)
  return [
    'BEGIN:VEVENT',
    `UID:${uid}@rota`,
    `DTSTAMP:${renderTime(at)}`,
    `DTSTART;VALUE=DATE:${day}`,
    `SUMMARY:${summary}`,
    `DESCRIPTION:${escapeText(rows.join('\n'))}`,
    'TRANSP:TRANSPARENT',
    'BEGIN:VALARM',
    'ACTION:DISPLAY',
    `TRIGGER:-P${warnDays}D`,
    `DESCRIPTION:${summary}`,
    'END:VALARM',
    'END:VEVENT',
  ]
}

/** The days on which secrets are due, as a calendar (RFC 5545) to subscribe to. Secrets of unknown age are not in it. */
export function renderCalendar({ at, standings }: Report): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//rota//status//EN',
    'X-WR-CALNAME:Secrets to rotate',
    ...groupByDay(standings).flatMap(group => renderEvent(group, at)),
    'END:VCALENDAR',
  ]
  return `${lines.map(foldLine).join('\r\n')}\r\n`
}
