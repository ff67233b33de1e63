import { problem } from '../core/error.ts'

/** What is to become of a time; seconds since 1970. */
type Moment = { readonly kind: 'none' | 'preserve' } | { readonly kind: 'set'; readonly seconds: number }
export interface Times {
  readonly modification: Moment
  readonly access: Moment
}

interface Given {
  readonly state?: string
  readonly modification_time?: string
  readonly modification_time_format: string
  readonly access_time?: string
  readonly access_time_format: string
}

/** Throws E_PARAMS for a time that is not in the format. Times are UTC. */
export function parseTimes(given: Given, now: Date): Times {
  const nowSeconds = now.getTime() / 1000
  const isTouched = given.state === 'touch'
  return {
    modification: parseMoment('modification_time', given, isTouched, nowSeconds),
    access: parseMoment('access_time', given, isTouched, nowSeconds),
  }
}

function parseMoment(
  name: 'modification_time' | 'access_time',
  given: Given,
  isTouched: boolean,
  nowSeconds: number,
): Moment {
  const asked = given[name] || undefined
  if (asked === undefined && !isTouched) return { kind: 'none' }
  if (asked === 'preserve') return { kind: 'preserve' }
  if (asked === undefined || asked === 'now') return { kind: 'set', seconds: nowSeconds }
  return { kind: 'set', seconds: parseTime(name, asked, given[`${name}_format`]) }
}

const fields: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  m: '(?<m>\\d{1,2})',
  d: '(?<d>\\d{1,2})',
  H: '(?<H>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
}

function parseTime(name: string, text: string, format: string): number {
  const pattern = format.replace(/%(.)|[.*+?^${}()|[\]\\]/g, (whole, letter?: string) => {
    if (letter === undefined) return `\\${whole}`
    if (letter in fields) return fields[letter]!
    throw problem('E_PARAMS', `${name}_format: %${letter} is not supported`, {
      hint: 'use %Y %m %d %H %M %S',
    })
  })
  const found = new RegExp(`^${pattern}$`).exec(text)?.groups
  if (found === undefined) throw problem('E_PARAMS', `${name} ${text} is not in the format ${format}`)
  const part = (name: string, missing: number): number => Number(found[name] ?? missing)
  return (
    Date.UTC(part('Y', 1900), part('m', 1) - 1, part('d', 1), part('H', 0), part('M', 0), part('S', 0)) / 1000
  )
}
