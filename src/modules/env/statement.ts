/** One NAME=value of an env file. Offsets are into the file's text. */
export interface Statement {
  readonly name: string
  /** What the program that reads the file gets; undefined when that depends on more than the file. */
  readonly value: string | undefined
  /** Why `value` is undefined. */
  readonly why?: string
  /** Where the statement begins, with `export` and indentation. */
  readonly start: number
  /** The value as written, with its quotes. */
  readonly rawStart: number
  readonly rawEnd: number
  /** After the line end. */
  readonly end: number
}

/** A line that the dialect's reader takes for an error or would run. */
export interface Unreadable {
  readonly offset: number
  readonly why: string
}
export interface Parsed {
  readonly statements: readonly Statement[]
  readonly unreadable: readonly Unreadable[]
}

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

/** The offset after the line that `offset` is in. */
export function afterLine(text: string, offset: number): number {
  const found = text.indexOf('\n', offset)
  return found < 0 ? text.length : found + 1
}
