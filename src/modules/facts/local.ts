import { parseIni } from '../../core/python-ini.ts'
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
    return parseSections(text) ?? `error loading facts as JSON or ini - please check content: ${file}`
  }
}

/** Names in lower case; undefined: it is no INI file. */
function parseSections(text: string): Record<string, Record<string, string>> | undefined {
  const made: Record<string, Record<string, string>> = {}
  try {
    const { sections, entries } = parseIni(text, {}, why => {
      throw new Error(why)
    })
    for (const section of sections) made[section] = {}
    for (const { section, key, value = '' } of entries) made[section]![key.toLowerCase()] = value
  } catch {
    return undefined
  }
  return Object.keys(made).length > 0 ? made : undefined
}
