import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { type Py, toInteger } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

interface CommentStyle {
  readonly decoration: string
  readonly beginning?: string
  readonly end?: string
}
const styles: Readonly<Record<string, CommentStyle>> = {
  plain: { decoration: '# ' },
  erlang: { decoration: '% ' },
  c: { decoration: '// ' },
  cblock: { beginning: '/*', decoration: ' * ', end: ' */' },
  xml: { beginning: '<!--', decoration: ' - ', end: '-->' },
}
const known = [
  'newline',
  'beginning',
  'prefix',
  'prefix_count',
  'decoration',
  'postfix',
  'postfix_count',
  'end',
]

/** Ansible's comment: the text with a decoration before each line, and lines around it. */
function comment(value: Py, args: Args): Py {
  const name = args.text('style')
  const style = Object.hasOwn(styles, name) ? styles[name]! : undefined
  if (!style)
    throw runtimeFault(`there is no comment style '${name}'; known: ${Object.keys(styles).join(', ')}`)
  for (const option of args.named.keys())
    if (!known.includes(option)) throw runtimeFault(`comment has no option '${option}'`)
  const option = (key: string, otherwise: string): string => toText(args.named.get(key) ?? otherwise)
  const count = (key: string): number => toInteger(args.named.get(key) ?? 1)
  const newline = option('newline', '\n')
  const decoration = option('decoration', style.decoration)
  // The lines before and after have the decoration without its blanks at the end.
  const border = decoration.trimEnd()
  const line = (text: string): string => (text === '' ? '' : text + newline)
  const prefix = option('prefix', border)
  const before = prefix === newline ? newline : line(prefix)
  const body = toText(value)
    .split(newline)
    .map(text => (decoration + text).replace(/[ \t]+$/, text === '' ? '' : '$&'))
    .join(newline)
  return [
    line(option('beginning', style.beginning ?? '')),
    before.repeat(count('prefix_count')),
    body,
    (newline + option('postfix', border)).repeat(count('postfix_count')),
    option('end', style.end ?? '') === '' ? '' : newline + option('end', style.end ?? ''),
  ].join('')
}

export const commentFilters: FilterSet = { comment: ["style='plain', **named", comment] }
