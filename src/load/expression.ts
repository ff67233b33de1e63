/**
 * The bare expression of a condition. Ansible takes braces in conditions (and warns): `{{ x }}` there is a value, not text to
 * be evaluated again, so it becomes `(x)`; within a quoted text, `'a{{ x }}'` becomes `('a' ~ (x))`. Undefined: it holds
 * statements, comments or braces that are not closed, which no expression can say.
 */
export function parseCondition(text: string): string | undefined {
  const whole = /^\s*\{\{((?:(?!\{\{|\}\}).)*)\}\}\s*$/s.exec(text)
  if (whole) return whole[1]!.trim()
  if (/\{[%#]/.test(text)) return undefined
  const bare = text.replace(
    /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{\{((?:(?!\{\{|\}\}).)*)\}\}/gs,
    (part, inner?: string) => (inner === undefined ? joinText(part) : `(${inner.trim()})`),
  )
  return /\{\{|\}\}/.test(bare) ? undefined : bare
}

/** A quoted text with braces as a joining of its parts; others stay as they are. */
function joinText(quoted: string): string {
  if (!quoted.includes('{{')) return quoted
  const quote = quoted[0]!
  const parts = quoted
    .slice(1, -1)
    .split(/\{\{((?:(?!\{\{|\}\}).)*)\}\}/s)
    .map((part, index) => (index % 2 === 0 ? `${quote}${part}${quote}` : `(${part.trim()})`))
  return `(${parts.filter((part, index) => index === 0 || part.length > 2).join(' ~ ')})`
}
