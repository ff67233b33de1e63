import { problem } from '../core/error.ts'
import type { Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'

/** Opens what ansible-vault sealed. Both throw E_VAULT. */
export interface Vault {
  /** A `!vault` value. `label` is the name of the variable that holds it. */
  decrypt(armored: string, label: string, at: Source): Secret
  /** The text of a whole file that begins with `$ANSIBLE_VAULT;`. */
  decryptFile(armored: string, file: string): string
}

/**
 * Variables that say how a host is reached. A vault cannot keep them secret, since they are shown wherever the host is spoken of;
 * passwords are none of them.
 */
export function isConnectionVariable(name: string): boolean {
  return name.startsWith('ansible_') && !/pass/.test(name)
}

const HINT = 'give the vault password: --vault-password-file FILE or --ask-vault-pass'

/** Whether the text is a whole file sealed by ansible-vault. */
export function isVaultText(text: string): boolean {
  return text.startsWith('$ANSIBLE_VAULT;')
}

/** Opens a file that is a vault. Throws E_VAULT when there is no vault to ask, or what it throws. */
export function openVaultText(text: string, file: string, vault: Vault | undefined): string {
  if (vault) return vault.decryptFile(text, file)
  const at = { file, line: 1, col: 1 }
  throw problem('E_VAULT', `${file} is a vault, and no vault password was given`, { at, hint: HINT })
}

/** The Secret in a `!vault` value. Throws E_VAULT likewise. */
export function openVaultValue(text: string, label: string, at: Source, vault: Vault | undefined): Secret {
  if (vault) return vault.decrypt(text, label, at)
  throw problem('E_VAULT', `${label} is in a vault, and no vault password was given`, { at, hint: HINT })
}
