import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { problem } from '../core/error.ts'
import { Secret } from '../core/secret.ts'
import { askSecret, readSecretCommand, readSecretDescriptor, readSecretFile } from './prompt.ts'

const HINT =
  'write --secret NAME=- to be asked or to pipe it in, NAME=@FILE, NAME=fd:3 or NAME=cmd:COMMAND; never the value itself'

/** The names of `--secret` flags; nothing is read yet. Throws E_USAGE for a flag that does not say where the value is. */
export function parseSecretNames(flags: readonly string[]): readonly string[] {
  return flags.map(flag => parseFlag(flag).name)
}

/**
 * `--secret NAME=WHERE` flags to pending values that the operator gives. The value itself never stands on the command
 * line, where every user of the machine can read it. Throws E_USAGE, E_FILE.
 */
export async function readGivenSecrets(flags: readonly string[]): Promise<ReadonlyMap<string, Secret>> {
  const given = new Map<string, Secret>()
  const nextLine = createLineReader()
  for (const flag of flags) {
    const { name, from } = parseFlag(flag)
    given.set(name, await readOne(name, from, nextLine))
  }
  return given
}

function parseFlag(flag: string): { readonly name: string; readonly from: string } {
  const [, name, from] = /^([A-Za-z_]\w*)=(-|@.+|fd:\d+|cmd:.+)$/s.exec(flag) ?? []
  if (name !== undefined && from !== undefined) return { name, from }
  // What follows the = may be the value, and without one the whole may be it: neither is shown.
  const [, shown = 'NAME'] = /^([A-Za-z_]\w*)=/.exec(flag) ?? []
  throw problem('E_USAGE', `--secret ${shown}=… does not say where the value is`, { hint: HINT })
}

async function readOne(name: string, from: string, nextLine: () => string | undefined): Promise<Secret> {
  if (from === '-') return readTyped(name, nextLine)
  if (from.startsWith('@')) return readSecretFile(resolve(from.slice(1)), name)
  if (from.startsWith('cmd:')) return readSecretCommand(from.slice('cmd:'.length), name)
  return readSecretDescriptor(Number(from.slice('fd:'.length)), name)
}

/** Asked on the terminal; without one a line of stdin for each `-`, in the order of the flags. */
async function readTyped(name: string, nextLine: () => string | undefined): Promise<Secret> {
  const instead = `give --secret ${name}=@FILE, --secret ${name}=fd:3 or a line of stdin`
  if (process.stdin.isTTY) return askSecret(`new value of ${name}`, name, instead)
  const line = nextLine()
  if (line) return new Secret(line, name)
  throw problem(
    'E_USAGE',
    `cannot ask for "new value of ${name}": there is no terminal, and stdin has no line for it`,
    {
      hint: instead,
    },
  )
}

/** Reads stdin when its first line is wanted, whole. */
function createLineReader(): () => string | undefined {
  let lines: string[] | undefined
  return () => {
    lines ??= readFileSync(0, 'utf8').split(/\r?\n/)
    return lines.shift()
  }
}
