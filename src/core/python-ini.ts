/** One setting of an INI file. */
export interface IniEntry {
  readonly section: string
  /** As written. */
  readonly key: string
  /** undefined: the key stands alone. */
  readonly value: string | undefined
  /** From 1. */
  readonly line: number
  readonly col: number
}

export interface IniRules {
  /** ` ;` begins a comment behind a value, as in ansible.cfg. */
  readonly hasInlineComments?: boolean
  readonly allowNoValue?: boolean
  readonly isCaseSensitive?: boolean
}

/**
 * Reads INI text as Python's ConfigParser does: `=` or `:`, `#` and `;` begin a comment line, a line that is indented deeper goes
 * on with the value before it. `refuse` is told of a line that is none of these and of a key that is there twice; it throws.
 */
export function parseIni(
  text: string,
  rules: IniRules,
  refuse: (why: string, line: number, col: number) => never,
): { readonly sections: ReadonlySet<string>; readonly entries: readonly IniEntry[] } {
  const entries: IniEntry[] = []
  const sections = new Set<string>()
  const fold = (key: string): string => (rules.isCaseSensitive ? key : key.toLowerCase())
  /** Where each key of each section stands. */
  const lines = new Map<string, Map<string, number>>()
  let section: string | undefined
  /** Where the key stands whose value may go on. */
  let indent = Number.POSITIVE_INFINITY
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const body = (rules.hasInlineComments ? raw.replace(/(^|\s);.*$/, '') : raw).trim()
    if (body === '' || /^[#;]/.test(body)) continue
    const [line, col] = [index + 1, raw.search(/\S/) + 1]
    if (col > indent) {
      const before = entries.pop()!
      entries.push({ ...before, value: `${before.value ?? ''}\n${body}`.trim() })
      continue
    }
    const heading = /^\[(.+)\]$/.exec(body)?.[1]
    indent = heading === undefined ? col : Number.POSITIVE_INFINITY
    if (heading !== undefined) {
      section = heading
      sections.add(heading)
      continue
    }
    if (section === undefined) return refuse('a setting stands before the first [section]', line, col)
    const entry = parseEntry(body, { section, line, col }, rules)
    if (entry === undefined) return refuse(`this is neither a [section] nor a setting: ${body}`, line, col)
    const key = fold(entry.key)
    const seen = lines.get(section) ?? new Map<string, number>()
    lines.set(section, seen)
    const first = seen.get(key)
    // Playbooks and roles look for Python's words.
    if (first !== undefined)
      return refuse(`Duplicate option in [${section}]: ${key} stands in line ${first} already`, line, col)
    seen.set(key, line)
    entries.push(entry)
  }
  return { sections, entries }
}

function parseEntry(
  text: string,
  at: Pick<IniEntry, 'section' | 'line' | 'col'>,
  { allowNoValue = false }: IniRules,
): IniEntry | undefined {
  const [, key, value] = /^([^=:]+?)\s*(?:[=:]\s*(.*))?$/s.exec(text) ?? []
  return key === undefined || (value === undefined && !allowNoValue) ? undefined : { ...at, key, value }
}
