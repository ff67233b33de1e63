import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { expandReplacement, parseRegex } from '../core/python-regex.ts'
import { Secret } from '../core/secret.ts'
import type { FileState } from '../resources/file.ts'
import type { Text } from '../resources/secret-text.ts'
import {
  type Edit,
  type Edited,
  type EditInput,
  editing,
  editParams,
  editResult,
  prepareEdit,
  requireFile,
  wantEdit,
} from './text-file.ts'

const params = {
  ...editParams,
  line: { type: 'text', aliases: ['value'], doc: 'The line that is to be there, without its line end.' },
  regexp: {
    type: 'string',
    aliases: ['regex'],
    doc: 'Python regular expression; the last line it is found in is replaced, or with `state: absent` all of them are removed.',
  },
  search_string: { type: 'string', doc: 'The same with literal text instead of a regular expression.' },
  state: {
    type: 'string',
    choices: ['present', 'absent'],
    default: 'present',
    doc: 'Whether the line is to be there.',
  },
  backrefs: {
    type: 'bool',
    default: false,
    doc: 'Fill groups of `regexp` into `line`; when nothing is found the file stays as it is.',
  },
  insertafter: {
    type: 'string',
    doc: 'Where a new line goes: after the last match of this regular expression, or `EOF` (default).',
  },
  insertbefore: {
    type: 'string',
    doc: 'Where a new line goes: before the last match of this regular expression, or `BOF`.',
  },
  firstmatch: { type: 'bool', default: false, doc: 'Use the first match instead of the last.' },
  create: {
    type: 'bool',
    default: false,
    doc: 'Make the file, and the folders above it, when it is missing.',
  },
} as const
type LineArgs = Args<typeof params>

/** Lines with their line ends; the last may have none. */
function parseLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
const bare = (line: string): string => line.replace(/[\r\n]+$/, '')

/** The last line that `test` finds, or the first. -1: none. */
function search(lines: readonly string[], isFirst: boolean, test: (line: string) => boolean): number {
  return isFirst ? lines.findIndex(test) : lines.findLastIndex(test)
}

/** A test for lines by the `regexp` or `search_string`; undefined when neither is given. */
function finderOf({
  regexp,
  search_string,
}: LineArgs): ((line: string) => RegExpMatchArray | null) | undefined {
  if (search_string !== undefined)
    return line => (line.includes(search_string) ? ([search_string] as RegExpMatchArray) : null)
  if (regexp === undefined) return undefined
  const pattern = parseRegex(regexp)
  return line => new RegExp(pattern, pattern.flags.replace('g', '')).exec(line)
}

function present(args: LineArgs): Edit {
  const find = finderOf(args)
  return (text, line = '') => {
    const lines = parseLines(text)
    const found = find ? search(lines, args.firstmatch, candidate => find(candidate) !== null) : -1
    if (found >= 0) {
      const wanted = args.backrefs ? expandReplacement(line, find!(lines[found]!)!) : line
      return replaceLine(text, lines, found, wanted)
    }
    if (args.backrefs) return { text, value: '' }
    // As in Ansible, with firstmatch nothing counts that comes after the place to insert at.
    const others = lines.map(candidate => (bare(candidate) === line ? undefined : candidate))
    const end = args.firstmatch ? matchOf(args, others, lines.length) : lines.length
    const same = others.slice(0, end).lastIndexOf(undefined)
    return same >= 0 ? replaceLine(text, lines, same, line) : insertLine(args, text, lines, line)
  }
}

function replaceLine(text: string, lines: string[], at: number, line: string): Edited {
  const wanted = line.endsWith('\n') ? line : `${line}\n`
  if (lines[at] === wanted) return { text, value: '' }
  lines[at] = wanted
  return { text: lines.join(''), value: 'line replaced' }
}

function insertLine(args: LineArgs, text: string, lines: string[], line: string): Edited {
  const place = placeOf(args, lines)
  // One that stands at the place already is not put there again, even with other line ends.
  if (place < lines.length && bare(lines[place]!) === line) return { text, value: '' }
  const last = lines.length - 1
  if (place > last && last >= 0 && !/[\r\n]$/.test(lines[last]!)) lines[last] += '\n'
  lines.splice(place, 0, `${line}\n`)
  return { text: lines.join(''), value: 'line added' }
}

/** The index that a new line gets. */
function placeOf(args: LineArgs, lines: readonly string[]): number {
  if (args.insertbefore === 'BOF' || args.insertafter === 'BOF') return 0
  const found = matchOf(args, lines, -1)
  if (found < 0) return lines.length
  return args.insertbefore === undefined ? found + 1 : found
}

/** The index of the line that `insertafter` or `insertbefore` finds, else `missing`. */
function matchOf(
  { insertafter, insertbefore, firstmatch }: LineArgs,
  lines: readonly (string | undefined)[],
  missing: number,
): number {
  const where = insertbefore ?? insertafter
  if (where === undefined || where === 'EOF' || where === 'BOF') return missing
  const pattern = parseRegex(where)
  const test = (line: string | undefined): boolean => line !== undefined && line.search(pattern) >= 0
  const found = firstmatch ? lines.findIndex(test) : lines.findLastIndex(test)
  return found < 0 ? missing : found
}

function absent(args: LineArgs): Edit {
  const find = finderOf(args)
  return (text, line = '') => {
    const lines = parseLines(text)
    const kept = lines.filter(candidate => (find ? find(candidate) === null : bare(candidate) !== line))
    const count = lines.length - kept.length
    return { text: kept.join(''), value: count === 0 ? '' : `${count} line(s) removed` }
  }
}

function edit({ args }: EditInput<LineArgs>, before: FileState) {
  if (args.state === 'absent') {
    if (before.kind === 'absent') return { after: before, message: 'file not present' }
    requireFile(before, false)
    return wantEdit(before, args, args.line === undefined ? [] : [args.line], absent(args))
  }
  requireFile(before, args.create)
  return wantEdit(before, args, [args.line as Text], present(args))
}

/** What the option types cannot say. */
function checkArgs(args: LineArgs): void {
  if (args.state === 'present' && args.line === undefined)
    throw problem('E_PARAMS', 'line is required with state=present')
  if (args.backrefs && args.regexp === undefined)
    throw problem('E_PARAMS', 'regexp is required with backrefs=true')
  if (args.state === 'absent' && args.line === undefined && !args.regexp && !args.search_string)
    throw problem('E_PARAMS', 'one of line, search_string, or regexp is required with state=absent')
  if (args.backrefs && args.line instanceof Secret && args.regexp === undefined)
    throw problem('E_PARAMS', 'regexp is required with backrefs=true')
}

/** An empty expression or text is found in every line. */
function warningsOf({ regexp, search_string }: LineArgs): { readonly warnings?: readonly string[] } {
  if (regexp !== '' && search_string !== '') return {}
  const what = regexp === '' ? 'regular expression' : 'search string'
  const means =
    regexp === ''
      ? " If this is desired, use '^' to match every line in the file and avoid this warning."
      : ''
  return {
    warnings: [
      `The ${what} is an empty string, which will match every line in the file. This may have unintended consequences, such as replacing the last line in the file rather than appending.${means}`,
    ],
  }
}

export const lineinfile = defineState<typeof params, FileState, EditInput<LineArgs>>({
  name: 'lineinfile',
  summary: 'Keep one line of a text file as it is to be, or away.',
  notes: [
    'Regular expressions are Python’s. A line that holds a secret makes the whole content of the file secret: it is not shown by --diff.',
  ],
  params,
  refused: {
    others: 'name the options themselves: owner, group, mode',
  },
  rules: {
    mutuallyExclusive: [
      ['insertbefore', 'insertafter'],
      ['regexp', 'search_string'],
      ['backrefs', 'search_string'],
    ],
  },
  returns: {
    msg: { doc: '`line added`, `line replaced`, `N line(s) removed` or empty.' },
    backup: { doc: 'Path of the backup, or empty.' },
  },
  examples: `
- name: Logins by key only
  lineinfile: { path: /etc/ssh/sshd_config, regexp: '^#?PasswordAuthentication', line: PasswordAuthentication no, validate: sshd -t -f %s }
`,
  prepare(t, args) {
    checkArgs(args)
    return prepareEdit(t, args)
  },
  hasDiffList: true,
  ...editing<LineArgs>(
    edit,
    ({ line }) => [line],
    ({ create }) => create,
  ),
  result(input, before, after) {
    const found = editResult(before, after, edit(input, before).message)
    return { ...found, backup: found.backup_file ?? '', ...warningsOf(input.args) }
  },
})
