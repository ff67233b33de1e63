import type { Raw } from './distribution.ts'

/** `ansible_local`: each `NAME.fact` as JSON, or as an INI file; what is neither says so, as in Ansible. */
export function renderLocal(raw: Raw): Record<string, unknown> {
  const entries = Object.entries(raw)
    .filter(([name]) => name.startsWith('local_'))
    .map(([name, text]) => [name.slice('local_'.length), parseFact(name, text)] as const)
  return { local: Object.fromEntries(entries) }
}

/** `STATUS TEXT`, as the script gives it. */
function parseFact(name: string, answer: string): unknown {
  const at = answer.indexOf(' ')
  const [status, text] = [answer.slice(0, at), answer.slice(at + 1)]
  const file = `${name.slice('local_'.length)}.fact`
  if (status === 'gone') return `Could not stat fact (${text}): it is a link to nothing`
  if (status !== '0') return `Failure executing fact script (${file}), rc: ${status}, err: ${text}`
  try {
    return JSON.parse(text)
  } catch {
    return parseIni(text) ?? `error loading facts as JSON or ini - please check content: ${file}`
  }
}

/** Sections of `name = value` or `name: value`; names in lower case, as Python's ConfigParser has them. */
function parseIni(text: string): Record<string, Record<string, string>> | undefined {
  const sections: Record<string, Record<string, string>> = {}
  let section: Record<string, string> | undefined
  for (const line of text.split('\n').map(each => each.trim())) {
    if (line === '' || /^[#;]/.test(line)) continue
    const [, title] = /^\[(.+)\]$/.exec(line) ?? []
    const [, name, value] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(line) ?? []
    if (title !== undefined) {
      section = {}
      sections[title] = section
    } else if (section && name !== undefined) section[name.toLowerCase()] = value!
    else return undefined
  }
  return Object.keys(sections).length > 0 ? sections : undefined
}
