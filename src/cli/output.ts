import { closeSync, openSync, writeSync } from 'node:fs'
import { exits, problem } from '../core/error.ts'
import type { Emit, Reporter } from '../core/event.ts'
import { createJsonlReporter } from '../report/jsonl.ts'
import { createProgress } from '../report/progress.ts'
import { createStream } from '../report/stream.ts'
import { createTextReporter } from '../report/text.ts'
import type { RunFlags } from './options.ts'
import { readLine, selectPaint } from './terminal.ts'

export interface Output {
  readonly emit: Emit
  close(): Promise<void>
}

/**
 * The reporters that the flags ask for: text or jsonl on stdout, progress on stderr, `--events FILE`. `required` ones
 * (evidence) are fed first, and their failure is the run's. `createText` makes what `--output text` is.
 */
export function openOutput(
  flags: RunFlags,
  now: () => Date,
  required: readonly Reporter[],
  createText: (flags: RunFlags) => readonly Reporter[] = createTerminal,
): Output {
  const reporters: Reporter[] = []
  const warn = (text: string): void => void process.stderr.write(`[WARNING]: ${text}\n`)
  if (flags.events !== undefined) reporters.push(openEventsFile(flags.events))
  if (flags.output === 'jsonl') reporters.push(createJsonlReporter(line => void process.stdout.write(line)))
  else if (flags.output === undefined || flags.output === 'text') reporters.push(...createText(flags))
  else
    throw problem('E_USAGE', `there is no output format "${flags.output}"`, {
      hint: 'use --output text or --output jsonl',
    })
  return createStream(reporters, { required, now, warn })
}

function createTerminal(flags: RunFlags): Reporter[] {
  const isTerminal = process.stderr.isTTY === true && process.stdout.isTTY === true
  const progress = createProgress({
    isTerminal,
    columns: () => process.stderr.columns ?? 80,
    write: text => void process.stderr.write(text),
  })
  const text = createTextReporter({
    paint: selectPaint(flags.color, process.stdout.isTTY === true),
    write(more) {
      progress.clear()
      process.stdout.write(more)
    },
    verbosity: flags.verbose ?? 0,
    readLine,
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

/** Aborts at the first ^C or SIGTERM, so that the run stops cleanly; the second one ends the process at once. */
export function listenForStop(): { readonly stop: AbortSignal; close(): void } {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exits.interrupted.code)
    process.stderr.write('\nstopping: no new task is started (^C again ends at once)\n')
    controller.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    stop: controller.signal,
    close() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
