import type { ChalkInstance } from 'chalk'
import type { HostStatus, Reporter, Stamped } from '../core/event.ts'
import { paintDiff } from './diff.ts'
import { type ReadLine, renderProblem } from './problem.ts'

export interface AdHocOptions {
  /** Name of the one module that is run. */
  readonly module: string
  /** `-o`: a line for each host. */
  readonly isOneLine: boolean
  readonly paint: ChalkInstance
  readonly verbosity: number
  /** Write finished text, newline included: results, and what is about the run. */
  readonly write: (text: string) => void
  readonly warn: (text: string) => void
  /** `--tree`: keeps the result of a host, as JSON. */
  readonly keep?: ((host: string, json: string) => void) | undefined
  readonly readLine: ReadLine
}
type HostEnd = Extract<Stamped, { type: 'host.end' }>
type Result = Readonly<Record<string, unknown>>

/** Modules whose output is shown as it came, not as JSON. */
const programs: ReadonlySet<string> = new Set(['command', 'shell', 'raw', 'script'])

const captions: Readonly<Record<HostStatus, string>> = {
  ok: 'SUCCESS',
  changed: 'CHANGED',
  skipped: 'SKIPPED',
  failed: 'FAILED',
  rescued: 'FAILED',
  ignored: 'FAILED',
  unreachable: 'UNREACHABLE',
  unknown: 'UNKNOWN',
}

/** The results of one module on many hosts, as `ansible` shows them: `host | CHANGED | rc=0 >>` or `host | SUCCESS => {…}`. */
export function createAdHocReporter(options: AdHocOptions): Reporter {
  const { paint, write, warn } = options
  const colour: Partial<Record<HostStatus, ChalkInstance>> = {
    ok: paint.green,
    changed: paint.yellow,
    skipped: paint.cyan,
    unknown: paint.magenta,
  }
  return {
    on(event) {
      if (event.type === 'host.end') {
        if (event.diff) write(`${paintDiff(event.diff.replace(/\n$/, ''), paint)}\n`)
        write(`${(colour[event.status] ?? paint.red)(renderHostResult(event, options))}\n`)
        options.keep?.(event.host, JSON.stringify(parseResult(event, options.module)))
        if (event.problem?.hint) warn(`${event.host}: → ${event.problem.hint}\n`)
      } else if (event.type === 'note')
        warn(event.level === 'warn' ? paint.yellow(`[WARNING]: ${event.text}\n`) : `${event.text}\n`)
      else if (event.type === 'problem') warn(`${renderProblem(event.problem, paint, options.readLine)}\n`)
    },
    close: async () => {},
  }
}

/** One host's result as text, without a newline behind it. Pure. */
export function renderHostResult(
  event: Pick<HostEnd, 'host' | 'status' | 'result' | 'message'>,
  { module, isOneLine }: Pick<AdHocOptions, 'module' | 'isOneLine'>,
): string {
  const { host, status } = event
  const head = `${host} | ${captions[status]}`
  if (status === 'skipped') return head
  const result = parseResult(event, module)
  const isBad = status !== 'ok' && status !== 'changed'
  const isOutput = programs.has(module) && typeof result['rc'] === 'number' && !('ansible_job_id' in result)
  if (isOutput && !(isBad && isOneLine))
    return isOneLine ? renderLine(head, result) : renderOutput(head, result)
  return `${head}${isBad ? '!' : ''} => ${isOneLine ? renderCompact(result) : JSON.stringify(result, null, 4)}`
}

/** The registered result without what the caption says already, keys sorted. */
function parseResult({ result, message }: Pick<HostEnd, 'result' | 'message'>, module: string): Result {
  const said = module === 'debug' ? ['failed', 'diff', 'changed'] : ['failed', 'diff']
  let parsed: unknown
  try {
    parsed = JSON.parse(result ?? '')
  } catch {
    return { msg: message ?? result ?? '' }
  }
  if (typeof parsed !== 'object' || parsed === null) return { msg: String(parsed) }
  const shown = Object.entries(parsed).filter(([key]) => !said.includes(key))
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const textOf = (result: Result, key: string): string => {
  const value = result[key]
  return typeof value === 'string' ? value.replace(/\n$/, '') : ''
}

function renderOutput(head: string, result: Result): string {
  const parts = ['stdout', 'stderr', 'msg'].map(key => textOf(result, key)).filter(part => part !== '')
  return [`${head} | rc=${result['rc']} >>`, ...(parts.length > 0 ? parts : [''])].join('\n')
}

function renderLine(head: string, result: Result): string {
  const oneLine = (text: string): string => text.replaceAll('\r', '\\r').replaceAll('\n', '\\n')
  const stderr = textOf(result, 'stderr')
  const errors = stderr === '' ? '' : ` (stderr) ${oneLine(stderr)}`
  return `${head} | rc=${result['rc']} | (stdout) ${oneLine(textOf(result, 'stdout'))}${errors}`
}

/** JSON on one line, a blank behind colons. */
function renderCompact(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderCompact).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(
    ([key, member]) => `${JSON.stringify(key)}: ${renderCompact(member)}`,
  )
  return `{${members.join(',')}}`
}
