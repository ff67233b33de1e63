import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { basename, extname } from 'node:path'
import { isVaultText } from '../core/ansible-text.ts'
import { problem, RotaError } from '../core/error.ts'
import { Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'
import { decryptVault, parseVaultHeader } from './vault.ts'

/** A password of a vault: under which id, and how to get at it. It is read at most once, and only when a vault is met. */
export interface VaultPassword {
  /** The vault id; `default` without one. */
  readonly label: string
  /** What messages call it: a file, or `prompt`. */
  readonly from: string
  /** Throws E_VAULT. */
  read(): Secret
}

/** `LABEL@SOURCE`, or a source alone, which is under `fallback`. Pure. */
export function parseVaultId(
  text: string,
  fallback: string,
): { readonly label: string; readonly source: string } {
  const at = text.indexOf('@')
  if (at < 0) return { label: fallback, source: text }
  return { label: text.slice(0, at) || fallback, source: text.slice(at + 1) }
}

/** A password that is known already: it was asked for. */
export function givenPassword(label: string, password: Secret): VaultPassword {
  return { label, from: 'prompt', read: () => password }
}

/**
 * A password in a file, or printed by one that may be executed. A script whose name ends with `-client` gets
 * `--vault-id LABEL`, as Ansible's client scripts do. A file that is itself a vault is opened with the `earlier` passwords.
 */
export function filePassword(
  label: string,
  path: string,
  earlier: readonly VaultPassword[] = [],
): VaultPassword {
  let password: Secret | undefined
  return {
    label,
    from: path,
    read() {
      password ??= new Secret(
        isProgram(path) ? runProgram(path, label) : readText(path, earlier),
        `vault password ${label}`,
      )
      return password
    },
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function readText(path: string, earlier: readonly VaultPassword[]): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause)
    throw problem('E_VAULT', `the vault password cannot be read from ${path}: ${why}`, {
      cause,
      hint: 'check the path given with --vault-password-file or --vault-id',
    })
  }
  if (isVaultText(text)) text = createVaultOpener(earlier).open(text, path).plain.toString('utf8')
  return requirePassword(text.trim(), path)
}

function runProgram(path: string, label: string): string {
  const isClient = basename(path, extname(path)).endsWith('-client')
  const ran = spawnSync(path, isClient ? ['--vault-id', label] : [], {
    stdio: ['inherit', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (ran.error !== undefined)
    throw problem('E_VAULT', `the vault password script ${path} cannot be run: ${ran.error.message}`, {
      hint: 'a script begins with #!; a plain password file must not be executable: chmod -x',
    })
  if (ran.status === 2 && isClient)
    throw problem('E_VAULT', `the vault password script ${path} knows no vault id ${label}`)
  if (ran.status !== 0)
    throw problem('E_VAULT', `the vault password script ${path} ended with ${ran.status ?? ran.signal}`)
  return requirePassword(ran.stdout.replace(/^[\r\n]+|[\r\n]+$/g, ''), path)
}

function requirePassword(text: string, from: string): string {
  if (text === '') throw problem('E_VAULT', `there is no vault password in ${from}: it is empty`)
  return text
}

/** An opened vault: its plain bytes, and what to close it with again. */
export interface OpenedVault {
  readonly plain: Buffer
  /** The vault's own id. */
  readonly label: string
  readonly password: Secret
}

/** Opens vaults with whatever passwords there are. */
export interface VaultOpener {
  /** `where` begins messages. Throws E_VAULT when no password opens it, naming those that were tried. */
  open(armored: string, where: string, at?: Source): OpenedVault
}

const NO_PASSWORD = 'give the vault password: --vault-password-file FILE or --ask-vault-pass'

/**
 * Passwords of the vault's own id are tried first, then, unless `isMatched` (vault_id_match), all others in order. A text that
 * was opened before is not opened twice.
 */
export function createVaultOpener(
  passwords: readonly VaultPassword[],
  options: { readonly isMatched?: boolean; readonly warn?: (unread: RotaError) => void } = {},
): VaultOpener {
  const opened = new Map<string, OpenedVault>()
  const unread = new Map<VaultPassword, RotaError>()
  const warnOnce = (): void => {
    if (opened.size === 0) for (const error of unread.values()) options.warn?.(error)
  }
  /** One that cannot be read may not be needed: `warn` hears of it when another one is right. */
  const readOne = (password: VaultPassword): Secret | undefined => {
    if (unread.has(password)) return undefined
    try {
      return password.read()
    } catch (error) {
      if (!(error instanceof RotaError)) throw error
      unread.set(password, error)
      return undefined
    }
  }
  return {
    open(armored, where, at) {
      const known = opened.get(armored)
      if (known) return known
      const { label = 'default' } = parseVaultHeader(armored, where)
      const own = passwords.filter(password => password.label === label)
      const others = options.isMatched ? [] : passwords.filter(password => password.label !== label)
      const tried = [...own, ...others]
      for (const candidate of tried) {
        const password = readOne(candidate)
        const plain = password && decryptVault(armored, password, where)
        if (password === undefined || plain === undefined) continue
        const found = { plain, label, password }
        warnOnce()
        opened.set(armored, found)
        return found
      }
      const lost = tried.map(password => unread.get(password))
      const why = lost.every(Boolean) ? lost[0] : undefined
      throw why ?? cannotOpen(label, tried, passwords, where, at)
    },
  }
}

function cannotOpen(
  label: string,
  tried: readonly VaultPassword[],
  all: readonly VaultPassword[],
  where: string,
  at: Source | undefined,
): Error {
  const id = label === 'default' ? '' : ` (vault id ${label})`
  // Ansible has a sentence of its own for the files that tasks copy: those are not read by place.
  if (all.length === 0)
    return problem(
      'E_VAULT',
      at === undefined
        ? `A vault password or secret must be specified to decrypt ${where}${id}`
        : `Attempting to decrypt but no vault secrets found: a vault password or secret must be specified to decrypt ${where}${id}`,
      {
        at,
        hint: NO_PASSWORD,
      },
    )
  if (tried.length === 0)
    return problem('E_VAULT', `${where} is in a vault with id ${label}, and no password has that id`, {
      at,
      hint: `give --vault-id ${label}@FILE, or turn vault_id_match off`,
    })
  const from = tried.map(password => `${password.label}@${password.from}`).join(', ')
  return problem(
    'E_VAULT',
    `Decryption failed (no vault secrets were found that could decrypt) on ${where}${id}; tried ${from}`,
    {
      at,
      hint: `give the right one: --vault-id ${label}@prompt, or --vault-password-file FILE`,
    },
  )
}
