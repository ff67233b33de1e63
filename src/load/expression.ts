const INSIDE = String.raw`(?:(?!\{\{|\}\}).)*`
const BRACES = `\\{\\{(${INSIDE})\\}\\}`
// In a quoted text, braces may hold quotes of the same kind: "{{ "a" | upper }}".
const quoted = (quote: string): string =>
  `${quote}(?:\\{\\{${INSIDE}\\}\\}|(?!\\{\\{)[^${quote}\\\\]|\\\\.)*${quote}`
const PIECE = new RegExp(`${quoted("'")}|${quoted('"')}|${BRACES}`, 'gs')

/**
 * The bare expression of a condition. Ansible takes braces in conditions (and warns): `{{ x }}` there is a value, not text to
 * be evaluated again, so it becomes `(x)`; within a quoted text, `'a{{ x }}'` becomes `('a' ~ (x))`. Undefined: it holds
 * statements, comments or braces that are not closed, which no expression can say.
 */
export function parseCondition(text: string): string | undefined {
  const whole = new RegExp(`^\\s*${BRACES}\\s*$`, 's').exec(text)
  if (whole) return whole[1]!.trim()
  if (/\{[%#]/.test(text)) return undefined
  const bare = text.replace(PIECE, (part, inner?: string) =>
    inner === undefined ? joinText(part) : `(${inner.trim()})`,
  )
  return /\{\{|\}\}/.test(bare) ? undefined : bare
}

/** A quoted text with braces as a joining of its parts; others stay as they are. */
function joinText(quoted: string): string {
  if (!quoted.includes('{{')) return quoted
  const quote = quoted[0]!
  const parts = quoted
    .slice(1, -1)
    .split(new RegExp(BRACES, 's'))
    .map((part, index) => (index % 2 === 0 ? `${quote}${part}${quote}` : `(${part.trim()})`))
  return `(${parts.filter((part, index) => index === 0 || part.length > 2).join(' ~ ')})`
}
