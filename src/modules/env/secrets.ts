import type { Redactor } from '../../core/redact.ts'
import { Secret } from '../../core/secret.ts'
import type { FileState } from '../../resources/file.ts'
import { textOf } from '../../resources/file-want.ts'
import { editText } from '../../resources/secret-text.ts'
import { type Dialect, requireEnv } from './dialects.ts'

export interface NamedSecret {
  readonly name: string
  /** undefined: it depends on more than the file. */
  readonly value: Secret | undefined
  readonly why: string | undefined
  /** Whether it is no ordinary word or number, so that it may be taken out of all text. */
  readonly isTelling: boolean
}

/** The values of an env file, each a Secret labelled with its name. Throws E_ENV_FILE for a file that is not in order. */
export function secretsOf(state: FileState, dialect: Dialect): readonly NamedSecret[] {
  return editText([textOf(state)], text => ({
    text: '',
    value: requireEnv(dialect, text, state.path).map(({ name, value, why }) => ({
      name,
      value: value === undefined ? undefined : new Secret(value, name),
      why,
      isTelling: value !== undefined && isTelling(value),
    })),
  })).value
}

/** Words like `production` and ports are no secrets, and taking them out of all output would make it unreadable. */
function isTelling(value: string): boolean {
  return !/^(?:[a-z]+|\d+)$/.test(value)
}

export function makeKnown(redactor: Redactor, secrets: readonly NamedSecret[]): void {
  for (const { value, isTelling } of secrets) if (value !== undefined && isTelling) redactor.add(value)
}
