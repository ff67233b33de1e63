import type { Reporter } from '../core/event.ts'

/** One event a line, as plain JSON: the machine-readable stream (`--output jsonl`, `--events FILE`). */
export function createJsonlReporter(write: (line: string) => void): Reporter {
  return {
    on: event => write(`${JSON.stringify(event)}\n`),
    close: async () => {},
  }
}
