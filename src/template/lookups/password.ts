import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { Secret } from '../../core/secret.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import { expandHome } from '../filters/path.ts'
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
/** The password in a file; undefined: there is none. Ansible may have written a salt behind it. */
function stored(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
      .trimEnd()
      .replace(/ salt=\S+( ident=\S+)?$/, '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw runtimeFault(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`)
  }
}
function store(path: string, password: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, `${password}\n`, { mode: 0o600, flag: 'wx' })
}
/** A password that is made once and kept in a file of the operator's. It is a Secret from the start. */
function password(term: Py, given: Args, runtime: Runtime): Py {
  const { name, options } = splitTerm(termText(term), given, passwordOptions)
  if (name === '') throw runtimeFault('lookup password needs a path')
  if (options.has('encrypt'))
    throw runtimeFault("lookup password has no encrypt=; write lookup('password', …) | password_hash")
  const folder = runtime.session.variable('playbook_dir')
  const expanded = expandHome(name)
  const path = isAbsolute(expanded) ? expanded : join(typeof folder === 'string' ? folder : '.', expanded)
  const label = `password ${name}`
  if (path === '/dev/null') return new Secret(generate(options), label)
  const known = stored(path)
  if (known !== undefined) return new Secret(known, label)
  const made = generate(options)
  store(path, made)
  return new Secret(made, label)
}

export const passwordLookups: LookupSet = {
  password: {
    takes: "length='20', chars=null, encrypt=null, ident=null, seed=null",
    run: (terms, options, runtime) => terms.map(term => password(term, options, runtime)),
  },
}
