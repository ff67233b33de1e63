import type { Source } from '../core/source.ts'

/** What went wrong, by who has to act: the template's author (syntax, runtime, notFound, limit) or whoever defines variables. */
export type FaultKind = 'syntax' | 'runtime' | 'undefined' | 'notFound' | 'limit'

/**
 * An error while a template is read or evaluated. It never leaves `src/template`: the Templar turns it into a RotaError.
 * `line` counts from 1 within the template; `at` is set by the innermost template that knows where it stands.
 */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly kind: FaultKind
  line: number | undefined
  at: Source | undefined
  /** The variable, member, filter, … that is not there, for a hint with a close name. */
  readonly variable: string | undefined
  /** Names that could have been meant; without it those of the scope. */
  readonly known: (() => Iterable<string>) | undefined
  constructor(
    kind: FaultKind,
    message: string,
    more: {
      line?: number
      at?: Source | undefined
      variable?: string | undefined
      known?: (() => Iterable<string>) | undefined
    } = {},
  ) {
    super(message)
    this.kind = kind
    this.line = more.line
    this.at = more.at
    this.variable = more.variable
    this.known = more.known
  }
}

/** A runtime fault: a wrong type, a missing argument, a value out of range. */
export function runtimeFault(message: string): Fault {
  return new Fault('runtime', message)
}

/** A fault of one of the limits that keep a template from running for ever or eating all memory. */
export function limitFault(message: string): Fault {
  return new Fault('limit', message)
}

/** The place of line `line` of a template that begins at `origin`. The column is known only for the first line. */
export function shiftSource(origin: Source, line: number | undefined): Source {
  if (line === undefined || line <= 1) return origin
  return { file: origin.file, line: origin.line + line - 1, col: 1 }
}
