import { resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { Secret } from '../core/secret.ts'
import { askSecret, readSecretDescriptor, readSecretFile } from './prompt.ts'

const HINT = 'write --secret NAME=- to be asked, NAME=@FILE or NAME=fd:3; never the value itself'

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
  for (const flag of flags) {
    const { name, from } = parseFlag(flag)
    given.set(name, await readOne(name, from))
  }
  return given
}

function parseFlag(flag: string): { readonly name: string; readonly from: string } {
  const [, name, from] = /^([A-Za-z_]\w*)=(-|@.+|fd:\d+)$/s.exec(flag) ?? []
  if (name !== undefined && from !== undefined) return { name, from }
  // What follows the = may be the value, and without one the whole may be it: neither is shown.
  const [, shown = 'NAME'] = /^([A-Za-z_]\w*)=/.exec(flag) ?? []
  throw problem('E_USAGE', `--secret ${shown}=… does not say where the value is`, { hint: HINT })
}

async function readOne(name: string, from: string): Promise<Secret> {
  if (from === '-')
    return askSecret(`new value of ${name}`, name, `give --secret ${name}=@FILE or --secret ${name}=fd:3`)
  if (from.startsWith('@')) return readSecretFile(resolve(from.slice(1)), name)
  return readSecretDescriptor(Number(from.slice('fd:'.length)), name)
}
