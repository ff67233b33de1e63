import { type Problem, problem, type RotaError } from '../core/error.ts'
import { isSecretName, Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'

/** Opens what ansible-vault sealed. Both throw E_VAULT. */
export interface Vault {
  /** A `!vault` value. `label` is the name of the variable that holds it. */
  decrypt(armored: string, label: string, at: Source): Secret
  /** The text of a whole file that begins with `$ANSIBLE_VAULT;`. */
  decryptFile(armored: string, file: string): string
  /** Hears of each Secret that a text of an opened file became, so that it can be found in output. */
  note?(secret: Secret): void
  /**
   * Hears of a `!vault` value that cannot be opened, which is then an error for whoever uses it, as in Ansible; without it that is an
   * error at once.
   */
  defer?(reason: RotaError): void
  /**
   * Hears of a key that is in a mapping twice, of which the later one then counts; without it that is an error. It is here because
   * every loader of files is given the vault, and both are the run's way to read YAML.
   */
  readonly onDuplicate?: ((found: Problem) => void) | undefined
}

/**
 * Variables that say how a host is reached. A vault cannot keep them secret, since they are shown wherever the host is spoken of;
 * passwords are none of them.
 */
export function isConnectionVariable(name: string): boolean {
  return name.startsWith('ansible_') && !/pass/.test(name)
}

/**
 * A text of an opened file as a Secret, labelled with the name of its variable, and made known to the vault. A short word or number is a
 * Secret too, but taking every `production` and `80` out of all output would make that unreadable, so it is only known as one where the
 * name says that it is a password.
 */
export function sealText(text: string, label: string, vault: Vault | undefined): Secret {
  const secret = new Secret(text, label)
  const isOrdinary = /^(?:[a-z]{1,10}|\d{1,5})$/.test(text) && !isSecretName(label)
  if (!isOrdinary) vault?.note?.(secret)
  return secret
}

const HINT = 'give the vault password: --vault-password-file FILE or --ask-vault-pass'
/** Opens a file that is a vault. Throws E_VAULT when there is no vault to ask, or what it throws. */
export function openVaultText(text: string, file: string, vault: Vault | undefined): string {
  if (vault) return vault.decryptFile(text, file)
  const at = { file, line: 1, col: 1 }
  throw problem('E_VAULT', `${file} is a vault, and no vault password was given`, { at, hint: HINT })
}

/** The Secret in a `!vault` value. Throws E_VAULT likewise. */
export function openVaultValue(text: string, label: string, at: Source, vault: Vault | undefined): Secret {
  if (vault) return vault.decrypt(text, label, at)
  throw problem('E_VAULT', `A vault password or secret must be specified to decrypt ${label}`, {
    at,
    hint: HINT,
  })
}
