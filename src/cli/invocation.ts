import { existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { State } from '../core/value.ts'
import { findLast, type JournalRecord } from '../rotation/journal.ts'
import { createSealer } from '../secrets/seal.ts'
import type { RunFlags } from './options.ts'
import type { RunState } from './run-state.ts'

/** What was typed to begin a run: `resume` and `rollback` need it again, so that nobody has to remember it at 3 a.m. */
export interface Invocation {
  /** Absolute, on the machine where the run was begun. */
  readonly playbooks: readonly string[]
  readonly folder: string
  readonly flags: RunFlags
}

const NAME = 'invocation'

/** The text that the run's first record keeps. Sealed: extra variables may hold what nobody should read. */
export async function sealInvocation(
  state: RunState,
  files: readonly string[],
  flags: RunFlags,
): Promise<string> {
  const { identity, recipients } = await state.keys()
  const { key, sealed } = await createSealer(identity, recipients).createKey()
  const invocation = {
    playbooks: files.map(file => resolve(file)),
    folder: process.cwd(),
    flags: { ...flags },
  }
  return JSON.stringify({ key: sealed, sealed: key.seal(invocation as unknown as State, NAME) })
}

/** Opens it. Throws E_PREFLIGHT when the run never began, E_SEAL when this operator's key is none of its recipients'. */
export async function openInvocation(
  state: RunState,
  records: readonly JournalRecord[],
): Promise<Invocation> {
  const text = findLast(records, 'begin')?.invocation
  if (text === undefined)
    throw problem('E_PREFLIGHT', `run ${state.id} stopped before it began: nothing was touched`, {
      hint: 'begin anew with rota run',
    })
  const { identity, recipients } = await state.keys()
  const parsed: { readonly key: string; readonly sealed: string } = JSON.parse(text)
  const key = await createSealer(identity, recipients).openKey(parsed.key)
  return key.unseal(parsed.sealed, NAME) as unknown as Invocation
}

/**
 * The folder to work in: where the run was begun, or on another machine the current one, in which the playbooks then have to
 * lie as they lay there. `isElsewhere`: take the current one in any case. Throws E_FILE naming what is missing.
 */
export function selectFolder(invocation: Invocation, here: string, isElsewhere: boolean): string {
  const { folder, playbooks } = invocation
  const hasAll = (base: string): boolean => placePlaybooks(invocation, base).every(file => existsSync(file))
  const candidates = isElsewhere ? [here] : [folder, here]
  const found = candidates.find(hasAll)
  if (found !== undefined) return found
  const names = playbooks.map(file => relative(folder, file)).join(', ')
  throw problem('E_FILE', `the run was begun in ${folder} with ${names}, and ${here} has no such playbook`, {
    hint: 'go to a checkout of the same project, at the version that the run was begun with, and type the command again there',
  })
}

/** The playbooks as they lie below another folder; those outside of it stay where they were. */
export function placePlaybooks({ folder, playbooks }: Invocation, base: string): readonly string[] {
  return playbooks.map(file => {
    const inside = relative(folder, file)
    return inside.startsWith('..') || isAbsolute(inside) ? file : join(base, inside)
  })
}
