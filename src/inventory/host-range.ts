import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'

/** Hosts that one entry may stand for: more is a slip of the finger, like [1:99999999]. */
const RANGE_MAX = 100_000

/** The hosts an inventory entry stands for, and the port of `host:2222`. */
export interface HostEntry {
  readonly names: readonly string[]
  readonly port?: number
}

/**
 * Reads a host entry: ranges `web[01:20:2]` and `db[a:f]`, several of them multiply; `:port` behind a name, an IPv4 address
 * or a bracketed IPv6 address. Throws E_INVENTORY at `at`.
 */
export function parseHostEntry(text: string, at: Source | undefined): HostEntry {
  const [, name, port] =
    /^(\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]|[^:[\]]*(?:\[[^\]]*\][^:[\]]*)*):([0-9]+)$/.exec(text) ?? []
  const bare = name ?? text
  if (/^\[?[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]?$/.test(bare) && !/\[\d*:\d+\]/.test(bare))
    return withPort([bare.replace(/^\[|\]$/g, '')], port)
  if (/:$|:[^\]]*$/.test(bare) && !/\[[^\]]*$/.test(bare))
    throw problem('E_INVENTORY', `${text} is no host: what follows the colon is no port`, {
      at,
      hint: 'write host:22',
    })
  return withPort(expand(bare, at), port)
}

function withPort(names: readonly string[], port: string | undefined): HostEntry {
  return port === undefined ? { names } : { names, port: Number(port) }
}

function expand(text: string, at: Source | undefined): string[] {
  const [, head, range, tail] = /^([^[]*)\[([^\]]*:[^\]]*)\](.*)$/.exec(text) ?? []
  if (range === undefined) return [text]
  const middles = expandRange(range, at)
  const tails = expand(tail!, at)
  if (middles.length * tails.length > RANGE_MAX)
    throw badRange(`[${range}] is more than ${RANGE_MAX} hosts`, at)
  return middles.flatMap(middle => tails.map(rest => `${head}${middle}${rest}`))
}

function expandRange(range: string, at: Source | undefined): string[] {
  const [from, to, step = '1', more] = range.split(':')
  const by = Number(step)
  if (more !== undefined || to === '' || !Number.isInteger(by) || by < 1)
    throw badRange(`[${range}] is no range of hosts`, at)
  const begin = from === '' ? '0' : from!
  if (/^[a-zA-Z]$/.test(begin) && /^[a-zA-Z]$/.test(to!)) return letters(begin, to!, by, range, at)
  if (!/^[0-9]+$/.test(begin) || !/^[0-9]+$/.test(to!)) throw badRange(`[${range}] is no range of hosts`, at)
  return numbers(begin, to!, by, range, at)
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

function letters(from: string, to: string, by: number, range: string, at: Source | undefined): string[] {
  const first = ALPHABET.indexOf(from)
  const last = ALPHABET.indexOf(to)
  if (first > last) throw badRange(`[${range}] runs backwards`, at)
  return [...ALPHABET.slice(first, last + 1)].filter((_, index) => index % by === 0)
}

/** A leading zero gives the width, so both ends must have the same. */
function numbers(from: string, to: string, by: number, range: string, at: Source | undefined): string[] {
  const isPadded = from.length > 1 && from.startsWith('0')
  if (isPadded && from.length !== to.length) throw badRange(`[${range}]: both ends need the same width`, at)
  const first = Number(from)
  const last = Number(to)
  if (first > last) throw badRange(`[${range}] runs backwards`, at)
  if ((last - first) / by > RANGE_MAX) throw badRange(`[${range}] is more than ${RANGE_MAX} hosts`, at)
  const count = Math.floor((last - first) / by) + 1
  return Array.from({ length: count }, (_, index) =>
    String(first + index * by).padStart(isPadded ? from.length : 1, '0'),
  )
}

function badRange(message: string, at: Source | undefined) {
  return problem('E_INVENTORY', message, { at, hint: 'write [1:9], [01:20:2] or [a:f]' })
}
