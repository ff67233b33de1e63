import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { parseRegex } from '../core/python-regex.ts'
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
  block: {
    type: 'text',
    default: '',
    aliases: ['content'],
    doc: 'The lines between the markers; empty removes them, markers too.',
  },
  marker: {
    type: 'string',
    default: '# {mark} ANSIBLE MANAGED BLOCK',
    doc: 'Line before and after the block; `{mark}` becomes `marker_begin` and `marker_end`.',
  },
  marker_begin: { type: 'string', default: 'BEGIN', doc: 'What `{mark}` is before the block.' },
  marker_end: { type: 'string', default: 'END', doc: 'What `{mark}` is after the block.' },
  state: {
    type: 'string',
    choices: ['present', 'absent'],
    default: 'present',
    doc: 'Whether the block is to be there.',
  },
  insertafter: {
    type: 'string',
    doc: 'Where a new block goes: after the last match of this Python regular expression, or `EOF` (default).',
  },
  insertbefore: {
    type: 'string',
    doc: 'Where a new block goes: before the last match of this Python regular expression, or `BOF`.',
  },
  create: {
    type: 'bool',
    default: false,
    doc: 'Make the file, and the folders above it, when it is missing.',
  },
} as const
type BlockArgs = Args<typeof params>

/** Lines without their ends. */
function parseLines(text: string): string[] {
  if (text === '') return []
  return text.replace(/\n$/, '').split('\n')
}
const strip = (line: string): string => line.replace(/\r$/, '')

function blockEdit(args: BlockArgs): Edit {
  const begin = args.marker.replaceAll('{mark}', args.marker_begin)
  const end = args.marker.replaceAll('{mark}', args.marker_end)
  return (text, block = '') => {
    const wanted = args.state === 'absent' || block === '' ? [] : [begin, ...parseLines(block), end]
    const lines = parseLines(text)
    const [first, last] = [begin, end].map(marker => lines.findLastIndex(line => strip(line) === marker))
    const isThere = first! >= 0 && last! >= 0
    const at = isThere ? Math.min(first!, last!) : placeOf(args, text)
    const removed = lines.splice(at, isThere ? Math.abs(last! - first!) + 1 : 0, ...wanted)
    const isSame = removed.length === wanted.length && removed.every((line, i) => line === wanted[i])
    if (isSame) return { text, value: '' }
    // A file without a line end at its end gets one only where the block comes to stand there.
    const isOpen = !text.endsWith('\n') && at + wanted.length < lines.length
    return {
      text: lines.length === 0 ? '' : `${lines.join('\n')}${isOpen ? '' : '\n'}`,
      value: wanted.length === 0 ? 'Block removed' : 'Block inserted',
    }
  }
}

/** The index of the line that a new block gets. Expressions without (?m) see a line with its line end. */
function placeOf({ insertafter, insertbefore }: BlockArgs, text: string): number {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  if (insertbefore === 'BOF' || insertafter === 'BOF') return 0
  const where = insertbefore ?? insertafter
  if (where === undefined || where === 'EOF') return lines.length
  const pattern = parseRegex(where)
  const isBefore = insertbefore !== undefined
  const found = /^\(\?\w*m/.test(where)
    ? lineOfMatch(pattern, text, isBefore)
    : lines.findLastIndex(line => line.search(pattern) >= 0)
  if (found < 0) return lines.length
  return isBefore ? found : found + 1
}

/** With (?m) an expression is looked for in the whole text: the line in which its first match begins or ends. */
function lineOfMatch(pattern: RegExp, text: string, isBefore: boolean): number {
  const match = new RegExp(pattern, pattern.flags.replace('g', '')).exec(text)
  if (match === null) return -1
  return text.slice(0, match.index + (isBefore ? 0 : match[0].length)).split('\n').length - 1
}

function edit({ args }: EditInput<BlockArgs>, before: FileState) {
  if (before.kind === 'absent' && args.state === 'absent' && !args.create)
    return { after: before, message: `File ${before.path} not present` }
  requireFile(before, args.create)
  const edited = wantEdit(before, args, [args.block], blockEdit(args))
  return before.kind === 'absent' ? { ...edited, message: 'File created' } : edited
}

export const blockinfile = defineState<typeof params, FileState, EditInput<BlockArgs>>({
  name: 'blockinfile',
  summary: 'Keep a block of lines between two marker lines of a text file as it is to be, or away.',
  params,
  rules: { mutuallyExclusive: [['insertbefore', 'insertafter']] },
  returns: {
    msg: { doc: '`Block inserted`, `Block removed`, `File created` or empty.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
  },
  examples: `
- name: Names of the cluster
  blockinfile:
    path: /etc/hosts
    block: |
      10.0.0.5 db
      10.0.0.6 cache
`,
  prepare(t, args) {
    if (args.marker_begin === args.marker_end || !args.marker.includes('{mark}'))
      throw problem('E_PARAMS', 'the markers before and after the block have to differ', {
        hint: 'write {mark} into marker, and let marker_begin differ from marker_end',
      })
    return prepareEdit(t, args)
  },
  hasDiffList: true,
  ...editing<BlockArgs>(
    edit,
    ({ block }) => [block],
    ({ create }) => create,
  ),
})
