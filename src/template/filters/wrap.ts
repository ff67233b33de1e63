import { characters } from '../python/sequence.ts'
import type { Args } from '../python/signature.ts'
import { splitLines } from '../python/text-split.ts'

/** The pieces between which a line may break: words, blanks, and the halves of hyphenated words. */
function pieces(line: string, breakOnHyphens: boolean): string[] {
  const parts = line.split(/(\s+)/).filter(part => part !== '')
  if (!breakOnHyphens) return parts
  return parts.flatMap(part => part.split(/(?<=[\p{L}\p{N}_]-)(?=[\p{L}])/u))
}

/** Python's textwrap.wrap() of one line, blanks kept inside and dropped at the breaks. */
function wrapLine(line: string, width: number, breakLongWords: boolean, breakOnHyphens: boolean): string[] {
  const lines: string[] = []
  const queue = pieces(line, breakOnHyphens)
  let current = ''
  const finish = (): void => {
    if (current.trimEnd() !== '') lines.push(current.trimEnd())
    current = ''
  }
  while (queue.length > 0) {
    const piece = queue.shift()!
    const free = width - characters(current).length
    const size = characters(piece).length
    if (size <= free) {
      if (current !== '' || piece.trim() !== '' || lines.length === 0) current += piece
    } else if (piece.trim() === '') finish()
    else if (size > width && breakLongWords) {
      const all = characters(piece)
      const room = Math.max(1, free)
      current += all.slice(0, room).join('')
      queue.unshift(all.slice(room).join(''))
      finish()
    } else if (current === '') current = piece
    else {
      finish()
      queue.unshift(piece)
    }
  }
  finish()
  return lines
}

/** Jinja2's wordwrap: every line of the text wrapped by itself. */
export function wrapText(text: string, args: Args): string {
  const newline = args.has('wrapstring') ? args.text('wrapstring') : '\n'
  const width = Math.max(1, args.integer('width'))
  return splitLines(text)
    .map(line =>
      wrapLine(line, width, args.flag('break_long_words'), args.flag('break_on_hyphens')).join(newline),
    )
    .join(newline)
}
