import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { Secret } from '../../core/secret.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { expandHome } from '../filters/path.ts'
import { randomSalt } from '../filters/value.ts'
import { cryptPassword } from '../python/crypt.ts'
import { isList, type Py } from '../python/kinds.ts'
import { seededSource } from '../python/random.ts'
import type { Args } from '../python/signature.ts'
import { type LookupSet, splitTerm, termText } from './lookup.ts'

const lower = 'abcdefghijklmnopqrstuvwxyz'
const upper = lower.toUpperCase()
/** Python's string constants, which name alphabets. */
const alphabets: Readonly<Record<string, string>> = {
  ascii_lowercase: lower,
  ascii_uppercase: upper,
  ascii_letters: lower + upper,
  digits: '0123456789',
  hexdigits: '0123456789abcdefABCDEF',
  octdigits: '01234567',
  punctuation: '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
}
const SALT_CHARACTERS = 16
const passwordOptions = ['length', 'chars', 'encrypt', 'ident', 'seed']

/** The characters of `chars=ascii_letters,digits,.:-_`; two commas are a comma. */
function alphabetOf(options: Args): string {
  if (!options.has('chars')) return `${alphabets['ascii_letters']}${alphabets['digits']}.,:-_`
  const chars = options.value('chars')
  const parts = isList(chars)
    ? chars.map(termText)
    : [...options.text('chars').replaceAll(',,', '\0').split(',')].map(part => part.replaceAll('\0', ','))
  return [...new Set(parts.map(part => alphabets[part] ?? part).join(''))].join('')
}
function generate(options: Args): string {
  const alphabet = alphabetOf(options)
  const length = Number(options.text('length'))
  if (alphabet === '' || !Number.isInteger(length) || length < 1)
    throw runtimeFault('a password needs a length of at least 1 and some characters')
  const seeded = options.has('seed') ? seededSource(options.value('seed')) : undefined
  const choose = (): number => seeded?.below(alphabet.length) ?? randomInt(alphabet.length)
  return Array.from({ length }, () => alphabet[choose()]).join('')
}
/** What a password's file holds. */
interface Stored {
  readonly password: string
  /** For `encrypt`, so that each run gives the same hash. */
  readonly salt: string | undefined
}
/** undefined: there is no such file. */
function stored(path: string): Stored | undefined {
  try {
    const text = readFileSync(path, 'utf8').trimEnd()
    const [, password = text, salt] = /^(.*?)(?: salt=(\S+)(?: ident=\S+)?)?$/s.exec(text) ?? []
    return { password, salt }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw runtimeFault(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`)
  }
}
function store(path: string, { password, salt }: Stored): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, `${password}${salt === undefined ? '' : ` salt=${salt}`}\n`, { mode: 0o600 })
}
/** A password that is made once and kept in a file of the operator's. It is a Secret from the start. */
function password(term: Py, given: Args, runtime: Runtime): Py {
  const { name, options } = splitTerm(termText(term), given, passwordOptions)
  if (name === '') throw runtimeFault('lookup password needs a path')
  const folder = runtime.session.variable('playbook_dir')
  const expanded = expandHome(name)
  const path = isAbsolute(expanded) ? expanded : join(typeof folder === 'string' ? folder : '.', expanded)
  const label = `password ${name}`
  const scheme = options.has('encrypt') ? options.text('encrypt') : ''
  const isKept = path !== '/dev/null'
  const known = isKept ? stored(path) : undefined
  const entry: Stored = {
    password: known?.password ?? generate(options),
    salt: known?.salt ?? (scheme === '' ? undefined : randomSalt(SALT_CHARACTERS)),
  }
  if (isKept && (known?.password !== entry.password || known.salt !== entry.salt)) store(path, entry)
  return new Secret(
    scheme === '' ? entry.password : cryptPassword(entry.password, scheme, entry.salt!),
    label,
  )
}

export const passwordLookups: LookupSet = {
  password: {
    takes: "length='20', chars=null, encrypt=null, ident=null, seed=null",
    run: (terms, options, runtime) => terms.map(term => password(term, options, runtime)),
  },
}
