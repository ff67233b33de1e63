import type { Raw } from './distribution.ts'

/** `ansible_local`: each `NAME.fact` as JSON, or as an INI file; what is neither says so, as in Ansible. */
export function renderLocal(raw: Raw, folder: string): Record<string, unknown> {
  const entries = Object.entries(raw)
    .filter(([name]) => name.startsWith('local_'))
    .map(
      ([name, text]) =>
        [
          name.slice('local_'.length),
          parseFact(`${folder}/${name.slice('local_'.length)}.fact`, text),
        ] as const,
    )
  return { local: Object.fromEntries(entries) }
}

/** `STATUS TEXT`, as the script gives it; of a link that leads nowhere the status is `dead`. */
function parseFact(file: string, answer: string): unknown {
  const at = answer.indexOf(' ')
  const [status, text] = [answer.slice(0, at), answer.slice(at + 1)]
  if (status === 'dead')
    return `Could not stat fact (${file}): [Errno 2] No such file or directory: '${file}'`
  if (status !== '0') return `Failure executing fact script (${file}), rc: ${status}, err: ${text}`
  if (text.trim() === '') return {}
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
