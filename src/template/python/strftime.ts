import { runtimeFault } from '../fault.ts'

/** A point in time as a clock on a wall shows it. `fields` holds the shown fields as if they were UTC. */
export interface Moment {
  readonly fields: Date
  /** Minutes that the shown time is ahead of UTC. */
  readonly offsetMinutes: number
  /** `UTC`, `CET`; empty for Python's naive datetimes. */
  readonly zone: string
}

/** The moment as the machine's own clock, or UTC, shows it. */
export function momentOf(at: Date, isUtc: boolean): Moment {
  const offsetMinutes = isUtc ? 0 : -at.getTimezoneOffset()
  return {
    fields: new Date(at.getTime() + offsetMinutes * 60_000),
    offsetMinutes,
    zone: isUtc ? 'UTC' : zoneName(at),
  }
}
function zoneName(at: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(at)
  return parts.find(part => part.type === 'timeZoneName')?.value ?? ''
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const pad = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill)
const MS_A_DAY = 86_400_000

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / MS_A_DAY) + 1
}
/** ISO 8601 week: the year and week that the week's Thursday is in. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * MS_A_DAY)
  return { year: thursday.getUTCFullYear(), week: Math.ceil(dayOfYear(thursday) / 7) }
}
/** Week of the year by its first Sunday (0) or Monday (1). */
function weekOfYear(date: Date, firstDay: 0 | 1): number {
  const weekday = (date.getUTCDay() - firstDay + 7) % 7
  return Math.floor((dayOfYear(date) + 6 - weekday) / 7)
}
function zoneOffset(minutes: number): string {
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}${pad(size % 60)}`
}

/** The conversions of POSIX strftime() in the C locale, plus Python's %f. */
const conversions: Readonly<Record<string, (moment: Moment) => string>> = {
  a: ({ fields }) => days[fields.getUTCDay()]!.slice(0, 3),
  A: ({ fields }) => days[fields.getUTCDay()]!,
  b: ({ fields }) => months[fields.getUTCMonth()]!.slice(0, 3),
  h: ({ fields }) => months[fields.getUTCMonth()]!.slice(0, 3),
  B: ({ fields }) => months[fields.getUTCMonth()]!,
  c: moment => formatTime('%a %b %e %H:%M:%S %Y', moment),
  C: ({ fields }) => pad(Math.floor(fields.getUTCFullYear() / 100)),
  d: ({ fields }) => pad(fields.getUTCDate()),
  D: moment => formatTime('%m/%d/%y', moment),
  e: ({ fields }) => pad(fields.getUTCDate(), 2, ' '),
  f: ({ fields }) => pad(fields.getUTCMilliseconds() * 1000, 6),
  F: moment => formatTime('%Y-%m-%d', moment),
  G: ({ fields }) => pad(isoWeek(fields).year, 4),
  g: ({ fields }) => pad(isoWeek(fields).year % 100),
  H: ({ fields }) => pad(fields.getUTCHours()),
  I: ({ fields }) => pad(fields.getUTCHours() % 12 || 12),
  j: ({ fields }) => pad(dayOfYear(fields), 3),
  k: ({ fields }) => pad(fields.getUTCHours(), 2, ' '),
  l: ({ fields }) => pad(fields.getUTCHours() % 12 || 12, 2, ' '),
  m: ({ fields }) => pad(fields.getUTCMonth() + 1),
  M: ({ fields }) => pad(fields.getUTCMinutes()),
  n: () => '\n',
  p: ({ fields }) => (fields.getUTCHours() < 12 ? 'AM' : 'PM'),
  r: moment => formatTime('%I:%M:%S %p', moment),
  R: moment => formatTime('%H:%M', moment),
  s: ({ fields, offsetMinutes }) => String(Math.floor(fields.getTime() / 1000) - offsetMinutes * 60),
  S: ({ fields }) => pad(fields.getUTCSeconds()),
  t: () => '\t',
  T: moment => formatTime('%H:%M:%S', moment),
  u: ({ fields }) => String(fields.getUTCDay() || 7),
  U: ({ fields }) => pad(weekOfYear(fields, 0)),
  V: ({ fields }) => pad(isoWeek(fields).week),
  w: ({ fields }) => String(fields.getUTCDay()),
  W: ({ fields }) => pad(weekOfYear(fields, 1)),
  x: moment => formatTime('%m/%d/%y', moment),
  X: moment => formatTime('%H:%M:%S', moment),
  y: ({ fields }) => pad(fields.getUTCFullYear() % 100),
  Y: ({ fields }) => String(fields.getUTCFullYear()),
  z: ({ offsetMinutes, zone }) => (zone === '' ? '' : zoneOffset(offsetMinutes)),
  Z: ({ zone }) => zone,
  '%': () => '%',
}

/** strftime() in the C locale. Unknown conversions stay as they are, as in glibc. */
export function formatTime(format: string, moment: Moment): string {
  return format.replace(/%-?([a-zA-Z%])/g, (all, letter: string) => {
    const text = Object.hasOwn(conversions, letter) ? conversions[letter]!(moment) : all
    return all.startsWith('%-') ? text.replace(/^[0 ]+(?=.)/, '') : text
  })
}

const fields: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  m: '(?<m>\\d{1,2})',
  d: '(?<d>\\d{1,2})',
  H: '(?<H>\\d{1,2})',
  I: '(?<I>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
  f: '(?<f>\\d{1,6})',
  y: '(?<y>\\d{2})',
  j: '(?<j>\\d{1,3})',
  p: '(?<p>[AaPp][Mm])',
  b: '(?<b>[A-Za-z]{3})',
  B: '(?<B>[A-Za-z]+)',
  a: '[A-Za-z]{3}',
  A: '[A-Za-z]+',
  z: '(?<z>Z|[+-]\\d{2}:?\\d{2})',
  Z: '(?<Z>[A-Za-z]*)',
  '%': '%',
}
const longForms: Readonly<Record<string, string>> = {
  T: '%H:%M:%S',
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  R: '%H:%M',
}

/** Reads a text by a strptime() format. Faults when it does not fit. */
export function parseTime(text: string, format: string): Moment {
  const full = format.replace(/%([TFDR])/g, (_all, letter: string) => longForms[letter]!)
  const pattern = full
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\s+/g, '\\s+')
    .replace(/%([a-zA-Z%])/g, (_all, letter: string) => {
      const field = fields[letter]
      if (field === undefined) throw runtimeFault(`'%${letter}' is not supported in the format '${format}'`)
      return field
    })
  const match = new RegExp(`^${pattern}$`).exec(text)
  if (!match) throw runtimeFault(`time data '${text}' does not match format '${format}'`)
  return momentOfFields(match.groups ?? {}, text)
}
function momentOfFields(found: Readonly<Record<string, string | undefined>>, text: string): Moment {
  const number = (name: string, missing: number): number =>
    found[name] === undefined ? missing : Number(found[name])
  const shortYear = number('y', 0)
  const year = found['y'] === undefined ? number('Y', 1900) : shortYear + (shortYear < 69 ? 2000 : 1900)
  const monthName = (found['b'] ?? found['B'])?.slice(0, 3).toLowerCase()
  const month = monthName
    ? months.findIndex(name => name.toLowerCase().startsWith(monthName))
    : number('m', 1) - 1
  const twelve = number('I', 0) % 12
  const hour =
    found['I'] === undefined ? number('H', 0) : twelve + (found['p']?.toLowerCase() === 'pm' ? 12 : 0)
  const ms = found['f'] === undefined ? 0 : Math.floor(Number(found['f'].padEnd(6, '0')) / 1000)
  const date = new Date(Date.UTC(year, month, number('d', 1), hour, number('M', 0), number('S', 0), ms))
  if (found['j'] !== undefined) date.setUTCMonth(0, number('j', 1))
  if (Number.isNaN(date.getTime()) || (found['d'] !== undefined && date.getUTCDate() !== number('d', 1)))
    throw runtimeFault(`'${text}' is no date`)
  return { fields: date, offsetMinutes: 0, zone: '' }
}
