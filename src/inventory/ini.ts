import { type ErrorCode, type Problem, RotaError } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { toTemplate, type Value } from '../core/value.ts'
import { selectNearest } from '../load/problem.ts'
import type { InventoryDraft } from './draft.ts'
import { parseHostEntry } from './host-range.ts'
import { parsePythonLiteral } from './python-literal.ts'

type SectionKind = 'hosts' | 'vars' | 'children'
interface Section {
  readonly name: string
  readonly kind: SectionKind
}
const kinds: readonly string[] = ['hosts', 'vars', 'children']

/**
 * Reads an INI inventory into the draft. Values are typed by Python's literals, as in Ansible; text with braces becomes a
 * Template. Throws one RotaError E_INVENTORY with every problem of the file.
 */
export function readIni(text: string, file: string, draft: InventoryDraft): void {
  new IniReader(file, draft).read(text)
}

class IniReader {
  readonly #file: string
  readonly #draft: InventoryDraft
  readonly #problems: Problem[] = []
  /** Sections that speak of a group which a later line has to declare. */
  readonly #pending: { readonly section: Section; readonly child?: string; readonly at: Source }[] = []
  readonly #declared = new Set(['all', 'ungrouped'])
  #section: Section = { name: 'ungrouped', kind: 'hosts' }

  constructor(file: string, draft: InventoryDraft) {
    this.#file = file
    this.#draft = draft
    for (const name of draft.groups.keys()) this.#declared.add(name)
  }

  read(text: string): void {
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
      const line = raw.trim()
      if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
      this.#line(line, { file: this.#file, line: index + 1, col: raw.search(/\S/) + 1 })
    }
    for (const pending of this.#pending) this.#checkDeclared(pending)
    if (this.#problems.length > 0) throw new RotaError(this.#problems)
  }

  #line(line: string, at: Source): void {
    const header = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/.exec(line)
    if (header) this.#open(header[1]!, header[2] ?? 'hosts', at)
    else if (line.startsWith('[') && !/^\[[^\]]*:/.test(line))
      this.#say(`${line} is no section`, at, 'write [group]')
    else if (this.#section.kind === 'hosts') this.#host(line, at)
    else if (this.#section.kind === 'vars') this.#variable(line, at)
    else this.#child(line, at)
  }

  #open(name: string, kind: string, at: Source): void {
    if (!kinds.includes(kind)) {
      const near = selectNearest(kind, kinds)
      this.#say(`there is no section [${name}:${kind}]`, at, `write [${name}:${near ?? 'vars'}]`)
      return
    }
    this.#section = { name, kind: kind as SectionKind }
    if (kind === 'vars') this.#pending.push({ section: this.#section, at })
    else this.#declare(name)
  }

  #declare(name: string): void {
    this.#declared.add(name)
    this.#draft.group(name)
  }

  #host(line: string, at: Source): void {
    const words = splitWords(line)
    if (words === undefined) {
      this.#say('a quote is not closed', at, 'close it')
      return
    }
    const [pattern, ...pairs] = words
    try {
      const { names, port } = parseHostEntry(pattern!.text, at)
      for (const host of names) {
        this.#draft.addHost(host, this.#section.name)
        if (port !== undefined) this.#draft.setHostVar(host, 'ansible_port', port, this.#file, at)
      }
      for (const pair of pairs) this.#hostVar(names, pair.text, { ...at, col: at.col + pair.start })
    } catch (error) {
      if (!(error instanceof RotaError)) throw error
      this.#problems.push(...error.problems)
    }
  }

  #hostVar(names: readonly string[], pair: string, at: Source): void {
    const [, name, text] = /^([^=]+)=(.*)$/s.exec(pair) ?? []
    if (name === undefined) {
      this.#say(`${pair} is no variable`, at, 'write NAME=VALUE; quote a value that holds spaces')
      return
    }
    const value = typed(text!, at)
    for (const host of names) this.#draft.setHostVar(host, name, value, this.#file, at)
  }

  #variable(line: string, at: Source): void {
    const [, name, text] = /^([^=]*?)\s*=\s*(.*)$/s.exec(line) ?? []
    if (name === undefined || name === '') {
      this.#say('this is no variable', at, 'write NAME=VALUE')
      return
    }
    this.#draft.setGroupVar(this.#section.name, name, typed(text!, at), this.#file, at)
  }

  #child(line: string, at: Source): void {
    const child = line.replace(/\s+#.*$/, '')
    const parent = this.#section.name
    this.#pending.push({ section: this.#section, child, at })
    if (!this.#draft.canBeChild(parent, child))
      this.#say(`${child} cannot be a child of ${parent}: it is above it`, at, 'remove one of the two')
    else this.#draft.group(parent).children.add(child)
  }

  /** A group that only [x:vars] or a list of children names is a slip. */
  #checkDeclared({ section, child, at }: { section: Section; child?: string; at: Source }): void {
    const name = child ?? section.name
    if (this.#declared.has(name)) return
    const near = selectNearest(name, [...this.#declared])
    this.#say(
      child === undefined
        ? `[${name}:vars] is for a group that does not exist`
        : `${section.name} has a child ${name} that does not exist`,
      at,
      near ? `did you mean ${near}?` : `add a section [${name}]`,
    )
  }

  #say(message: string, at: Source, hint: string): void {
    const code: ErrorCode = 'E_INVENTORY'
    this.#problems.push({ code, message, at, hint })
  }
}

function typed(text: string, at: Source): Value {
  const literal = parsePythonLiteral(text)
  const value = literal === undefined ? text : literal
  return typeof value === 'string' ? toTemplate(value, at) : value
}

interface Word {
  readonly text: string
  readonly start: number
}

/** Words of a host line by the rules of Python's shlex in POSIX mode, with comments. Undefined: a quote is not closed. */
function splitWords(line: string): Word[] | undefined {
  const words: Word[] = []
  const piece = /\s+|#.*|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s#'"\\]+)/y
  let word: { text: string; start: number } | undefined
  while (piece.lastIndex < line.length) {
    const start = piece.lastIndex
    const match = piece.exec(line)
    if (match === null) return undefined
    const [whole, single, double, escaped, plain] = match
    if (/^[\s#]/.test(whole)) {
      if (word) words.push(word)
      word = undefined
      continue
    }
    word ??= { text: '', start }
    word.text += single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? plain ?? ''
  }
  return word ? [...words, word] : words
}
