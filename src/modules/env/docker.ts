import { afterLine, type Parsed, type Statement, type Unreadable } from './statement.ts'

/**
 * `docker run --env-file` (docker/cli, opts/file.go): every byte behind `=` is the value, quotes too. Lines that begin
 * with # are comments; a name without = is taken from docker's own environment.
 */
export function parseDocker(text: string): Parsed {
  const statements: Statement[] = []
  const unreadable: Unreadable[] = []
  let start = 0
  while (start < text.length) {
    const end = afterLine(text, start)
    const line = text.slice(start, end).replace(/\r?\n$/, '')
    const indent = line.length - line.trimStart().length
    const equals = line.indexOf('=')
    const name = line.slice(indent, equals < 0 ? undefined : equals)
    if (name !== '' && !name.startsWith('#')) {
      if (/\s/.test(name)) unreadable.push({ offset: start, why: `the name ${name} has white space in it` })
      const rawStart = equals < 0 ? start + line.length : start + equals + 1
      const value = equals < 0 ? undefined : line.slice(equals + 1)
      const why = value === undefined ? { why: "it is taken from docker's own environment" } : {}
      statements.push({ name, value, ...why, start, rawStart, rawEnd: start + line.length, end })
    } else if (equals === indent) unreadable.push({ offset: start, why: 'there is no name before =' })
    start = end
  }
  return { statements, unreadable }
}
