import type { ChalkInstance } from 'chalk'
import type { HostStatus, Recap, Reporter, RotationState, Stamped } from '../core/event.ts'
import { type CustomStats, createCustomStats } from './custom-stats.ts'
import { paintDiff } from './diff.ts'
import type { Display } from './display.ts'
import { createHeadings, type Headings } from './headings.ts'
import { isFailure, renderHostLine } from './host-line.ts'
import { type ReadLine, renderProblem } from './problem.ts'
import type { ResultOptions } from './result-text.ts'

/** `verbosity` 0: a line for every host as Ansible shows it; 1 (`-v`): results too. */
export interface TextOptions extends ResultOptions {
  readonly paint: ChalkInstance
  /** Write finished text, newline included; `writeError` where errors go. */
  readonly write: (text: string) => void
  readonly writeError: (text: string) => void
  readonly readLine: ReadLine
  /** Columns of the terminal, for the rules behind headings. */
  readonly columns: number
}
type Event<T extends Stamped['type']> = Extract<Stamped, { type: T }>

type Handlers = { readonly [T in Stamped['type']]?: (event: Event<T>) => void }

/** Events as an Ansible user knows them: PLAY, TASK, a line a host, PLAY RECAP; and a rotation's phases and checks. */
export function createTextReporter(options: TextOptions): Reporter {
  const printer = createPrinter(options)
  const handlers: Handlers = {
    ...taskHandlers(printer),
    ...rotationHandlers(printer),
    ...runHandlers(printer),
  }
  return {
    on: event => (handlers[event.type] as ((event: Stamped) => void) | undefined)?.(event),
    close: async () => {},
  }
}

interface Printer extends TextOptions {
  readonly stats: CustomStats
  readonly headings: Headings
  line(text: string): void
  heading(text: string): void
  /** The line of a host's result, with a diff above. */
  host(event: HostEvent): void
}
type HostEvent = Event<'host.end' | 'host.item'>

function createPrinter(options: TextOptions): Printer {
  const { paint, write, display } = options
  const colour: Readonly<Record<HostStatus, ChalkInstance>> = {
    ok: paint.green,
    changed: paint.yellow,
    skipped: paint.cyan,
    failed: paint.red,
    unreachable: paint.red.bold,
    unknown: paint.magenta.bold,
    rescued: paint.yellow,
    ignored: paint.cyan,
  }
  const line = (text: string): void => write(`${text}\n`)
  const fail = display.sendsFailuresToStderr ? (text: string) => options.writeError(`${text}\n`) : line
  const heading = (text: string): void =>
    line(`\n${paint.bold(text)} ${paint.dim('*'.repeat(Math.max(3, options.columns - text.length - 1)))}`)
  const headings = createHeadings(options, heading)
  return {
    ...options,
    stats: createCustomStats(),
    headings,
    line,
    heading,
    host(event) {
      const text = renderHostLine(event, headings.module(event.task), options)
      const isHidden = (event.status === 'skipped' && !display.showsSkipped) || isHiddenOk(event, display)
      if (text === '' || isHidden) return
      headings.show(event.task)
      if (event.diff && event.status !== 'ok') line(`${paintDiff(event.diff.replace(/\n$/, ''), paint)}\n`)
      if (!isFailure(event)) return line(colour[event.status](text))
      const isPathShown = display.showsPathOnFailure && event.type === 'host.end' && options.verbosity < 2
      if (isPathShown) line(headings.path(event.task))
      fail(colour[event.status](text))
    },
  }
}

/** What was included is shown all the same. */
function isHiddenOk({ status, message }: HostEvent, { showsOk }: Display): boolean {
  return status === 'ok' && !showsOk && !message?.startsWith('included: ')
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ').replace(/\n+$/, '')
}

function taskHandlers({ line, headings, host, paint, readLine, stats, verbosity }: Printer): Handlers {
  /** Hosts whose task was shown as a check: the same is not said again as `ok`. */
  const checked = new Set<string>()
  /** Tasks whose items have been shown on a host. */
  const looped = new Set<string>()
  const keepStats = (event: HostEvent): void => {
    if (headings.module(event.task) === 'set_stats') stats.add(event.host, event.result ?? '')
  }
  return {
    check: event => {
      const mark = event.ok ? paint.green('✔') : paint.red('✘')
      line(`${mark} [${event.host}] ${event.name}${event.message ? ` (${event.message})` : ''}`)
      checked.add(event.host)
    },
    'play.start': event => {
      headings.startPlay(event)
      if (event.hosts.length === 0) line(paint.cyan('skipping: no hosts matched'))
    },
    'task.start': event => headings.startTask(event),
    // What a program writes stands in its result as well.
    'host.text': event => {
      if (event.stream === 'note' || verbosity > 1)
        line(paint.dim(indent(`${event.host} | ${event.text.replace(/\n$/, '')}`)))
    },
    'host.item': event => {
      looped.add(`${event.task} ${event.host}`)
      keepStats(event)
      host(event)
    },
    'host.job': ({ host, job, state }) => {
      const [word, more] = state === 'running' ? ['POLL', ' started=1 finished=0'] : [state.toUpperCase(), '']
      line(paint.dim(`ASYNC ${word} on ${host}: jid=${job}${more}`))
    },
    'host.retry': event => line(paint.dim(`RETRYING: [${event.host}] (${event.left} retries left)`)),
    'host.end': event => {
      keepStats(event)
      const wasLooped = looped.delete(`${event.task} ${event.host}`)
      // Of a loop of debug that failed Ansible says that, too.
      const isSaid = isFailure(event) && headings.module(event.task) === 'debug'
      const isShown = wasLooped && event.status !== 'skipped' && !event.censored && !isSaid
      const isChecked = checked.delete(event.host) && (event.status === 'ok' || event.status === 'failed')
      if (!isShown && !isChecked) host(event)
      if (event.problem) line(indent(renderProblem(event.problem, paint, readLine)))
      if (event.status === 'ignored') line(paint.cyan('...ignoring'))
    },
  }
}

function rotationHandlers({ line, heading, paint, verbosity }: Printer): Handlers {
  const state: Readonly<Record<RotationState, ChalkInstance>> = {
    running: paint.cyan,
    committed: paint.green.bold,
    committed_with_warnings: paint.yellow.bold,
    rolling_back: paint.yellow,
    rolled_back: paint.yellow.bold,
    held: paint.magenta.bold,
    in_doubt: paint.magenta.bold,
    refused: paint.red.bold,
    finalised: paint.green.bold,
    awaiting_provider: paint.yellow.bold,
    in_grace: paint.green.bold,
    abandoned: paint.red.bold,
  }
  return {
    'phase.start': event => heading(`PHASE ${event.phase}`),
    change: event => {
      if (verbosity > 0 || event.record === 'undone' || event.record === 'held')
        line(paint.dim(`    ${event.record}: [${event.host}] ${event.what}`))
    },
    backup: event =>
      line(
        `  ${paint.green('✔')} [${event.host}] backup ${event.path} (${renderSize(event.sizeBytes)}, ${event.proof})`,
      ),
    secret: event => {
      const from = event.fromFingerprint ?? '-'
      line(`  ${paint.yellow('↻')} [${event.host}] ${event.secret} ${from} → ${event.toFingerprint}`)
    },
    'rotation.state': event =>
      line(
        state[event.state](
          `rotation: [${event.host}] ${event.state}${event.message ? ` – ${event.message}` : ''}`,
        ),
      ),
  }
}

function runHandlers({ line, heading, paint, readLine, display, stats }: Printer): Handlers {
  let isDry = false
  const showRecap = ({ recap, missingRole = [] }: Event<'playbook.end' | 'run.end'>): void => {
    const hosts = Object.keys(recap).sort()
    if (hosts.length + missingRole.length === 0) return
    heading('PLAY RECAP')
    const width = Math.max(RECAP_WIDTH, ...hosts.map(name => name.length))
    for (const name of hosts) line(renderRecap(name.padEnd(width), recap[name]!, paint))
    for (const name of missingRole)
      line(`${paint.red(name.padEnd(width))} : failed, a role is missing (no count has room for that)`)
    line('')
  }
  return {
    'run.start': event => {
      isDry = event.check && display.marksCheckMode
      if (isDry) heading('DRY RUN')
    },
    note: event => line(event.level === 'warn' ? paint.yellow(`[WARNING]: ${event.text}`) : event.text),
    problem: event => line(renderProblem(event.problem, paint, readLine)),
    'playbook.end': showRecap,
    'run.end': event => {
      showRecap(event)
      const lines = display.showsCustomStats ? stats.render() : []
      if (lines.length > 0) heading('CUSTOM STATS:')
      for (const text of lines) line(`\t${text}`)
      if (isDry) heading('DRY RUN')
    },
  }
}

/** Columns of a host's name, as in Ansible. */
const RECAP_WIDTH = 26

/** Ansible's recap line; `unknown` is shown only when there is something unknown, so that other tools can read the line. */
function renderRecap(host: string, recap: Recap, paint: ChalkInstance): string {
  const bad = recap.failed + recap.unreachable + recap.unknown > 0
  const name = bad ? paint.red(host) : recap.changed > 0 ? paint.yellow(host) : paint.green(host)
  const count = (key: keyof Recap): string => `${key}=${String(recap[key]).padEnd(4)}`
  const keys = ['ok', 'changed', 'unreachable', 'failed', 'skipped', 'rescued', 'ignored'] as const
  const unknown = recap.unknown > 0 ? ` ${paint.magenta(`unknown=${recap.unknown}`)}` : ''
  return `${name} : ${keys.map(count).join(' ')}${unknown}`
}

function renderSize(sizeBytes: number): string {
  const steps = [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const
  const step = steps.find(([size]) => sizeBytes >= size)
  return step ? `${(sizeBytes / step[0]).toFixed(1)} ${step[1]}` : `${sizeBytes} B`
}
