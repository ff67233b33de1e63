import { open, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { State } from '../core/value.ts'
import { createSealer } from '../secrets/seal.ts'
import type { RunFlags } from './options.ts'
import type { RunState } from './run-state.ts'

/** What was typed to begin a run: `resume` and `rollback` need it again, so that nobody has to remember it at 3 a.m. */
export interface Invocation {
  readonly playbooks: readonly string[]
  readonly folder: string
  readonly flags: RunFlags
}

const NAME = 'invocation'

/** Keeps it in the run folder, sealed: extra variables may hold what nobody should read. Durable when it resolves. */
export async function writeInvocation(
  state: RunState,
  files: readonly string[],
  flags: RunFlags,
): Promise<void> {
  const { identity, recipients } = await state.keys()
  const { key, sealed } = await createSealer(identity, recipients).createKey()
  const invocation = {
    playbooks: files.map(file => resolve(file)),
    folder: process.cwd(),
    flags: { ...flags },
  }
  const text = JSON.stringify({ key: sealed, sealed: key.seal(invocation as unknown as State, NAME) })
  const file = await open(join(await state.folder(), NAME), 'wx', 0o600)
  await file.writeFile(`${text}\n`)
  await file.sync()
  await file.close()
}

/** Reads it back. Throws E_JOURNAL when it is missing or damaged, E_SEAL when this operator's key cannot open it. */
export async function readInvocation(state: RunState): Promise<Invocation> {
  const path = join(await state.folder(), NAME)
  const { identity, recipients } = await state.keys()
  let parsed: { readonly key: string; readonly sealed: string }
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw problem('E_JOURNAL', `${path} cannot be read: how run ${state.id} was begun is not known`, {
      cause,
      hint: 'restore it from a copy of the run folder',
    })
  }
  const key = await createSealer(identity, recipients).openKey(parsed.key)
  return key.unseal(parsed.sealed, NAME) as unknown as Invocation
}
