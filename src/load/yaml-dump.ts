import { isDict, type Value } from '../core/value.ts'
import { escapeOf, type ScalarText, scalarText, stylesOf, type TextStyles } from './yaml-style.ts'

/** How YAML is written. */
export interface YamlStyle {
  /** Blanks a level; 2 to 9. */
  readonly indent: number
  /** Lists and mappings that hold only scalars stand in one line: `[1, 2]`. */
  readonly isFlow: boolean
  readonly sortKeys: boolean
  /** For people: text of several lines is written as a `|` block, without what cannot be seen. */
  readonly asBlocks: boolean
  /** Column after which a line is folded. */
  readonly width: number
}

/** What `to_yaml` has in Ansible. `to_nice_yaml` has indent 4 and no flow. */
const toYaml: YamlStyle = { indent: 2, isFlow: true, sortKeys: true, asBlocks: false, width: 80 }

/**
 * Writes a value as PyYAML's dump does, by the algorithm of its Emitter (MIT), without anchors: what is there twice is
 * written twice. Throws SecretTouched when the value holds a Secret.
 */
export function dumpYaml(value: Value, style: Partial<YamlStyle> = {}): string {
  return new Emitter({ ...toYaml, ...style }).dump(value)
}

const isContainer = (value: Value): boolean => Array.isArray(value) || isDict(value)

class Emitter {
  readonly #style: YamlStyle
  #out = ''
  #column = 0
  #isAfterSpace = true
  #isIndention = true
  #indent = -1
  #flowLevel = 0

  constructor(style: YamlStyle) {
    this.#style = style
  }

  dump(value: Value): string {
    const isPlain = this.#node(value, { isMapping: false, isKey: false }) === 'plain'
    this.#writeIndent()
    if (isPlain) this.#out += '...\n'
    return this.#out
  }

  #node(value: Value, context: { readonly isMapping: boolean; readonly isKey: boolean }): 'plain' | 'other' {
    if (Array.isArray(value)) this.#list(value as readonly Value[], context.isMapping)
    else if (isDict(value)) this.#dict([...this.#entries(value)], value)
    else return this.#scalar(scalarText(value), context.isKey)
    return 'other'
  }

  #entries(value: ReadonlyMap<Value, Value>): readonly (readonly [Value, Value])[] {
    const entries = [...value]
    const kinds = new Set(entries.map(([key]) => typeof key))
    if (!this.#style.sortKeys || kinds.size > 1) return entries
    return entries.sort(([a], [b]) => compare(a, b))
  }

  #isInFlow(members: readonly Value[]): boolean {
    if (this.#flowLevel > 0 || members.length === 0) return true
    return this.#style.isFlow && !members.some(isContainer)
  }

  #list(items: readonly Value[], isMapping: boolean): void {
    if (this.#isInFlow(items)) {
      this.#flow('[', ']', items, item => this.#node(item, { isMapping: false, isKey: false }))
      return
    }
    const before = this.#indent
    if (!(isMapping && !this.#isIndention))
      this.#indent = Math.max(0, before < 0 ? 0 : before + this.#style.indent)
    for (const item of items) {
      this.#writeIndent()
      this.#sign('-', true, false, true)
      this.#node(item, { isMapping: false, isKey: false })
    }
    this.#indent = before
  }

  #dict(entries: readonly (readonly [Value, Value])[], dict: ReadonlyMap<Value, Value>): void {
    if (this.#isInFlow([...dict.values()])) {
      this.#flow('{', '}', entries, entry => this.#flowEntry(entry))
      return
    }
    const before = this.#indent
    this.#indent = before < 0 ? 0 : before + this.#style.indent
    for (const [key, value] of entries) {
      this.#writeIndent()
      if (isSimpleKey(key)) {
        this.#node(key, { isMapping: true, isKey: true })
        this.#sign(':', false)
      } else {
        this.#sign('?', true, false, true)
        this.#node(key, { isMapping: true, isKey: false })
        this.#writeIndent()
        this.#sign(':', true, false, true)
      }
      this.#node(value, { isMapping: true, isKey: false })
    }
    this.#indent = before
  }

  #flow<T>(open: string, close: string, items: readonly T[], write: (item: T) => void): void {
    this.#sign(open, true, true)
    this.#flowLevel++
    const before = this.#indent
    this.#indent = before < 0 ? this.#style.indent : before + this.#style.indent
    for (const [index, item] of items.entries()) {
      if (index > 0) this.#sign(',', false)
      if (this.#column > this.#style.width) this.#writeIndent()
      write(item)
    }
    this.#indent = before
    this.#flowLevel--
    this.#sign(close, false)
  }

  #flowEntry([key, value]: readonly [Value, Value]): void {
    const isSimple = isSimpleKey(key)
    if (!isSimple) this.#sign('?', true)
    this.#node(key, { isMapping: true, isKey: isSimple })
    if (!isSimple && this.#column > this.#style.width) this.#writeIndent()
    this.#sign(':', !isSimple)
    this.#node(value, { isMapping: true, isKey: false })
  }

  #scalar({ text, isTyped }: ScalarText, isKey: boolean): 'plain' | 'other' {
    const before = this.#indent
    this.#indent = Math.max(0, before) + this.#style.indent
    const written = this.#scalarIn(text, isTyped, isKey)
    this.#indent = before
    return written
  }

  #scalarIn(text: string, isTyped: boolean, isKey: boolean): 'plain' | 'other' {
    const styles = stylesOf(text)
    if (!isTyped && this.#mayBePlain(styles, isKey)) {
      this.#plain(text, !isKey)
      return 'plain'
    }
    if (this.#style.asBlocks && styles.isMultiline && !isKey && this.#flowLevel === 0) {
      this.#block(text)
      return 'other'
    }
    if (styles.inSingleQuotes && !(isKey && styles.isMultiline)) this.#singleQuoted(text, !isKey)
    else this.#doubleQuoted(text, !isKey)
    return 'other'
  }

  #mayBePlain(styles: TextStyles, isKey: boolean): boolean {
    if (isKey && (styles.isEmpty || styles.isMultiline)) return false
    return this.#flowLevel > 0 ? styles.inFlow : styles.inBlock
  }

  #plain(text: string, mayFold: boolean): void {
    if (text === '') return
    if (!this.#isAfterSpace) this.#write(' ')
    this.#isAfterSpace = false
    this.#isIndention = false
    for (const part of text.match(/ +|[^ ]+/g) ?? [])
      if (part === ' ' && this.#column > this.#style.width && mayFold) this.#fold()
      else this.#write(part)
  }

  /** What no block can hold, blanks at the ends of lines and signs that are not shown, is left out. */
  #block(text: string): void {
    const shown = expandTabs(text)
      .replace(/[^\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/gu, '')
      .replace(/ +(?=\n|$)/g, '')
      .trimEnd()
    this.#sign(`|${/^[ \n]/.test(shown) ? this.#style.indent : ''}-`, true)
    for (const line of shown.split('\n')) {
      this.#lineBreak('\n')
      if (line !== '') this.#write(' '.repeat(Math.max(0, this.#indent)) + line)
    }
    this.#isIndention = false
    this.#isAfterSpace = false
  }

  #singleQuoted(text: string, mayFold: boolean): void {
    this.#sign("'", true)
    let at = 0
    for (const part of text.match(/ +|[\n\x85\u2028\u2029]+|[^ \n\x85\u2028\u2029]+/g) ?? []) {
      const isInner = at > 0 && at + part.length < text.length
      at += part.length
      if (part === ' ' && this.#column > this.#style.width && mayFold && isInner) this.#writeIndent()
      else if (/^[\n\x85\u2028\u2029]/.test(part)) {
        if (part.startsWith('\n')) this.#lineBreak('\n')
        for (const end of part) this.#lineBreak(end)
        this.#writeIndent()
      } else this.#write(part.replaceAll("'", "''"))
    }
    this.#sign("'", false)
  }

  #doubleQuoted(text: string, mayFold: boolean): void {
    const chars = [...text]
    this.#sign('"', true)
    let pending = ''
    for (const [at, char] of chars.entries()) {
      const escaped = escapeOf(char)
      if (escaped !== undefined) {
        this.#write(pending + escaped)
        pending = ''
      }
      const isInner = at > 0 && at < chars.length - 1 && (char === ' ' || pending === '')
      const reach = escaped === undefined ? pending.length : -1
      if (isInner && this.#column + reach > this.#style.width && mayFold) {
        this.#write(`${pending}\\`)
        pending = ''
        this.#fold()
        if ((escaped === undefined ? char : chars[at + 1]) === ' ') this.#write('\\')
      }
      if (escaped === undefined) pending += char
    }
    this.#write(pending)
    this.#sign('"', false)
  }

  #fold(): void {
    this.#writeIndent()
    this.#isAfterSpace = false
    this.#isIndention = false
  }

  #sign(sign: string, needsSpace: boolean, isSpace = false, isIndention = false): void {
    this.#write(this.#isAfterSpace || !needsSpace ? sign : ` ${sign}`)
    this.#isAfterSpace = isSpace
    this.#isIndention = this.#isIndention && isIndention
  }

  #writeIndent(): void {
    const indent = Math.max(0, this.#indent)
    if (!this.#isIndention || this.#column > indent || (this.#column === indent && !this.#isAfterSpace))
      this.#lineBreak('\n')
    if (this.#column < indent) {
      this.#isAfterSpace = true
      this.#write(' '.repeat(indent - this.#column))
    }
  }

  #lineBreak(end: string): void {
    this.#out += end
    this.#column = 0
    this.#isAfterSpace = true
    this.#isIndention = true
  }

  #write(text: string): void {
    this.#out += text
    this.#column += [...text].length
  }
}

/** Tabs as blanks up to columns of eight. */
function expandTabs(text: string): string {
  return text.replace(/[^\n\t]*\t/g, (part, at: number) => {
    const column = at - (text.lastIndexOf('\n', at) + 1)
    return part.slice(0, -1) + ' '.repeat(8 - ((column + part.length - 1) % 8))
  })
}

/** By code points, as Python compares; numbers by size. */
function compare(a: Value, b: Value): number {
  if (typeof a !== 'string' || typeof b !== 'string') return Number(a) - Number(b)
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** A key that fits before `: ` in one line. Its tag counts in PyYAML's limit of 128. */
function isSimpleKey(key: Value): boolean {
  if (isContainer(key))
    return (Array.isArray(key) ? key.length : (key as ReadonlyMap<Value, Value>).size) === 0
  const { text } = scalarText(key)
  const styles = stylesOf(text)
  return !styles.isEmpty && !styles.isMultiline && text.length + '!!str'.length < 128
}
