import { createCipheriv, createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { problem } from '../core/error.ts'
import { reveal, type Secret } from '../core/secret.ts'

/*
 * ansible-vault's format (docs.ansible.com, "Format of files encrypted with Ansible Vault"): a header
 * `$ANSIBLE_VAULT;1.1;AES256` or `$ANSIBLE_VAULT;1.2;AES256;LABEL`, then hex in lines of 80 of the three lines
 * hex(salt), hex(HMAC-SHA-256 of the ciphertext), hex(ciphertext). PBKDF2-SHA-256 makes of password and salt the key of
 * AES-256-CTR, the key of the HMAC and the first counter. The plaintext is padded as PKCS#7 does.
 */
const ITERATIONS = 10_000
const KEY_BYTES = 32
const BLOCK_BYTES = 16
const SALT_BYTES = 32
const LINE_COLUMNS = 80

/** What the header of a vault says. */
export interface VaultHeader {
  /** The vault id; undefined in format 1.1, which has none. */
  readonly label: string | undefined
}

interface Keys {
  readonly cipher: Buffer
  readonly mac: Buffer
  readonly counter: Buffer
}

function deriveKeys(password: Secret, salt: Buffer): Keys {
  const bytes = pbkdf2Sync(reveal(password), salt, ITERATIONS, 2 * KEY_BYTES + BLOCK_BYTES, 'sha256')
  return {
    cipher: bytes.subarray(0, KEY_BYTES),
    mac: bytes.subarray(KEY_BYTES, 2 * KEY_BYTES),
    counter: bytes.subarray(2 * KEY_BYTES),
  }
}

/** The header of an armored text. `where` begins messages. Throws E_VAULT for a format that ansible-vault does not have. */
export function parseVaultHeader(armored: string, where: string): VaultHeader {
  const [line = ''] = armored.trimStart().split('\n')
  const [magic, version, cipher, label] = line.trim().split(';')
  if (magic !== '$ANSIBLE_VAULT')
    throw problem('E_VAULT', `${where} is not a vault: it does not begin with $ANSIBLE_VAULT`)
  if (version !== '1.1' && version !== '1.2')
    throw problem('E_VAULT', `${where} has vault format ${version}: rota knows 1.1 and 1.2`, {
      hint: 'encrypt it again with ansible-vault of this decade: ansible-vault rekey',
    })
  if (cipher !== 'AES256')
    throw problem('E_VAULT', `${where} is encrypted with ${cipher}: rota knows AES256`, {
      hint: 'encrypt it again: ansible-vault rekey',
    })
  return { label: version === '1.2' ? label : undefined }
}

/**
 * Opens an armored text with one password: the plain bytes, or undefined when the password is not the right one (or the text
 * was changed: the two cannot be told apart). Throws E_VAULT when the text is damaged so that no password could open it.
 */
export function decryptVault(armored: string, password: Secret, where: string): Buffer | undefined {
  parseVaultHeader(armored, where)
  const { salt, mac, sealed } = parseBody(armored, where)
  const keys = deriveKeys(password, salt)
  const expected = createHmac('sha256', keys.mac).update(sealed).digest()
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return undefined
  const decipher = createDecipheriv('aes-256-ctr', keys.cipher, keys.counter)
  const padded = Buffer.concat([decipher.update(sealed), decipher.final()])
  return padded.subarray(0, padded.length - (padded.at(-1) ?? 0))
}

function parseBody(
  armored: string,
  where: string,
): { readonly salt: Buffer; readonly mac: Buffer; readonly sealed: Buffer } {
  const [, ...lines] = armored.trim().split('\n')
  const outer = parseHex(lines.map(line => line.trim()).join(''), where).toString('latin1')
  const [salt, mac, sealed, ...rest] = outer.split('\n')
  if (salt === undefined || mac === undefined || sealed === undefined || rest.length > 0) throw damaged(where)
  return { salt: parseHex(salt, where), mac: parseHex(mac, where), sealed: parseHex(sealed, where) }
}

function parseHex(text: string, where: string): Buffer {
  if (text.length === 0) throw damaged(where)
  if (!/^[0-9a-fA-F]*$/.test(text))
    throw damaged(where, 'Vault format unhexlify error: Non-hexadecimal digit found; ')
  if (text.length % 2 !== 0) throw damaged(where, 'Vault format unhexlify error: Odd-length string; ')
  return Buffer.from(text, 'hex')
}

/** `how`: in the words of ansible-vault. */
function damaged(where: string, how = ''): Error {
  return problem('E_VAULT', `${how}${where} is damaged: it does not hold what a vault holds`, {
    hint: 'restore it from where it was copied from; every line counts',
  })
}

/**
 * Encrypts bytes as ansible-vault does; with a label in format 1.2, without one (or with `default`) in 1.1. `random` gives the
 * salt. The text ends with a newline.
 */
export function encryptVault(
  plain: Uint8Array,
  password: Secret,
  options: { readonly label?: string | undefined; readonly random: (sizeBytes: number) => Buffer },
): string {
  const salt = options.random(SALT_BYTES)
  const keys = deriveKeys(password, salt)
  const fill = BLOCK_BYTES - (plain.length % BLOCK_BYTES)
  const cipher = createCipheriv('aes-256-ctr', keys.cipher, keys.counter)
  const sealed = Buffer.concat([
    cipher.update(plain),
    cipher.update(Buffer.alloc(fill, fill)),
    cipher.final(),
  ])
  const mac = createHmac('sha256', keys.mac).update(sealed).digest()
  const outer = [salt, mac, sealed].map(part => part.toString('hex')).join('\n')
  const body = Buffer.from(outer, 'latin1').toString('hex')
  const { label } = options
  const isLabelled = label !== undefined && label !== 'default'
  const header = isLabelled ? `$ANSIBLE_VAULT;1.2;AES256;${label}` : '$ANSIBLE_VAULT;1.1;AES256'
  const lines = body.match(new RegExp(`.{1,${LINE_COLUMNS}}`, 'g')) ?? []
  return `${[header, ...lines].join('\n')}\n`
}
