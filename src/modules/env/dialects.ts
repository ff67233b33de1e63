import { problem } from '../../core/error.ts'
import { parseCompose } from './compose.ts'
import { parseDocker } from './docker.ts'
import { parseDotenv, parseNode } from './node.ts'
import { parseShell } from './shell.ts'
import { lineAt, type Parsed, type Statement } from './statement.ts'
import { parseSystemd } from './systemd.ts'

/** Who reads an env file: each of them takes the same bytes for different values. */
export const dialects = ['compose', 'dotenv', 'systemd', 'sh', 'docker', 'node'] as const
export type Dialect = (typeof dialects)[number]

const parsers: Readonly<Record<Dialect, (text: string) => Parsed>> = {
  compose: parseCompose,
  dotenv: parseDotenv,
  systemd: parseSystemd,
  sh: parseShell,
  docker: parseDocker,
  node: parseNode,
}

/** What that dialect's reader sees. A byte order mark belongs to no name. */
export function parseEnv(dialect: Dialect, text: string): Parsed {
  if (!text.startsWith('\uFEFF')) return parsers[dialect](text)
  const { statements, unreadable } = parsers[dialect](text.slice(1))
  const moved = statements.map(one => ({
    ...one,
    start: one.start + 1,
    rawStart: one.rawStart + 1,
    rawEnd: one.rawEnd + 1,
    end: one.end + 1,
  }))
  return { statements: moved, unreadable: unreadable.map(one => ({ ...one, offset: one.offset + 1 })) }
}

/**
 * The statements of a file that is in order. Throws E_ENV_FILE with one problem for each line that the dialect's reader
 * would reject and each name that is defined twice.
 */
export function requireEnv(dialect: Dialect, text: string, path: string): readonly Statement[] {
  const { statements, unreadable } = parseEnv(dialect, text)
  const [bad] = unreadable
  if (bad !== undefined)
    throw problem('E_ENV_FILE', `${path}:${lineAt(text, bad.offset)}: ${bad.why} (dialect ${dialect})`, {
      hint: `correct the line, or name the program that reads the file: dialect: ${dialects.join(' | ')}`,
    })
  for (const [i, one] of statements.entries()) {
    const first = statements.findIndex(other => other.name === one.name)
    if (first !== i)
      throw problem(
        'E_ENV_FILE',
        `${path}:${lineAt(text, one.start)}: ${one.name} is defined on line ${lineAt(text, statements[first]!.start)} already`,
        { hint: 'remove the one that is not meant; which of them counts differs from program to program' },
      )
  }
  return statements
}
