import { pythonEscapes } from '../../core/python-escapes.ts'
import { Fault } from '../fault.ts'
import { floatOf, intOf, type Py } from '../python/kinds.ts'

const simple: Readonly<Record<string, string>> = { ...pythonEscapes, '\n': '', "'": "'", '"': '"' }

/** The escapes of a Python string literal. Unknown ones stay as they are. */
export function unescapeLiteral(text: string, line: number): string {
  if (!text.includes('\\')) return text
  return text.replace(
    /\\([0-7]{1,3}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[\s\S])/g,
    (all, code: string) => {
      const plain = simple[code]
      if (plain !== undefined) return plain
      if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8))
      if (!/^[xuU]/.test(code)) return all
      const point = Number.parseInt(code.slice(1), 16)
      if (Number.isNaN(point) || point > 0x10ffff)
        throw new Fault('syntax', `the escape \\${code} is cut short or out of range`, { line })
      return String.fromCodePoint(point)
    },
  )
}

/** A number literal, `1_000`, `0x1f`, `2.5e-3`: an int or float of Python's. */
export function parseNumber(literal: string): Py {
  const digits = literal.replaceAll('_', '').toLowerCase()
  if (!/^0[box]/.test(digits) && /[.e]/.test(digits)) return floatOf(Number(digits))
  return intOf(BigInt(digits))
}
