import type { ChalkInstance } from 'chalk'
import { createTwoFilesPatch } from 'diff'
import type { Shown } from '../core/module.ts'

/** A unified diff of two states as text without colours; '' when they read the same. */
export function renderDiff(before: Shown, after: Shown): string {
  if (before.text === after.text && before.header === after.header) return ''
  const [from, to] =
    before.header === after.header ? [before, after].map(plainHeader) : [before.header, after.header]
  const patch = createTwoFilesPatch(`before: ${from}`, `after: ${to}`, before.text, after.text, '', '', {
    context: 3,
  })
  return patch.replace(/^(?:Index: .*\n)?=+\n/, '')
}

/** What is in brackets behind a path, mode and owner, is of interest where it differs. */
function plainHeader({ header }: Shown): string {
  return header.replace(/ \([^()]*\)$/, '')
}

/** The same with Ansible's colours. */
export function paintDiff(patch: string, paint: ChalkInstance): string {
  return patch
    .split('\n')
    .map(line => {
      if (line.startsWith('+')) return paint.green(line)
      if (line.startsWith('-')) return paint.red(line)
      return line.startsWith('@@') ? paint.cyan(line) : line
    })
    .join('\n')
}
