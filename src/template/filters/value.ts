import { createHash, createHmac, getHashes, randomInt } from 'node:crypto'
import { Secret } from '../../core/secret.ts'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { cryptPassword, saltAlphabet } from '../python/crypt.ts'
import { isEqual } from '../python/equality.ts'
import { Bytes, bufferEncoding, isText, type Py, typeName, Undefined } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { split } from '../python/text-split.ts'
import { kindOfSecret } from '../taint.ts'

/** Ansible's bool: yes, on, 1 and true; null stays null. */
function toBool(value: Py): Py {
  if (value instanceof Undefined) value.fail()
  if (value === null || typeof value === 'boolean') return value
  const plain = isText(value) ? toText(value).toLowerCase() : value
  return ['yes', 'on', '1', 'true', 1].some(word => isEqual(plain, word))
}
function ternary(value: Py, args: Args): Py {
  if (value === null && args.has('none_val')) return args.raw('none_val')
  return isTrue(value) ? args.raw('true_val') : args.raw('false_val')
}
function mandatory(value: Py, args: Args): Py {
  if (!(value instanceof Undefined)) return value
  const message = args.has('msg')
    ? args.text('msg')
    : // Two blanks, as Ansible writes them: playbooks compare.
      `Mandatory variable ${value.variable === undefined ? '' : `'${value.variable}' `} not defined.`
  throw runtimeFault(message)
}
function bytesOf(value: Py): Buffer {
  if (value instanceof Undefined) value.fail()
  return value instanceof Bytes ? value.bytes : Buffer.from(toText(value))
}
function digest(value: Py, name: string): Py {
  const algorithm = name.toLowerCase().replace('_', '-')
  if (!getHashes().includes(algorithm)) throw runtimeFault(`unsupported hash type ${name}`)
  return createHash(algorithm).update(bytesOf(value)).digest('hex')
}
/** RFC 2104, as payment providers sign what they deliver. */
function hmac(value: Py, args: Args): Py {
  const algorithm = args.text('hashtype').toLowerCase()
  const encoding = args.text('encoding')
  if (!getHashes().includes(algorithm))
    throw runtimeFault(`unsupported hash type: there is no '${algorithm}'`)
  if (encoding !== 'hex' && encoding !== 'base64')
    throw runtimeFault(`hmac gives hex or base64, not '${encoding}'`)
  return createHmac(algorithm, args.text('key')).update(bytesOf(value)).digest(encoding)
}
function encode64(value: Py, args: Args): Py {
  if (value instanceof Bytes) return value.bytes.toString('base64')
  return Buffer.from(toText(value), bufferEncoding(args.text('encoding'))).toString('base64')
}
function decode64(value: Py, args: Args): Py {
  const text = toText(value).replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 === 1) throw runtimeFault('not valid base64')
  return Buffer.from(text, 'base64').toString(bufferEncoding(args.text('encoding')))
}
/** One word of a shell. */
function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`
}
/** A version 5 UUID (RFC 9562, section 5.5). */
function uuid5(name: string, namespace: string): string {
  const space = namespace.replace(/[-{}]|^urn:uuid:/g, '')
  if (!/^[\da-f]{32}$/i.test(space))
    throw runtimeFault(`Invalid value '${namespace}' for 'namespace': it is no UUID`)
  const hash = createHash('sha1').update(Buffer.from(space, 'hex')).update(name).digest().subarray(0, 16)
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** A salt for a hash that is made once: sixteen random characters. */
export function randomSalt(size: number): string {
  return Array.from({ length: size }, () => saltAlphabet[randomInt(saltAlphabet.length)]).join('')
}
function passwordHash(value: Py, args: Args): Py {
  if (args.has('ident')) throw runtimeFault('password_hash has no ident here; it is for bcrypt')
  const size = args.has('salt_size') ? args.integer('salt_size') : 16
  const salt = args.has('salt') ? args.text('salt') : randomSalt(size)
  const rounds = args.has('rounds') ? args.integer('rounds') : undefined
  return cryptPassword(toText(value), args.text('hashtype'), salt, rounds)
}

/** Ansible's filters on single values. */
export const valueFilters: FilterSet = {
  bool: ['', toBool],
  ternary: ['true_val, false_val, none_val=null', ternary],
  mandatory: ['msg=null', mandatory],
  hash: ["hashtype='sha1'", (value, args) => digest(value, args.text('hashtype'))],
  hmac: ["key, hashtype='sha256', encoding='hex'", hmac],
  'checksum sha1': ['', value => digest(value, 'sha1')],
  md5: ['', value => digest(value, 'md5')],
  b64encode: ["encoding='utf-8'", encode64],
  b64decode: ["encoding='utf-8'", decode64],
  quote: ['', value => (value === null ? "''" : shellQuote(toText(value)))],
  to_uuid: [
    "namespace='361E6D51-FAEC-444A-9079-341386DA8E2E'",
    (value, args) => uuid5(toText(value), args.text('namespace')),
  ],
  password_hash: ["hashtype='sha512', salt=null, salt_size=null, rounds=null, ident=null", passwordHash],
  type_debug: ['', value => (value instanceof Secret ? kindOfSecret(value) : typeName(value))],
  split: [
    'sep=null, maxsplit=-1',
    (value, args) =>
      split(toText(value), args.has('sep') ? args.text('sep') : null, args.integer('maxsplit')),
  ],
}
