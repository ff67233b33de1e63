/** Ansible's mark above a job of its own. */
const MARK = '#Ansible: '

/** The name that a line marks; undefined for any other line. */
function markedName(line: string): string | undefined {
  return line.startsWith(MARK) ? line.slice(MARK.length).trimEnd() : undefined
}

export function parseTable(text: string): readonly string[] {
  return text.split('\n').filter((line, i, all) => i < all.length - 1 || line !== '')
}
export function renderTable(lines: readonly string[]): string {
  return lines.map(line => `${line}\n`).join('')
}

/** Names of all marked jobs. */
export function jobNames(lines: readonly string[]): readonly string[] {
  return lines.flatMap(line => markedName(line) ?? [])
}

/** Names of all variables that are set. */
export function variableNames(lines: readonly string[]): readonly string[] {
  return lines.flatMap(line => /^(\S+)=/.exec(line)?.[1] ?? [])
}

/** The table with the job under that name: in its place, or last. A job that stands there without a mark gets one. */
export function withJob(lines: readonly string[], name: string, job: string): readonly string[] {
  const at = lines.findIndex(line => markedName(line) === name)
  if (at >= 0) return [...lines.slice(0, at + 1), job, ...lines.slice(at + 2)]
  const unmarked = lines.findIndex((line, i) => line === job && markedName(lines[i - 1] ?? '') === undefined)
  if (unmarked >= 0) return [...lines.slice(0, unmarked), MARK + name, ...lines.slice(unmarked)]
  return [...lines, MARK + name, job]
}

export function withoutJob(lines: readonly string[], name: string): readonly string[] {
  const at = lines.findIndex(line => markedName(line) === name)
  return at < 0 ? lines : [...lines.slice(0, at), ...lines.slice(at + 2)]
}

const isSetting = (line: string, name: string): boolean => line.startsWith(`${name}=`)

/**
 * The table with that variable: in its place, else behind or before another, else first. undefined: there is no such other
 * variable.
 */
export function withVariable(
  lines: readonly string[],
  name: string,
  text: string,
  beside: { readonly after?: string | undefined; readonly before?: string | undefined },
): readonly string[] | undefined {
  const at = lines.findIndex(line => isSetting(line, name))
  if (at >= 0) return [...lines.slice(0, at), text, ...lines.slice(at + 1)]
  const other = beside.after ?? beside.before
  if (other === undefined) return [text, ...lines]
  const found = lines.findIndex(line => isSetting(line, other))
  if (found < 0) return undefined
  const place = beside.after === undefined ? found : found + 1
  return [...lines.slice(0, place), text, ...lines.slice(place)]
}

export function withoutVariable(lines: readonly string[], name: string): readonly string[] {
  return lines.filter(line => !isSetting(line, name))
}
