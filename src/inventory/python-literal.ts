import { pythonEscapes } from '../core/python-escapes.ts'
import { Float, floatOf, type Value } from '../core/value.ts'

const escapes: Readonly<Record<string, string>> = { ...pythonEscapes, "'": "'", '"': '"', '\n': '' }
const NUMBER =
  /(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9]+)?|[0-9](?:_?[0-9])*\.?(?:[eE][-+]?[0-9]+)?)(?![\w.])/y
const words: Readonly<Record<string, Value>> = { True: true, False: false, None: null }

/**
 * A Python literal as Ansible types the values of an INI inventory (ast.literal_eval): numbers, quoted text, True, False,
 * None, lists, tuples (as lists) and dicts. Undefined: it is none, so the text itself is the value.
 */
export function parsePythonLiteral(text: string): Value | undefined {
  const parser = new LiteralParser(text.replace(/^[ \t]+/, ''))
  const value = parser.parseTuple()
  return parser.isAtEnd() ? value : undefined
}

class LiteralParser {
  readonly #text: string
  #at = 0
  /** Within brackets line breaks are white space. */
  #depth = 0
  #failed = false

  constructor(text: string) {
    this.#text = text
  }

  isAtEnd(): boolean {
    this.#skip()
    return !this.#failed && this.#at >= this.#text.length
  }

  /** One value, or several with commas: a tuple without parentheses. */
  parseTuple(): Value {
    const first = this.#value()
    if (!this.#take(',')) return first
    const items = [first]
    while (!this.#failed && !this.isAtEnd() && !this.#peeks(')')) {
      items.push(this.#value())
      if (!this.#take(',')) break
    }
    return items
  }

  #value(): Value {
    this.#skip()
    const sign = this.#match(/[-+]/y)
    if (sign !== undefined) return this.#signed(sign)
    const char = this.#text[this.#at] ?? ''
    if (/[0-9.]/.test(char)) return this.#number()
    if (/^[uU]?["']/.test(this.#text.slice(this.#at, this.#at + 2))) return this.#strings()
    if (this.#take('[')) return this.#items(']')
    if (this.#take('(')) return this.#parenthesis()
    if (this.#take('{')) return this.#dict()
    const word = this.#match(/[A-Za-z]+/y) ?? ''
    return Object.hasOwn(words, word) ? words[word]! : this.#fail()
  }

  #signed(sign: string): Value {
    this.#skip()
    const value = this.#number()
    if (sign === '+') return value
    if (value instanceof Float) return new Float(-value.value)
    return typeof value === 'number' ? 0 - value : typeof value === 'bigint' ? -value : this.#fail()
  }

  #number(): Value {
    const text = this.#match(NUMBER)?.replaceAll('_', '')
    if (text === undefined || /^0[0-9]*[1-9][0-9]*$/.test(text)) return this.#fail()
    if (/[.eE]/.test(text) && !/^0[xX]/.test(text)) {
      const value = Number(text)
      return floatOf(value)
    }
    const value = BigInt(text)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  /** Quoted texts side by side are one. */
  #strings(): Value {
    let whole = ''
    do {
      const quoted = this.#match(/[uU]?(?:"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')/y)
      if (quoted === undefined) return this.#fail()
      whole += decodeEscapes(quoted.replace(/^[uU]/, '').slice(1, -1))
      this.#skip()
    } while (/^[uU]?["']/.test(this.#text.slice(this.#at, this.#at + 2)))
    return whole
  }

  #items(close: string): Value[] {
    this.#depth++
    const items: Value[] = []
    while (!this.#failed && !this.#take(close)) {
      items.push(this.#value())
      if (!this.#take(',') && !this.#peeks(close)) this.#fail()
    }
    this.#depth--
    return items
  }

  /** `()` and `(1,)` are tuples, `(1)` is 1. */
  #parenthesis(): Value {
    this.#depth++
    const value = this.#peeks(')') ? [] : this.parseTuple()
    if (!this.#take(')')) this.#fail()
    this.#depth--
    return value
  }

  #dict(): Value {
    this.#depth++
    const dict = new Map<Value, Value>()
    while (!this.#failed && !this.#take('}')) {
      const key = this.#value()
      if (!this.#take(':') || typeof key === 'object') this.#fail()
      dict.set(key, this.#value())
      if (!this.#take(',') && !this.#peeks('}')) this.#fail()
    }
    this.#depth--
    return dict
  }

  #fail(): null {
    this.#failed = true
    return null
  }
  #skip(): void {
    this.#match(this.#depth > 0 ? /(?:\s|#.*)+/y : /(?:[ \t\f]|#.*)+/y)
  }
  #peeks(text: string): boolean {
    this.#skip()
    return this.#text.startsWith(text, this.#at)
  }
  #take(text: string): boolean {
    if (this.#failed || !this.#peeks(text)) return false
    this.#at += text.length
    return true
  }
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }
}

function decodeEscapes(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (whole, byte?: string, short?: string, long?: string, octal?: string, char?: string) => {
      if (char !== undefined) return escapes[char] ?? whole
      const code =
        octal === undefined ? Number.parseInt(byte ?? short ?? long!, 16) : Number.parseInt(octal, 8)
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}
