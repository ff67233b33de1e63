import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import type { FileState } from '../resources/file.ts'
import type { Text } from '../resources/secret-text.ts'
import { attributes, backup, unsafe_writes } from './file-params.ts'
import {
  type Edited,
  type EditInput,
  editing,
  editResult,
  prepareEdit,
  requireFile,
  wantEdit,
} from './text-file.ts'

const params = {
  path: { type: 'path', required: true, aliases: ['dest'], doc: 'File to edit. A link is followed.' },
  section: { type: 'string', doc: 'Section, without brackets. Default: what stands before the first one.' },
  option: { type: 'string', doc: 'Option; without it the whole section is meant.' },
  value: { type: 'text', doc: 'Its value; may be a secret.' },
  values: { type: 'any', doc: 'The same for an option that stands there several times: a list.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether the option (or section) is to be there.',
  },
  exclusive: {
    type: 'bool',
    default: true,
    doc: 'Other lines of the option go away (with `absent`: all of them); else only these values are added or removed.',
  },
  no_extra_spaces: { type: 'bool', default: false, doc: 'Write `a=b` instead of `a = b`.' },
  ignore_spaces: {
    type: 'bool',
    default: false,
    doc: 'Leave a line that differs only in the blanks around `=`.',
  },
  allow_no_value: { type: 'bool', default: false, doc: 'An option without a value and without `=`.' },
  modify_inactive_option: {
    type: 'bool',
    default: true,
    doc: 'A line of the option that is commented out is made active and used.',
  },
  create: {
    type: 'bool',
    default: true,
    doc: 'Make the file, and the folders above it, when it is missing.',
  },
  backup,
  unsafe_writes,
  ...attributes,
} as const
type IniArgs = Args<typeof params>

const isHead = (line: string): boolean => line.startsWith('[')
const bare = (line: string): string => line.replace(/[\r\n]+$/, '')

/** A line of the option, active or commented out, and its value. */
interface Found {
  readonly isActive: boolean
  /** undefined: neither a value nor `=`. */
  readonly value: string | undefined
}

function parseOption(line: string, option: string): Found | undefined {
  const [, mark, name = '', equals, value] =
    /^[ \t]*([#;]?)[ \t]*(.*?)[ \t]*(?:(=)[ \t]*(.*))?$/s.exec(bare(line)) ?? []
  if (name !== option) return undefined
  return { isActive: mark === '', value: equals === undefined ? undefined : value }
}

/** The lines of a section, without its head: from `start` to before `end`. undefined: it is not there. */
function findSection(lines: readonly string[], section: string | undefined) {
  const head = section === undefined ? -1 : lines.findIndex(line => line.startsWith(`[${section}]`))
  if (section !== undefined && head < 0) return undefined
  const next = lines.findIndex((line, i) => i > head && isHead(line))
  return { start: head + 1, end: next < 0 ? lines.length : next }
}

class Section {
  said = 'OK'
  readonly lines: string[]
  readonly #args: IniArgs
  /** Lines that hold one of the values already. */
  readonly #done = new Set<number>()
  constructor(args: IniArgs, lines: readonly string[]) {
    this.#args = args
    this.lines = [...lines]
  }

  render(value: string | undefined): string {
    const { option, no_extra_spaces } = this.#args
    if (value === undefined) return `${option}\n`
    return no_extra_spaces ? `${option}=${value}\n` : `${option} = ${value}\n`
  }

  #find(i: number, isCommentedToo: boolean): Found | undefined {
    if (this.#done.has(i)) return undefined
    const found = parseOption(this.lines[i]!, this.#args.option!)
    return found?.isActive || isCommentedToo ? found : undefined
  }

  #put(i: number, value: string | undefined): void {
    const now = parseOption(this.lines[i]!, this.#args.option!)
    const isSame = this.#args.ignore_spaces && now?.isActive && now.value === value
    const line = isSame ? this.lines[i]! : this.render(value)
    if (this.lines[i] !== line) this.said = 'option changed'
    this.lines[i] = line
    this.#done.add(i)
  }

  /** Values that a line has already, then those that take the place of another, then those that are new. */
  present(values: readonly (string | undefined)[]): void {
    const { exclusive, modify_inactive_option } = this.#args
    const left = [...values]
    for (const i of this.lines.keys()) {
      const found = this.#find(i, modify_inactive_option)
      const at = found === undefined ? -1 : left.indexOf(found.value)
      if (at >= 0) this.#put(i, left.splice(at, 1)[0])
    }
    if (exclusive) {
      for (const i of this.lines.keys())
        if (left.length > 0 && this.#find(i, modify_inactive_option)) this.#put(i, left.shift())
      this.#remove(modify_inactive_option, () => true)
    }
    this.#insert(left)
  }

  /** Behind the last line that is neither blank nor a comment. */
  #insert(values: readonly (string | undefined)[]): void {
    if (values.length === 0) return
    const last = this.lines.findLastIndex(line => !/^[ \t]*(?:[#;].*)?[\r\n]*$/.test(line))
    this.lines.splice(last + 1, 0, ...values.map(value => this.render(value)))
    this.said = 'option added'
  }

  absent(values: readonly (string | undefined)[]): void {
    this.#remove(false, found => this.#args.exclusive || values.includes(found.value))
  }

  #remove(isCommentedToo: boolean, test: (found: Found) => boolean): void {
    const kept = this.lines.filter((_, i) => {
      const found = this.#find(i, isCommentedToo)
      return found === undefined || !test(found)
    })
    if (kept.length < this.lines.length) this.said = 'option changed'
    this.lines.splice(0, this.lines.length, ...kept)
  }
}

/** The text without a byte order mark, every line ended. */
function parseLines(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').match(/[^\n]*\n|[^\n]+$/g) ?? []
  return lines.map(line => (line.endsWith('\n') ? line : `${line}\n`))
}

function edit(args: IniArgs, text: string, values: readonly (string | undefined)[]): Edited {
  const edited = editLines(args, parseLines(text), values)
  // An empty file gets an empty line before what is put into it.
  return text !== '' || edited.text === '' ? edited : { ...edited, text: `\n${edited.text}` }
}

function editLines(args: IniArgs, lines: string[], values: readonly (string | undefined)[]): Edited {
  const place = findSection(lines, args.section || undefined)
  if (place === undefined)
    return args.state === 'absent' ? { text: lines.join(''), value: 'OK' } : append(args, lines, values)
  if (args.option === undefined) {
    if (args.state === 'present' || args.section === undefined) return { text: lines.join(''), value: 'OK' }
    lines.splice(place.start - 1, place.end - place.start + 1)
    return { text: lines.join(''), value: 'section removed' }
  }
  const section = new Section(args, lines.slice(place.start, place.end))
  if (args.state === 'present') section.present(values)
  else section.absent(values)
  lines.splice(place.start, place.end - place.start, ...section.lines)
  return { text: lines.join(''), value: section.said }
}

function append(args: IniArgs, lines: readonly string[], values: readonly (string | undefined)[]): Edited {
  const section = new Section(args, [])
  const made = args.option === undefined ? [] : values.map(value => section.render(value))
  return {
    text: [...lines, `[${args.section}]\n`, ...made].join(''),
    value: args.option === undefined ? 'only section added' : 'section and option added',
  }
}

/** The texts of `value` and `values`. Throws E_PARAMS for what is no text. */
function givenOf({ value, values }: IniArgs): readonly Text[] {
  if (value !== undefined) return [value]
  const list = values === undefined ? [] : Array.isArray(values) ? values : [values]
  return list.map(one => {
    if (one instanceof Secret) return one
    if (typeof one === 'object' && one !== null)
      throw problem('E_PARAMS', 'ini_file: values holds something that is no text', {
        hint: 'values is a list of texts',
      })
    return String(one)
  })
}

function change({ args }: EditInput<IniArgs>, before: FileState) {
  if (before.kind === 'absent' && args.state === 'absent' && args.create)
    return { after: before, message: 'OK' }
  requireFile(before, args.create)
  return wantEdit(before, args, givenOf(args), (text, ...given) => {
    const isBare = given.length === 0 && args.allow_no_value
    return edit(args, text, isBare ? [undefined] : given)
  })
}

export const iniFile = defineState<typeof params, FileState, EditInput<IniArgs>>({
  name: 'ini_file',
  summary: 'Set or remove options and sections of an INI file, leaving all else as it is.',
  notes: ['A value that is secret makes the whole content of the file secret: it is not shown by --diff.'],
  params,
  rules: { mutuallyExclusive: [['value', 'values']] },
  returns: {
    msg: { doc: 'What was done, or `OK`.' },
    path: { doc: 'The file.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
  },
  examples: `
- name: How many connections
  community.general.ini_file: { path: /etc/panel/panel.ini, section: database, option: pool, value: '20', mode: '0640' }
`,
  prepare(t, args) {
    const isValueNeeded = args.state === 'present' && args.option !== undefined && !args.allow_no_value
    if (isValueNeeded && givenOf(args).length === 0)
      throw problem('E_PARAMS', "No value set, but 'allow_no_value' is not set", {
        hint: 'give value, or set allow_no_value: true',
      })
    return prepareEdit(t, args)
  },
  ...editing<IniArgs>(change, givenOf, ({ create }) => create),
  result(input, before, after) {
    const msg = change(input, before).message
    return { ...editResult(before, after, msg), msg }
  },
})
