import { problem, type RotaError } from '../core/error.ts'
import type { Source } from '../core/source.ts'

/** One `key = value` of an ini file. Section and key as Ansible names them; the key in lower case. */
export interface ConfigEntry {
  readonly section: string
  readonly key: string
  readonly value: string
  readonly at: Source
}

/**
 * Reads ini text as Ansible reads ansible.cfg (Python's configparser): `=` or `:`, `#` and `;` begin a comment line, ` ;` one
 * behind a value, a line that is indented deeper goes on with the value before it. Throws E_CONFIG for a line that is none of
 * these and for a key that is there twice.
 */
export function parseConfigFile(text: string, file: string): readonly ConfigEntry[] {
  const entries: ConfigEntry[] = []
  let section: string | undefined
  let last: { readonly indent: number } | undefined
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/(^|\s);.*$/, '').trimEnd()
    const body = line.trimStart()
    const indent = line.length - body.length
    const at = { file, line: index + 1, col: indent + 1 }
    if (body === '' || body.startsWith('#')) continue
    if (last !== undefined && indent > last.indent) {
      const before = entries.pop()!
      entries.push({ ...before, value: `${before.value}\n${body}`.trim() })
      continue
    }
    const heading = /^\[(.+)\]$/.exec(body)?.[1]
    if (heading !== undefined) {
      section = heading
      last = undefined
      continue
    }
    if (section === undefined) throw wrong('a setting stands before the first [section]', at)
    entries.push(parseEntry(body, section, at, entries))
    last = { indent }
  }
  return entries
}

function parseEntry(body: string, section: string, at: Source, before: readonly ConfigEntry[]): ConfigEntry {
  const [, name, value] = /^([^=:]+?)\s*[=:]\s*(.*)$/s.exec(body) ?? []
  if (name === undefined || value === undefined)
    throw wrong(`this is neither a [section] nor a setting: ${body}`, at)
  const key = name.toLowerCase()
  const first = before.find(entry => entry.section === section && entry.key === key)
  if (first) throw wrong(`[${section}] ${key} is here twice (first in line ${first.at.line})`, at)
  return { section, key, value, at }
}

function wrong(message: string, at: Source): RotaError {
  return problem('E_CONFIG', message, { at, hint: 'write [defaults], and below it lines like: forks = 20' })
}
