import { resolve } from 'node:path'
import { Secret } from '../core/secret.ts'
import type { Vault } from '../load/vault.ts'
import {
  createVaultOpener,
  filePassword,
  givenPassword,
  parseVaultId,
  type VaultOpener,
  type VaultPassword,
} from '../secrets/vault-passwords.ts'
import type { ConfigValues } from './config.ts'
import { askSecret } from './prompt.ts'

/** Flags that say where vault passwords come from. */
export interface VaultFlags {
  readonly vaultId?: readonly string[] | undefined
  readonly vaultPasswordFile?: readonly string[] | undefined
  readonly askVaultPass?: boolean | undefined
}

const INSTEAD = 'give --vault-password-file FILE'

/**
 * Vault passwords in the order in which they are tried: vault_identity_list, then --vault-id, then password files, then the
 * one asked for. Those to be typed are asked for now, so that nobody is asked in the middle of a run; files and scripts are
 * read when the first vault is met. Throws E_USAGE where nobody can be asked.
 */
export async function readVaultPasswords(
  flags: VaultFlags,
  values: ConfigValues,
): Promise<readonly VaultPassword[]> {
  const fallback = values.vaultIdentity ?? 'default'
  const { vaultPasswordFile: configured } = values
  const files = [...(flags.vaultPasswordFile ?? []), ...(configured === undefined ? [] : [configured])]
  const sources = [
    ...[...(values.vaultIdentityList ?? []), ...(flags.vaultId ?? [])].map(id => parseVaultId(id, fallback)),
    ...files.map(source => ({ label: fallback, source })),
    ...(flags.askVaultPass ? [{ label: fallback, source: 'prompt_ask_vault_pass' }] : []),
  ]
  const passwords: VaultPassword[] = []
  for (const { label, source } of sources) passwords.push(await readSource(label, source))
  return passwords
}

async function readSource(label: string, source: string): Promise<VaultPassword> {
  const question = label === 'default' ? 'Vault password' : `Vault password (${label})`
  if (source === 'prompt' || source === 'prompt_ask_vault_pass')
    return givenPassword(label, await askSecret(question, `vault password ${label}`, INSTEAD))
  return filePassword(label, resolve(source.replace(/^~(?=\/)/, process.env['HOME'] ?? '~')))
}

/** The vault of a run: what the loaders open vaults with. What comes out of a value is a Secret. */
export interface RunVault extends Vault, VaultOpener {}

/** Makes it of the flags and the configuration. Throws E_USAGE. */
export async function openRunVault(flags: VaultFlags, values: ConfigValues): Promise<RunVault> {
  const passwords = await readVaultPasswords(flags, values)
  const { open } = createVaultOpener(passwords, { isMatched: values.vaultIdMatch === true })
  return {
    open,
    decrypt: (armored, label, at) => new Secret(open(armored, label, at).toString('utf8'), label),
    decryptFile: (armored, file) => open(armored, file, { file, line: 1, col: 1 }).toString('utf8'),
  }
}
