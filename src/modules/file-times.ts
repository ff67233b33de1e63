import { problem } from '../core/error.ts'

/** What is to become of the time of modification; seconds since 1970. */
export type Times =
  | { readonly kind: 'none' | 'preserve' }
  | { readonly kind: 'set'; readonly seconds: number }

interface Given {
  readonly state?: string
  readonly modification_time?: string
  readonly modification_time_format: string
}

/** Throws E_PARAMS for a time that is not in the format. Times are UTC. */
export function parseTimes(given: Given, now: Date): Times {
  const { state, modification_time, modification_time_format } = given
  const asked = modification_time === '' || modification_time === undefined ? undefined : modification_time
  if (asked === undefined && state !== 'touch') return { kind: 'none' }
  if (asked === 'preserve') return { kind: 'preserve' }
  if (asked === undefined || asked === 'now')
    return { kind: 'set', seconds: Math.floor(now.getTime() / 1000) }
  return { kind: 'set', seconds: parseTime(asked, modification_time_format) }
}

const fields: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  m: '(?<m>\\d{2})',
  d: '(?<d>\\d{2})',
  H: '(?<H>\\d{2})',
  M: '(?<M>\\d{2})',
  S: '(?<S>\\d{2})',
}

function parseTime(text: string, format: string): number {
  const pattern = format.replace(/%(.)|[.*+?^${}()|[\]\\]/g, (whole, letter?: string) => {
    if (letter === undefined) return `\\${whole}`
    if (letter in fields) return fields[letter]!
    throw problem('E_PARAMS', `modification_time_format: %${letter} is not supported`, {
      hint: 'use %Y %m %d %H %M %S',
    })
  })
  const found = new RegExp(`^${pattern}$`).exec(text)?.groups
  if (found === undefined)
    throw problem('E_PARAMS', `modification_time ${text} is not in the format ${format}`)
  const part = (name: string, missing: number): number => Number(found[name] ?? missing)
  return (
    Date.UTC(part('Y', 1900), part('m', 1) - 1, part('d', 1), part('H', 0), part('M', 0), part('S', 0)) / 1000
  )
}
