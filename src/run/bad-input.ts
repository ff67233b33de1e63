import { RotaError } from '../core/error.ts'
import type { PlayRun } from './play-run.ts'

/**
 * A file that a task includes is no playbook at all: wrong YAML, keywords, modules or options. That is no host's failure, and
 * neither rescued nor ignored: the run ends with what is wrong, as it would have if the file had been read at the start.
 */
export class BadInput extends Error {
  readonly error: RotaError
  constructor(error: RotaError) {
    super(error.message)
    this.error = error
  }
}

/** In a rotation a mistake fails the phase instead, so that what was done is undone. */
export function badInput(run: PlayRun, error: RotaError): Error {
  return run.phase === undefined ? new BadInput(error) : error
}

const codes: ReadonlySet<string> = new Set(['E_YAML', 'E_PLAYBOOK', 'E_MODULE', 'E_PARAMS', 'E_VAULT'])

/** Reads for an include. Throws BadInput. */
export function loadIncluded<T>(run: PlayRun, load: () => T): T {
  try {
    return load()
  } catch (error) {
    throw error instanceof RotaError && codes.has(error.code) ? badInput(run, error) : error
  }
}

/** Lets BadInput through where every other error becomes a host's result. */
export function passBadInput(error: unknown): void {
  if (error instanceof BadInput) throw error
}
