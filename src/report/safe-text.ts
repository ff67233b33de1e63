/** A control character, with what follows when it is a colour; or one that turns the direction of writing. */
const SPECIAL = /\p{Cc}(?:\[[0-9;]*m)?|\p{Bidi_Control}/gu

/**
 * Text for a terminal: what a host or a file says can colour it, and do nothing else to it. Other control characters are shown as
 * `\xNN` or `\u{NN}`; a carriage return before the end of a line is left out.
 */
export function renderSafe(text: string): string {
  return text.replace(SPECIAL, (found, at: number) => {
    const [mark = '', ...rest] = found
    if (mark === '\n' || mark === '\t' || (mark === '\u001b' && rest.length > 0)) return found
    if (mark === '\r' && text[at + 1] === '\n') return ''
    const code = mark.codePointAt(0)!.toString(16)
    return `${code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`}${rest.join('')}`
  })
}
