import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { expandReplacement, parseRegex } from '../core/python-regex.ts'
import type { FileState } from '../resources/file.ts'
import {
  type Edit,
  type EditInput,
  editing,
  editParams,
  prepareEdit,
  requireFile,
  wantEdit,
} from './text-file.ts'

const params = {
  ...editParams,
  path: { ...editParams.path, doc: 'File to edit; it has to exist. A link is followed.' },
  regexp: {
    type: 'string',
    required: true,
    doc: 'Python regular expression in MULTILINE mode; every match in the file is replaced.',
  },
  replace: {
    type: 'text',
    default: '',
    doc: 'What stands there instead; `\\1` and `\\g<name>` are groups. Default: nothing.',
  },
  after: {
    type: 'string',
    doc: 'Only what follows the first match of this Python regular expression (with DOTALL).',
  },
  before: {
    type: 'string',
    doc: 'Only what precedes the first match of this Python regular expression (with DOTALL).',
  },
} as const
type ReplaceArgs = Args<typeof params>

/** Start and end of the part to be edited; undefined when `after` and `before` are not found. */
function sectionOf({ after, before }: ReplaceArgs, text: string): readonly [number, number] | undefined {
  if (after === undefined && before === undefined) return [0, text.length]
  const inner = '(?P<subsection>.*?)'
  const pattern =
    after === undefined
      ? `(?P<subsection>.*)${before}`
      : before === undefined
        ? `${after}(?P<subsection>.*)`
        : `${after}${inner}${before}`
  const regex = parseRegex(pattern, { dotAll: true })
  const found = new RegExp(regex, `${regex.flags.replace('g', '')}d`).exec(text)
  return found?.indices?.groups?.['subsection']
}

function replaceEdit(args: ReplaceArgs): Edit {
  const pattern = parseRegex(args.regexp, { multiline: true })
  return (text, replacement = '') => {
    const section = sectionOf(args, text)
    if (section === undefined)
      return { text, value: 'Pattern for before/after params did not match the given file' }
    let count = 0
    const [start, end] = section
    const made = text.slice(start, end).replace(pattern, (...found) => {
      count++
      return expandReplacement(replacement, matchOf(found))
    })
    const changed = text.slice(0, start) + made + text.slice(end)
    return { text: changed, value: count > 0 && changed !== text ? `${count} replacements made` : '' }
  }
}

/** The arguments of a replace callback as a match: whole, groups, offset, text and, with named groups, these. */
function matchOf(found: readonly unknown[]): RegExpMatchArray {
  const last = found.at(-1)
  const named = typeof last === 'object' ? (last as Record<string, string>) : undefined
  const match = found.slice(0, named ? -3 : -2) as RegExpMatchArray
  if (named) match.groups = named
  return match
}

function edit({ args }: EditInput<ReplaceArgs>, before: FileState) {
  requireFile(before, false)
  return wantEdit(before, args, [args.replace], replaceEdit(args))
}

export const replace = defineState<typeof params, FileState, EditInput<ReplaceArgs>>({
  name: 'replace',
  summary: 'Replace every match of a regular expression in a text file.',
  notes: [
    'It is up to the expression that a second run finds nothing: `a` replaced by `aa` changes every time.',
  ],
  params,
  refused: {
    others: 'name the options themselves: owner, group, mode',
    encoding: 'files are read as UTF-8 text',
  },
  returns: {
    msg: { doc: '`N replacements made` or empty.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
  },
  examples: `
- name: The new name of the database host
  replace: { path: /opt/app/config.yml, regexp: '\\bdb-old\\b', replace: db-new }
`,
  prepare: prepareEdit,
  ...editing<ReplaceArgs>(edit, ({ replace }) => [replace]),
})
