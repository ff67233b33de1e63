import { quoteRegex } from '../../core/glob.ts'
/** How a template's tags are written: Jinja2's environment options. */
export interface SyntaxOptions {
  readonly blockStart: string
  readonly blockEnd: string
  readonly variableStart: string
  readonly variableEnd: string
  readonly commentStart: string
  readonly commentEnd: string
  readonly lineStatementPrefix?: string | undefined
  readonly lineCommentPrefix?: string | undefined
  /** Drop the first newline after a block or comment. On, as in Ansible. */
  readonly trimBlocks: boolean
  /** Drop the blanks before a block or comment that begins a line. */
  readonly lstripBlocks: boolean
  /** `restore`: a final newline is dropped while reading and put back when the result lacks it, as Ansible does. */
  readonly keepTrailingNewline: boolean | 'restore'
  /** Double the backslashes of string literals inside `{{ }}`: Ansible does so for values of playbooks, not for files. */
  readonly escapeBackslashes: boolean
}

export const defaultSyntax: SyntaxOptions = {
  blockStart: '{%',
  blockEnd: '%}',
  variableStart: '{{',
  variableEnd: '}}',
  commentStart: '{#',
  commentEnd: '#}',
  trimBlocks: true,
  lstripBlocks: false,
  keepTrailingNewline: 'restore',
  escapeBackslashes: false,
}

/** The regular expressions that cut a template into text and tags. */
export interface Rules {
  /** The next tag of any kind; its named group says which. */
  readonly tag: RegExp
  readonly blockEnd: RegExp
  readonly variableEnd: RegExp
  readonly commentEnd: RegExp
  readonly rawEnd: RegExp
}
/** The rules of one set of options. Longer start strings win, as in Jinja2. */
export function rulesOf(options: SyntaxOptions): Rules {
  const blockStart = quoteRegex(options.blockStart)
  const blockEnd = quoteRegex(options.blockEnd)
  const variableEnd = quoteRegex(options.variableEnd)
  const commentEnd = quoteRegex(options.commentEnd)
  const newline = options.trimBlocks ? '\\n?' : ''
  const starts = [
    { name: 'comment', start: options.commentStart },
    { name: 'block', start: options.blockStart },
    { name: 'variable', start: options.variableStart },
  ]
    .sort((a, b) => b.start.length - a.start.length)
    .map(({ name, start }) => `(?<${name}>${quoteRegex(start)})`)
  const raw = `(?<raw>${blockStart}(?<rawSign>[-+]?)\\s*raw\\s*(?:-${blockEnd}\\s*|${blockEnd}))`
  return {
    tag: new RegExp([...lineRules(options), raw, `(?:${starts.join('|')})(?<sign>[-+]?)`].join('|'), 'gm'),
    blockEnd: new RegExp(`\\+${blockEnd}|-${blockEnd}\\s*|${blockEnd}${newline}`, 'y'),
    variableEnd: new RegExp(`-${variableEnd}\\s*|${variableEnd}`, 'y'),
    commentEnd: new RegExp(`\\+${commentEnd}|-${commentEnd}\\s*|${commentEnd}${newline}`, 'g'),
    rawEnd: new RegExp(
      `${blockStart}(?<sign>[-+]?)\\s*endraw\\s*(?:\\+${blockEnd}|-${blockEnd}\\s*|${blockEnd}${newline})`,
      'g',
    ),
  }
}
function lineRules(options: SyntaxOptions): string[] {
  const { lineStatementPrefix: statement, lineCommentPrefix: comment } = options
  const rules: { length: number; rule: string }[] = []
  if (statement)
    rules.push({
      length: statement.length,
      rule: `(?<lineStatement>^[ \\t\\v]*${quoteRegex(statement)}-?)`,
    })
  if (comment)
    rules.push({
      length: comment.length,
      rule: `(?<lineComment>(?:^|(?<=\\S))[^\\S\\r\\n]*${quoteRegex(comment)})`,
    })
  return rules.sort((a, b) => b.length - a.length).map(({ rule }) => rule)
}
