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

/** A dict or a list of pairs; a list as a value repeats the name, as Python's urlencode(doseq=True) does. */
function renderForm(body: Value): string {
  const pairs: readonly (readonly [Value, Value])[] = isDict(body)
    ? [...body]
    : (Array.isArray(body) ? body : []).map((pair: Value) => {
        if (Array.isArray(pair) && pair.length === 2) return [pair[0]!, pair[1]!] as const
        throw problem('E_PARAMS', 'uri: body_format form-urlencoded takes a dict or a list of pairs', {
          hint: 'write body: { name: value }',
        })
      })
  const form = new URLSearchParams()
  for (const [name, value] of pairs)
    for (const one of Array.isArray(value) ? (value as readonly Value[]) : [value])
      form.append(plainText(name), plainText(one))
  return form.toString()
}

interface Part {
  readonly head: string
  readonly bytes: Buffer
}

async function partOf(t: Target, name: string, value: Value): Promise<Part> {
  const field = `form-data; name="${name.replaceAll('"', '%22').replace(/[\r\n]/g, ' ')}"`
  if (!isDict(value)) return { head: field, bytes: Buffer.from(plainText(value)) }
  const get = (key: string): Value | undefined => (value as Dict).get(key)
  const [filename, content] = [get('filename'), get('content')]
  if (filename === undefined && content === undefined)
    throw problem('E_PARAMS', `uri: the part ${name} has neither content nor filename`, {
      hint: 'give it content: text, or filename: a file of the operator’s machine',
    })
  const bytes =
    content === undefined
      ? await readFile(t.operator.find('files', plainText(filename ?? '')))
      : Buffer.from(plainText(content))
  const file =
    filename === undefined ? '' : `; filename="${basename(plainText(filename)).replaceAll('"', '%22')}"`
  const type = get('mime_type') ?? (filename === undefined ? 'text/plain' : 'application/octet-stream')
  return { head: `${field}${file}\r\nContent-Type: ${plainText(type)}`, bytes }
}

/** multipart/form-data, RFC 7578. */
async function encodeMultipart(t: Target, body: Value): Promise<Body> {
  if (!isDict(body))
    throw problem('E_PARAMS', 'uri: body_format form-multipart takes a dict', {
      hint: 'write body: { name: value, file: { filename: path } }',
    })
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

/** Text and secrets go as they are in every format but form-multipart; Throws E_PARAMS for a body that the format cannot hold. */
export async function encodeBody(t: Target, body: Value, format: string): Promise<Body> {
  if (format === 'form-multipart') return encodeMultipart(t, body)
  const isText = typeof body === 'string' || body instanceof Secret
  if (format === 'json')
    return {
      bytes: Buffer.from(isText ? plainText(body) : renderJson(body)),
      contentType: 'application/json',
    }
  if (format === 'form-urlencoded')
    return {
      bytes: Buffer.from(isText ? plainText(body) : renderForm(body)),
      contentType: 'application/x-www-form-urlencoded',
    }
  const text = isDict(body) || Array.isArray(body) ? renderJson(body) : plainText(body)
  return { bytes: Buffer.from(text), contentType: undefined }
}
