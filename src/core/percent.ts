/** A URL's escapes decoded, as Python's `unquote` does: what is no escape, like the `%` of `100%`, stays. */
export function decodePercent(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, escapes =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}
