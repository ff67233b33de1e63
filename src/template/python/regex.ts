import { createContext, Script } from 'node:vm'
import { pythonEscapes } from '../../core/python-escapes.ts'
import { limitFault, runtimeFault } from '../fault.ts'
import { translateRegex } from './regex-syntax.ts'

/** Where a pattern may match: anywhere, at the start, or only the whole text. */
export type MatchType = 'search' | 'match' | 'fullmatch'
export interface RegexOptions {
  readonly ignoreCase?: boolean
  readonly multiline?: boolean
  readonly type?: MatchType
}

/** Longest time one search may take, in milliseconds. */
const LONGEST_MS = 1_000
/** Longest texts that are searched without a watchdog, by how many unbounded quantifiers the pattern has. */
const FREE_LENGTH = [Number.POSITIVE_INFINITY, 20_000, 5_000]
const LEAST_FREE_LENGTH = 500

/** Runs a function that V8 stops after a time, even inside one regular expression. Starting it costs about 0.1 ms. */
const watchdog = new Script('task()')
function runWatched<T>(task: () => T): T {
  let result: { readonly value: T } | undefined
  const box = {
    task: () => {
      result = { value: task() }
    },
  }
  try {
    watchdog.runInContext(createContext(box), { timeout: LONGEST_MS })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw limitFault(`the pattern takes longer than ${LONGEST_MS} ms on this text; make it simpler`)
    throw error
  }
  return result!.value
}

/** A pattern of Python's `re`, run with JavaScript's engine under a time limit. */
export class Pattern {
  private readonly regex: RegExp
  private readonly freeLength: number
  constructor(pattern: string, options: RegexOptions) {
    const flags = {
      ignoreCase: options.ignoreCase ?? false,
      multiline: options.multiline ?? false,
      dotAll: false,
      verbose: false,
    }
    const { source, ignoreCase, unbounded, isRisky } = translateRegex(pattern, flags)
    const whole = options.type === 'fullmatch' ? `(?:${source})(?![\\s\\S])` : source
    const isAnchored = options.type === 'match' || options.type === 'fullmatch'
    try {
      this.regex = new RegExp(whole, `v${isAnchored ? 'y' : 'g'}${ignoreCase ? 'i' : ''}`)
    } catch (error) {
      throw runtimeFault(`not a valid pattern: '${pattern}' (${(error as Error).message.toLowerCase()})`)
    }
    this.freeLength = isRisky ? 0 : (FREE_LENGTH[unbounded] ?? LEAST_FREE_LENGTH)
  }
  private guarded<T>(text: string, task: () => T): T {
    return text.length > this.freeLength ? runWatched(task) : task()
  }
  /** The first match. */
  first(text: string): RegExpExecArray | null {
    return this.guarded(text, () => {
      this.regex.lastIndex = 0
      return this.regex.exec(text)
    })
  }
  /** Up to `most` matches, from left to right. */
  all(text: string, most = Number.POSITIVE_INFINITY): RegExpExecArray[] {
    return this.guarded(text, () => {
      const matches: RegExpExecArray[] = []
      this.regex.lastIndex = 0
      for (const match of text.matchAll(this.regex)) {
        if (matches.length >= most) break
        matches.push(match)
      }
      return matches
    })
  }
}

/** What a group of a match holds, by number or name. Faults when the pattern has no such group. */
export function groupOf(match: RegExpExecArray, group: string): string | null {
  if (/^\d+$/.test(group)) {
    if (Number(group) >= match.length) throw runtimeFault(`invalid group reference ${group}`)
    return match[Number(group)] ?? null
  }
  if (!match.groups || !Object.hasOwn(match.groups, group))
    throw runtimeFault(`unknown group name '${group}'`)
  return match.groups[group] ?? null
}

/** A replacement of re.sub() for one match: `\1`, `\g<name>` and the escapes. */
function expand(replacement: string, match: RegExpExecArray): string {
  return replacement.replace(/\\(?:g<(\w+)>|([1-9]\d?|0)|([\s\S]))/g, (all, name, number, char) => {
    const group = (name ?? number) as string | undefined
    if (group !== undefined) return groupOf(match, group) ?? ''
    const plain = pythonEscapes[char as string]
    if (plain === undefined && /[A-Za-z]/.test(char as string))
      throw runtimeFault(`bad escape \\${char} in the replacement`)
    return plain ?? all
  })
}

/** Python's re.sub(); `most` 0 replaces all. */
export function substitute(pattern: Pattern, replacement: string, text: string, most = 0): string {
  let result = ''
  let end = 0
  for (const match of pattern.all(text, most === 0 ? undefined : most)) {
    result += text.slice(end, match.index) + expand(replacement, match)
    end = match.index + match[0].length
  }
  return result + text.slice(end)
}
