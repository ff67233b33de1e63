import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { reveal, Secret } from '../core/secret.ts'
import { type Dict, fromValue, isDict, type Value } from '../core/value.ts'

/** A body ready to be sent. Holds secrets in plain: it goes to the socket and nowhere else. */
export interface Body {
  readonly bytes: Buffer
  readonly contentType: string | undefined
}

/** Text of a scalar as it goes on the wire; the secrets in it revealed. */
export function plainText(value: Value): string {
  if (value instanceof Secret) return reveal(value)
  return value === null ? '' : String(fromValue(value))
}

/** JSON with every Secret's text in its place. Integers beyond 2^53 stay exact. */
export function renderJson(value: Value): string {
  if (value instanceof Secret) return JSON.stringify(reveal(value))
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(renderJson).join(', ')}]`
  if (isDict(value)) {
    const members = [...value].map(
      ([key, member]) => `${JSON.stringify(plainText(key))}: ${renderJson(member)}`,
    )
    return `{${members.join(', ')}}`
  }
  return JSON.stringify(fromValue(value)) ?? 'null'
}

/** A dict or a list of pairs; a list as a value repeats the name, null is left out: as Ansible's form_urlencoded does. */
function renderForm(body: Value): string {
  const pairs: readonly (readonly [Value, Value])[] = isDict(body)
    ? [...body]
    : (Array.isArray(body) ? body : []).map((pair: Value) => {
        if (Array.isArray(pair) && pair.length === 2) return [pair[0]!, pair[1]!] as const
        const size = isDict(pair) ? pair.size : Array.isArray(pair) ? pair.length : 3
        const why = size > 2 ? 'too many values to unpack (expected 2)' : 'not enough values to unpack'
        throw problem('E_PARAMS', `failed to parse body as form_urlencoded: ${why}`, {
          hint: 'write body: { name: value }, or a list of pairs: [[name, value]]',
        })
      })
  const form = new URLSearchParams()
  for (const [name, value] of pairs)
    for (const one of Array.isArray(value) ? (value as readonly Value[]) : [value])
      if (one !== null) form.append(plainText(name), plainText(one))
  return form.toString()
}

/** What a file's name says of its content; all else is application/octet-stream. */
const mimeTypes: Readonly<Record<string, string>> = {
  css: 'text/css',
  csv: 'text/csv',
  gif: 'image/gif',
  htm: 'text/html',
  html: 'text/html',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  tar: 'application/x-tar',
  txt: 'text/plain',
  xml: 'text/xml',
  zip: 'application/zip',
}
const mimeTypeOf = (filename: string): string =>
  mimeTypes[/\.([^./]+)$/.exec(filename)?.[1]?.toLowerCase() ?? ''] ?? 'application/octet-stream'

interface Part {
  readonly head: string
  readonly bytes: Buffer
}

async function partOf(t: Target, name: string, value: Value): Promise<Part> {
  const field = `form-data; name="${name.replaceAll('"', '%22').replace(/[\r\n]/g, ' ')}"`
  if (typeof value === 'string' || value instanceof Secret)
    return { head: `${field}\r\nContent-Type: text/plain`, bytes: Buffer.from(plainText(value)) }
  if (!isDict(value))
    throw malformed(`value must be a string, or mapping, cannot be type ${typeNameOf(value)}`)
  const get = (key: string): string => plainText((value as Dict).get(key) ?? '')
  const [filename, content] = [get('filename'), get('content')]
  if (filename === '' && content === '')
    throw malformed('at least one of filename or content must be provided')
  const bytes = content === '' ? await readFile(t.operator.find('files', filename)) : Buffer.from(content)
  const file = filename === '' ? '' : `; filename="${basename(filename).replaceAll('"', '%22')}"`
  return { head: `${field}${file}\r\nContent-Type: ${get('mime_type') || mimeTypeOf(filename)}`, bytes }
}

/** Python's word for what stands where a text or a dict should. */
function typeNameOf(value: Value): string {
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'boolean') return 'bool'
  return value === null
    ? 'NoneType'
    : typeof value === 'bigint' || Number.isInteger(fromValue(value))
      ? 'int'
      : 'float'
}

function malformed(why: string): Error {
  return problem('E_PARAMS', `failed to parse body as form-multipart: ${why}`, {
    hint: 'write body: { name: text, file: { filename: a file of the operator’s machine } }',
  })
}

/** multipart/form-data, RFC 7578. */
async function encodeMultipart(t: Target, body: Value): Promise<Body> {
  if (!isDict(body)) throw malformed('Mapping is required')
  const boundary = `rota-${randomBytes(16).toString('hex')}`
  const parts = await Promise.all([...body].map(([name, value]) => partOf(t, plainText(name), value)))
  const chunks = parts.flatMap(({ head, bytes }) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: ${head}\r\n\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ])
  return {
    bytes: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    contentType: `multipart/form-data; boundary=${boundary}`,
  }
}

/** Content-Type by body_format, of those that have one. */
export const contentTypes: Readonly<Record<string, string>> = {
  json: 'application/json',
  'form-urlencoded': 'application/x-www-form-urlencoded',
}

/** Text and secrets go as they are in every format but form-multipart; Throws E_PARAMS for a body that the format cannot hold. */
export async function encodeBody(t: Target, body: Value, format: string): Promise<Body> {
  if (format === 'form-multipart') return encodeMultipart(t, body)
  return { bytes: Buffer.from(renderBody(body, format)), contentType: contentTypes[format] }
}

function renderBody(body: Value, format: string): string {
  if (typeof body === 'string' || body instanceof Secret) return plainText(body)
  if (format === 'form-urlencoded') return renderForm(body)
  return format === 'json' || isDict(body) || Array.isArray(body) ? renderJson(body) : plainText(body)
}
