import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { problem, RotaError } from '../core/error.ts'
import { Secret } from '../core/secret.ts'
import { renderSource } from '../core/source.ts'
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

/** Where one password comes from: `prompt`, or the path of a file or script. */
export interface VaultSource {
  readonly label: string
  readonly source: string
}

const INSTEAD = 'give --vault-password-file FILE'

/** In the order in which they are tried: vault_identity_list, then --vault-id, then password files, then the one asked for. Pure. */
export function selectVaultSources(flags: VaultFlags, values: ConfigValues): readonly VaultSource[] {
  const fallback = values.vaultIdentity ?? 'default'
  const { vaultPasswordFile: configured } = values
  const files = [...(flags.vaultPasswordFile ?? []), ...(configured === undefined ? [] : [configured])]
  return [
    ...[...(values.vaultIdentityList ?? []), ...(flags.vaultId ?? [])].map(id => parseVaultId(id, fallback)),
    ...files.map(source => ({ label: fallback, source })),
    ...(flags.askVaultPass ? [{ label: fallback, source: 'prompt' }] : []),
  ]
}

/**
 * The passwords of these sources. Those to be typed are asked for now, so that nobody is asked in the middle of a run; files and
 * scripts are read when the first vault is met. Throws E_USAGE where nobody can be asked.
 */
export async function readVaultPasswords(sources: readonly VaultSource[]): Promise<readonly VaultPassword[]> {
  const passwords: VaultPassword[] = []
  for (const source of sources) passwords.push(await readSource(source, passwords))
  return passwords
}

/** Whether the operator is asked for it. */
export function isPrompt({ source }: VaultSource): boolean {
  return source === 'prompt' || source === 'prompt_ask_vault_pass'
}

async function readSource(from: VaultSource, earlier: readonly VaultPassword[]): Promise<VaultPassword> {
  const { label, source } = from
  if (!isPrompt(from))
    return filePassword(label, resolve(source.replace(/^~(?=\/)/, homedir())), [...earlier])
  const question = label === 'default' ? 'Vault password' : `Vault password (${label})`
  const password = await askSecret(question, `vault password ${label}`, INSTEAD, true).catch(failVault)
  return givenPassword(label, password)
}

/** A password that nobody gives is the vault's matter: Ansible ends with 1. */
function failVault(cause: unknown): never {
  if (!(cause instanceof RotaError)) throw cause
  throw problem('E_VAULT', cause.message, { hint: cause.hint, cause })
}

/** What is said of a password that cannot be read while another one may do. */
export function warnOfPassword({ message }: RotaError): void {
  process.stderr.write(`[WARNING]: Error getting vault password file: ${message}\n`)
}

/** The vault of a run: what the loaders open vaults with. What comes out of a value is a Secret. */
export interface RunVault extends Vault, VaultOpener {
  /** From now on every value has to be one that can be opened. Throws E_VAULT for the first that was not. */
  refuseUnopened(): void
}

/** Makes it of the flags and the configuration. `note` hears of every Secret that comes out of it. Throws E_USAGE. */
export async function openRunVault(
  flags: VaultFlags,
  values: ConfigValues,
  note: (secret: Secret) => void = () => {},
): Promise<RunVault> {
  const passwords = await readVaultPasswords(selectVaultSources(flags, values))
  let unopened: RotaError | undefined
  let isStrict = false
  const { open } = createVaultOpener(passwords, {
    isMatched: values.vaultIdMatch === true,
    warn: warnOfPassword,
  })
  return {
    open,
    note,
    defer(reason) {
      unopened ??= reason
      if (isStrict) throw unopened
    },
    refuseUnopened() {
      isStrict = true
      if (unopened) throw unopened
    },
    onDuplicate: selectOnDuplicate(values.duplicateDictKey),
    decrypt(armored, label, at) {
      const secret = new Secret(open(armored, label, at).plain.toString('utf8'), label)
      note(secret)
      return secret
    },
    decryptFile: (armored, file) => open(armored, file, { file, line: 1, col: 1 }).plain.toString('utf8'),
  }
}

/** DUPLICATE_YAML_DICT_KEY: warn, error or ignore, as Ansible does each. Nothing is said of it: rota's own error. Throws E_CONFIG. */
function selectOnDuplicate(wish: string | undefined): RunVault['onDuplicate'] {
  switch (wish?.toLowerCase()) {
    case undefined:
      return undefined
    case 'ignore':
      return () => {}
    case 'warn':
      return ({ message, at }) =>
        void process.stderr.write(`[WARNING]: ${at ? `${renderSource(at)}: ` : ''}${message}\n`)
    case 'error':
      return found => {
        throw new RotaError({ ...found, code: 'E_DUPLICATE_KEY' })
      }
    default:
      throw problem('E_CONFIG', `duplicate_dict_key is warn, error or ignore, not ${wish}`, {
        hint: 'leave it out: a key that is twice is an error',
      })
  }
}
