import { Fault } from './fault.ts'
import type { SyntaxOptions } from './syntax/rules.ts'

const textOptions: Readonly<Record<string, keyof SyntaxOptions>> = {
  block_start_string: 'blockStart',
  block_end_string: 'blockEnd',
  variable_start_string: 'variableStart',
  variable_end_string: 'variableEnd',
  comment_start_string: 'commentStart',
  comment_end_string: 'commentEnd',
  line_statement_prefix: 'lineStatementPrefix',
  line_comment_prefix: 'lineCommentPrefix',
}
const flagOptions: Readonly<Record<string, keyof SyntaxOptions>> = {
  trim_blocks: 'trimBlocks',
  lstrip_blocks: 'lstripBlocks',
  keep_trailing_newline: 'keepTrailingNewline',
}

const PAIR = /\s*(\w+)\s*:\s*('[^']*'|"[^"]*"|[^,\s]+)\s*,?/g

/** The options of a template's first line, `#jinja2: trim_blocks: False, lstrip_blocks: True`, and the text after it. */
export function splitHeader(text: string): {
  readonly options: Partial<SyntaxOptions>
  readonly body: string
} {
  const [header] = /^#jinja2:[^\n]*(?:\n|$)/.exec(text) ?? []
  if (header === undefined) return { options: {}, body: text }
  const given = header.slice('#jinja2:'.length)
  const pairs = [...given.matchAll(PAIR)]
  const rest = given.replaceAll(PAIR, '').trim()
  if (rest !== '')
    throw new Fault('syntax', `failed to parse jinja2 override '${rest}': it is written as NAME: VALUE`, {
      line: 1,
    })
  return {
    options: Object.assign({}, ...pairs.map(([, name, value]) => option(name!, value!))),
    body: text.slice(header.length),
  }
}
function option(name: string, value: string): Partial<SyntaxOptions> {
  if (Object.hasOwn(textOptions, name)) return { [textOptions[name]!]: value.replace(/^(['"])(.*)\1$/, '$2') }
  if (!Object.hasOwn(flagOptions, name))
    throw new Fault('syntax', `'${name}' is no option of a #jinja2: header`, { line: 1 })
  if (!/^(true|false)$/i.test(value))
    throw new Fault('syntax', `'${name}' in the #jinja2: header is True or False, not ${value}`, { line: 1 })
  return { [flagOptions[name]!]: /^true$/i.test(value) }
}
