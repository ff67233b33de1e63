import type { ChalkInstance } from 'chalk'
import { errors, exits, type Problem } from '../core/error.ts'
import { renderSource } from '../core/source.ts'

/** Reads a line of a user's file for the caret; undefined when it cannot. Lines count from 1. */
export type ReadLine = (file: string, line: number) => string | undefined

/** Nobody reads more at once, and one slip often makes hundreds. */
const MOST = 20
const LONGEST = 160
const AROUND = 60

/** A long line (JSON, a key) is shown only near the caret. `before` is what stands before the caret in `shown`. */
function cutAround(text: string, at: number): { readonly shown: string; readonly before: string } {
  if (text.length <= LONGEST) return { shown: text, before: text.slice(0, at) }
  const start = Math.max(0, at - AROUND)
  const end = at + AROUND
  const lead = start > 0 ? '…' : ''
  const shown = `${lead}${text.slice(start, end)}${end < text.length ? '…' : ''}`
  return { shown, before: lead + text.slice(start, at) }
}

/**
 * A task's problem as people read it: its code and what, the place with the line and a caret, what to type next.
 * Shape: lines without a trailing newline.
 */
export function renderProblem(problem: Problem, paint: ChalkInstance, readLine: ReadLine): string {
  const head = `${paint.red.bold(problem.code)} ${paint.bold(problem.message)}`
  return [head, ...renderPlace(problem, paint, readLine)].join('\n')
}

function renderPlace(problem: Problem, paint: ChalkInstance, readLine: ReadLine): string[] {
  const lines = []
  if (problem.at) {
    lines.push(`  ${paint.cyan(renderSource(problem.at))}`)
    const text = readLine(problem.at.file, problem.at.line)
    if (text !== undefined) {
      const number = String(problem.at.line)
      const { shown, before } = cutAround(text, problem.at.col - 1)
      const lead = before.replace(/[^\t]/g, ' ')
      lines.push(`  ${paint.dim(`${number} |`)} ${shown}`)
      lines.push(`  ${paint.dim(`${' '.repeat(number.length)} |`)} ${lead}${paint.red('^')}`)
    }
  }
  if (problem.hint) lines.push(`  ${paint.green('→')} ${problem.hint}`)
  return lines
}

/**
 * All problems of a command that fails, most useful first, and what they mean for what was asked. What begins with `ERROR!` is
 * what tools that read the output of Ansible look for.
 */
export function renderProblems(
  problems: readonly Problem[],
  paint: ChalkInstance,
  readLine: ReadLine,
): string {
  const shown = problems.slice(0, MOST).map(problem => {
    const head = `${paint.red.bold('ERROR!')} ${paint.bold(problem.message)} ${paint.dim(`(${problem.code})`)}`
    return [head, ...renderPlace(problem, paint, readLine)].join('\n')
  })
  const first = problems[0]
  if (first === undefined || problems.length === 1) return shown.join('\n')
  const more = problems.length - shown.length
  const rest = more > 0 ? [`… and ${more} more`] : []
  return [...shown, ...rest, `${problems.length} problems: ${exits[errors[first.code].exit].say}`].join('\n')
}
