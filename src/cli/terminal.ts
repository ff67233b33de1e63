import { readFileSync } from 'node:fs'
import { Chalk, type ChalkInstance } from 'chalk'
import type { Problem } from '../core/error.ts'
import { type ReadLine, renderProblems } from '../report/problem.ts'
import { renderSafe } from '../report/safe-text.ts'

/** Colours by flag, then NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE, then whether it is a terminal that can. */
export function selectPaint(when: string | undefined, isTerminal: boolean): ChalkInstance {
  const env = process.env
  const forced = Boolean(env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') || Boolean(env['CLICOLOR_FORCE'])
  const auto = forced || (isTerminal && env['TERM'] !== 'dumb')
  const on = when === 'always' || (when !== 'never' && !env['NO_COLOR'] && auto)
  return new Chalk({ level: on ? 1 : 0 })
}

/** Reads a line of a file for the caret under an error; undefined when the file cannot be read. */
export const readLine: ReadLine = (file, line) => {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[line - 1]
  } catch {
    return undefined
  }
}

/** Shows problems on stderr. */
export function showProblems(problems: readonly Problem[]): void {
  const paint = selectPaint(undefined, process.stderr.isTTY === true)
  writeShown(process.stderr, `${renderProblems(problems, paint, readLine)}\n`)
}

/** Writes what hosts and files say. A terminal is protected from it; a file or pipe gets it as it is. */
export function writeShown(stream: NodeJS.WriteStream, text: string): void {
  stream.write(stream.isTTY ? renderSafe(text) : text)
}
