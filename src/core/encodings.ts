/** The name of a way to write a value down, for people. */
export type Encoding = 'plain' | 'base64' | 'hex' | 'URL-encoded' | 'JSON' | 'quoted'
/** A value as some program writes it. */
export interface Form {
  readonly encoding: Encoding
  readonly text: string
}

/** The value inside base64 of a longer text, by where it begins in a group of three bytes. */
function base64Forms(bytes: Buffer): string[] {
  const forms = [0, 1, 2].map(offset => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    // The first and last characters depend on the neighbours of the value, so they are no part of the form.
    const head = offset === 0 ? 0 : offset + 1
    const tail = (bytes.length + offset) % 3 === 0 ? 0 : 1
    return shifted.slice(head, shifted.length - tail)
  })
  return [...forms, ...forms.map(form => form.replaceAll('+', '-').replaceAll('/', '_'))]
}

function hexForms(bytes: Buffer): string[] {
  return [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]
}

/** encodeURIComponent, the same with lower-case digits, and what leaves no punctuation (RFC 3986 section 2.3). */
function urlForms(value: string): string[] {
  const encoded = encodeURIComponent(value)
  const strict = encoded.replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  const lower = (text: string): string => text.replace(/%[0-9A-F]{2}/g, digits => digits.toLowerCase())
  return [encoded, lower(encoded), strict, strict.replaceAll('%20', '+')]
}

/** In sh's quotes, and where `$` (compose), `%` (systemd, cron) or `:` (.pgpass) are doubled or escaped. */
function quotedForms(value: string): string[] {
  return [
    value.replaceAll("'", `'\\''`),
    value.replaceAll("'", `'"'"'`),
    value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '\\$').replaceAll('`', '\\`'),
    value.replaceAll('$', '$$$$'),
    value.replaceAll('%', '%%'),
    value.replaceAll('%', '\\%'),
    value.replaceAll('\\', '\\\\').replaceAll(':', '\\:'),
  ]
}

/** Every form of a value that a program on the way may print or a file may hold it in. A form may be there twice. */
export function renderForms(value: string): readonly Form[] {
  const bytes = Buffer.from(value)
  const as = (encoding: Encoding, texts: readonly string[]): Form[] => texts.map(text => ({ encoding, text }))
  return [
    { encoding: 'plain', text: value },
    ...as('base64', base64Forms(bytes)),
    ...as('hex', hexForms(bytes)),
    ...as('URL-encoded', urlForms(value)),
    { encoding: 'JSON', text: JSON.stringify(value).slice(1, -1) },
    ...as('quoted', quotedForms(value)),
  ]
}
