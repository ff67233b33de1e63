import { runtimeFault } from '../fault.ts'
import { Callable, floatOf, type Py, Thing } from './kinds.ts'
import { formatTime, type Moment } from './strftime.ts'

const MS_A_DAY = 86_400_000

/** Python's timedelta: a span of time. */
class TimeDelta extends Thing {
  readonly type = 'timedelta'
  readonly ms: number
  constructor(ms: number) {
    super()
    this.ms = ms
  }
  private get days(): number {
    return Math.floor(this.ms / MS_A_DAY)
  }
  override attribute(name: string): Py | undefined {
    const rest = this.ms - this.days * MS_A_DAY
    if (name === 'days') return this.days
    if (name === 'seconds') return Math.floor(rest / 1000)
    if (name === 'microseconds') return Math.round((rest % 1000) * 1000)
    if (name === 'total_seconds') return new Callable('total_seconds', () => floatOf(this.ms / 1000))
    return undefined
  }
  override text(): string {
    const days = this.days === 0 ? '' : `${this.days} day${Math.abs(this.days) === 1 ? '' : 's'}, `
    const seconds = Math.floor((this.ms - this.days * MS_A_DAY) / 1000)
    const pad = (value: number): string => String(value).padStart(2, '0')
    return `${days}${Math.floor(seconds / 3600)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`
  }
  override isTrue(): boolean {
    return this.ms !== 0
  }
  override compare(other: Thing): number | undefined {
    return other instanceof TimeDelta ? this.ms - other.ms : undefined
  }
  override add(other: Py): Py | undefined {
    return other instanceof TimeDelta ? new TimeDelta(this.ms + other.ms) : undefined
  }
  override subtract(other: Py): Py | undefined {
    return other instanceof TimeDelta ? new TimeDelta(this.ms - other.ms) : undefined
  }
}

/** Python's naive datetime. The moment is kept in fields, without a time zone, as Python does. */
export class DateTime extends Thing {
  readonly type = 'datetime'
  readonly moment: Moment
  constructor(moment: Moment) {
    super()
    this.moment = moment
  }
  private get ms(): number {
    return this.moment.fields.getTime()
  }
  override attribute(name: string): Py | undefined {
    const { fields } = this.moment
    const read: Readonly<Record<string, () => Py>> = {
      year: () => fields.getUTCFullYear(),
      month: () => fields.getUTCMonth() + 1,
      day: () => fields.getUTCDate(),
      hour: () => fields.getUTCHours(),
      minute: () => fields.getUTCMinutes(),
      second: () => fields.getUTCSeconds(),
      microsecond: () => fields.getUTCMilliseconds() * 1000,
      strftime: () => new Callable('strftime', args => this.strftime(args)),
      isoformat: () => new Callable('isoformat', () => this.iso('T')),
      timestamp: () =>
        new Callable('timestamp', () => floatOf(this.ms / 1000 - this.moment.offsetMinutes * 60)),
      weekday: () => new Callable('weekday', () => (fields.getUTCDay() + 6) % 7),
      isoweekday: () => new Callable('isoweekday', () => fields.getUTCDay() || 7),
      date: () => new Callable('date', () => new DateTime(this.moment).iso('T').slice(0, 10)),
    }
    return Object.hasOwn(read, name) ? read[name]!() : undefined
  }
  private strftime([format]: readonly Py[]): Py {
    if (typeof format !== 'string') throw runtimeFault('strftime needs a format')
    return formatTime(format, this.moment)
  }
  private iso(separator: string): string {
    const text = this.moment.fields.toISOString()
    const fraction = text.slice(19, 23) === '.000' ? '' : `${text.slice(19, 23)}000`
    return `${text.slice(0, 10)}${separator}${text.slice(11, 19)}${fraction}`
  }
  override text(): string {
    return this.iso(' ')
  }
  override compare(other: Thing): number | undefined {
    return other instanceof DateTime ? this.ms - other.ms : undefined
  }
  override add(other: Py): Py | undefined {
    return other instanceof TimeDelta ? this.shifted(other.ms) : undefined
  }
  override subtract(other: Py): Py | undefined {
    if (other instanceof DateTime) return new TimeDelta(this.ms - other.ms)
    return other instanceof TimeDelta ? this.shifted(-other.ms) : undefined
  }
  private shifted(ms: number): DateTime {
    return new DateTime({ ...this.moment, fields: new Date(this.ms + ms) })
  }
}
