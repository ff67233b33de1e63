import { createContext, Script } from 'node:vm'
import { RotaError } from '../../core/error.ts'
import * as python from '../../core/python-regex.ts'
import { limitFault, runtimeFault } from '../fault.ts'

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
    const { source, flags, unbounded, isRisky } = faulting(() => python.translateRegex(pattern, options))
    const whole = options.type === 'fullmatch' ? `(?:${source})(?![\\s\\S])` : source
    const isAnchored = options.type === 'match' || options.type === 'fullmatch'
    this.regex = new RegExp(whole, `${isAnchored ? 'y' : 'g'}${flags}`)
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

/** What Python's `re` refuses is a fault of the template. */
function faulting<T>(task: () => T): T {
  try {
    return task()
  } catch (error) {
    throw error instanceof RotaError ? runtimeFault(error.message) : error
  }
}

/** What a group of a match holds, by number or name. Faults when the pattern has no such group. */
export function groupOf(match: RegExpExecArray, group: string): string | null {
  return faulting(() => python.groupOf(match, group))
}

/** Python's re.sub(); `most` 0 replaces all. */
export function substitute(pattern: Pattern, replacement: string, text: string, most = 0): string {
  let result = ''
  let end = 0
  for (const match of pattern.all(text, most === 0 ? undefined : most)) {
    result += text.slice(end, match.index) + faulting(() => python.expandReplacement(replacement, match))
    end = match.index + match[0].length
  }
  return result + text.slice(end)
}
