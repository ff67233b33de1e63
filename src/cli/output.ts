import { closeSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { errors, exits, type Problem, problem, problemsOf, RotaError } from '../core/error.ts'
import type { Emit, Reporter } from '../core/event.ts'
import type { Clean } from '../core/redact.ts'
import { toValue } from '../core/value.ts'
import { dumpYaml } from '../load/yaml-dump.ts'
import { defaultDisplay } from '../report/display.ts'
import { createJsonlReporter } from '../report/jsonl.ts'
import { createProgress } from '../report/progress.ts'
import { createStream } from '../report/stream.ts'
import { createTextReporter } from '../report/text.ts'
import type { RunFlags } from './options.ts'
import { readLine, selectPaint, writeShown } from './terminal.ts'

export interface Output {
  readonly emit: Emit
  /** Ends the reports of a run that came to its end. Rejects with E_EVIDENCE when it cannot be proved. */
  close(): Promise<void>
  /**
   * Ends the reports of a run that an error stopped, and gives the error to be thrown: redacted, with what ending them met
   * besides. Every report has it but the terminal's, where the caller shows it last, on stderr.
   */
  fail(run: string, error: unknown): Promise<RotaError>
}

/**
 * The reporters that the flags ask for: text or jsonl on stdout, progress on stderr, `--events FILE`. `required` ones
 * (evidence) are fed first, and their failure is the run's.
 */
export function openOutput(
  flags: RunFlags,
  options: {
    readonly now: () => Date
    readonly clean: (text: string) => Clean
    readonly required: readonly Reporter[]
    /** What shows the run as text instead of the terminal's usual reporters. */
    readonly createText?: (flags: RunFlags) => readonly Reporter[]
  },
): Output {
  const reporters: Reporter[] = []
  let isFailing = false
  const warn = (text: string): void => void process.stderr.write(`[WARNING]: ${text}\n`)
  if (flags.events !== undefined) reporters.push(openEventsFile(flags.events))
  if (flags.output === 'jsonl') reporters.push(createJsonlReporter(line => void process.stdout.write(line)))
  else {
    const shown = options.createText?.(flags) ?? createTerminal(flags, options.clean)
    reporters.push(...shown.map(reporter => silence(reporter, () => isFailing)))
  }
  const stream = createStream(reporters, { ...options, warn })
  return {
    ...stream,
    async fail(run, error) {
      const problems = cleanProblems(error, options.clean)
      isFailing = true
      for (const problem of problems) stream.emit({ type: 'problem', problem })
      const exit = exits[errors[problems[0]!.code].exit].code
      stream.emit({ type: 'run.end', run, exit, recap: {} })
      const more = await stream.close().then(
        () => [],
        (second: unknown) => cleanProblems(second, options.clean),
      )
      const besides = more.filter(({ message }) => !problems.some(known => known.message === message))
      return new RotaError([...problems, ...besides], { cause: error })
    },
  }
}

/** The same reporter without the problems that come while `isSilent` says so. */
function silence(reporter: Reporter, isSilent: () => boolean): Reporter {
  return {
    on: event => {
      if (event.type !== 'problem' || !isSilent()) reporter.on(event)
    },
    close: () => reporter.close(),
  }
}

function cleanProblems(error: unknown, clean: (text: string) => Clean): readonly Problem[] {
  return problemsOf(error).map(({ message, hint, ...rest }) => ({
    ...rest,
    message: clean(message),
    hint: hint === undefined ? undefined : clean(hint),
  }))
}

function createTerminal(flags: RunFlags, clean: (text: string) => Clean): Reporter[] {
  const { isTTY } = process.stdout
  const isTerminal = process.stderr.isTTY === true && isTTY === true && process.env['TERM'] !== 'dumb'
  const progress = createProgress({
    isTerminal,
    columns: () => process.stderr.columns ?? 80,
    write: text => void process.stderr.write(text),
  })
  const text = createTextReporter({
    paint: selectPaint(flags.color, process.stdout.isTTY === true),
    write(more) {
      progress.clear()
      writeShown(process.stdout, more)
    },
    writeError(more) {
      progress.clear()
      writeShown(process.stderr, more)
    },
    verbosity: flags.verbose ?? 0,
    display: flags.display ?? defaultDisplay,
    renderYaml: (data, indent, asBlocks) =>
      dumpYaml(toValue(data), { indent, asBlocks, isFlow: false, sortKeys: true }),
    // The line of a file that is wrong may hold a secret of the run.
    readLine: (file, line) => {
      const text = readLine(file, line)
      return text === undefined ? undefined : clean(text)
    },
    columns: process.stdout.columns ?? 80,
  })
  return [progress, text]
}

function openEventsFile(file: string): Reporter {
  let descriptor: number
  try {
    descriptor = openSync(file, 'w', 0o600)
  } catch (cause) {
    throw problem('E_FILE', `cannot write events to ${file}`, {
      cause,
      hint: 'check that the folder exists and is writable',
    })
  }
  const reporter = createJsonlReporter(line => void writeSync(descriptor, line))
  return { on: reporter.on, close: async () => closeSync(descriptor) }
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const

/**
 * Aborts at the first ^C, SIGTERM or loss of the terminal, so that the run stops cleanly; the second ^C or SIGTERM ends the process
 * at once. A terminal that is closed says so twice: the system does, and the shell.
 */
export function listenForStop(): { readonly stop: AbortSignal; abort(): void; close(): void } {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      process.stderr.write('\nended at once: `rota status` shows what is left open, and what to type\n')
      process.exit(exits.interrupted.code)
    }
    process.stderr.write('\nstopping: no new task is started (^C again ends at once)\n')
    controller.abort()
  }
  const terminals = [0, 1, 2].filter(isatty)
  const onHangup = (): void => {
    if (!controller.signal.aborted) onSignal()
    // Node aborts, with a core dump, when it ends and cannot reset a terminal that is gone: as other files they are left alone.
    for (const terminal of terminals.splice(0)) {
      closeSync(terminal)
      openSync('/dev/null', 'r+')
    }
  }
  for (const signal of stopSignals) process.on(signal, onSignal)
  process.on('SIGHUP', onHangup)
  return {
    stop: controller.signal,
    abort: onSignal,
    close() {
      for (const signal of stopSignals) process.off(signal, onSignal)
      process.off('SIGHUP', onHangup)
    },
  }
}
