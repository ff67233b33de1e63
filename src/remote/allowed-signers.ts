import { problem, type RotaError } from '../core/error.ts'

/** One line of an allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS). */
export interface AllowedSigner {
  /** Patterns, as written: `alice@example.com`. */
  readonly principals: readonly string[]
  /** In wire format. */
  readonly publicKey: Buffer
  /** Patterns; undefined: every namespace. */
  readonly namespaces: readonly string[] | undefined
  readonly validAfter: Date | undefined
  readonly validBefore: Date | undefined
}

/** Parses the file that says who may sign. Throws E_FILE with the line for what is not understood: nothing is passed over. */
export function parseAllowedSigners(text: string, file: string): readonly AllowedSigner[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === '' || line.trim().startsWith('#')) return []
    const fail = (why: string): RotaError =>
      problem('E_FILE', `${file}: ${why}`, {
        at: { file, line: index + 1, col: 1 },
        hint: 'a line is: PRINCIPAL[,PRINCIPAL] [options] KEYTYPE KEY [comment]',
      })
    return [parseSigner(line.trim(), fail)]
  })
}

const KEY = /^(\S+|"[^"]*")\s+(?:(\S.*?)\s+)?((?:sk-)?(?:ssh|ecdsa)-[\w@.-]+)\s+([A-Za-z0-9+/=]+)(?:\s|$)/

function parseSigner(line: string, fail: (why: string) => RotaError): AllowedSigner {
  const [, names, options = '', type, key] = KEY.exec(line) ?? []
  if (names === undefined || key === undefined) throw fail('no public key is on this line')
  const publicKey = Buffer.from(key, 'base64')
  if (publicKey.subarray(4, 4 + type!.length).toString() !== type) throw fail('the key is damaged')
  const found = new Map<string, string>()
  for (const option of options === '' ? [] : options.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)) {
    const [, name, value] = /^([a-z-]+)(?:="([^"]*)")?$/.exec(option.trim()) ?? []
    if (name === 'cert-authority') throw fail('cert-authority is not supported: list the keys themselves')
    if (name === undefined || value === undefined || !known.has(name)) throw fail(`unknown option ${option}`)
    found.set(name, value)
  }
  const time = (name: string): Date | undefined => {
    const value = found.get(name)
    const date = value === undefined ? undefined : parseTime(value)
    if (value !== undefined && date === undefined) throw fail(`${name} is no time: ${value}`)
    return date
  }
  return {
    principals: names.replaceAll('"', '').split(','),
    publicKey,
    namespaces: found.get('namespaces')?.split(','),
    validAfter: time('valid-after'),
    validBefore: time('valid-before'),
  }
}
const known: ReadonlySet<string> = new Set(['namespaces', 'valid-after', 'valid-before'])

/** YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS; in UTC with a Z behind it, else in local time. */
function parseTime(text: string): Date | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = ''] =
    /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/.exec(text) ?? []
  if (year === undefined) return undefined
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** The lines by which a key may sign in a namespace now. */
export function selectSigners(
  signers: readonly AllowedSigner[],
  publicKey: Buffer,
  namespace: string,
  now: Date,
): readonly AllowedSigner[] {
  return signers.filter(
    signer =>
      signer.publicKey.equals(publicKey) &&
      (signer.namespaces?.some(pattern => matches(pattern, namespace)) ?? true) &&
      (signer.validAfter === undefined || signer.validAfter <= now) &&
      (signer.validBefore === undefined || now < signer.validBefore),
  )
}

/** `*` and `?` of ssh_config(5), PATTERNS. */
function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`).test(text)
}
