/** A place in a file of the user's. Lines and columns count from 1; columns are UTF-16 units. */
export interface Source {
  readonly file: string
  readonly line: number
  readonly col: number
}

/** `file:line:col`, the form that editors and terminals make clickable. */
export function renderSource(at: Source): string {
  return `${at.file}:${at.line}:${at.col}`
}
