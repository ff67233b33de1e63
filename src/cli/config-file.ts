import { problem } from '../core/error.ts'
import { parseIni } from '../core/python-ini.ts'
import type { Source } from '../core/source.ts'

/** One `key = value` of an ini file. Section and key as Ansible names them; the key in lower case. */
export interface ConfigEntry {
  readonly section: string
  readonly key: string
  readonly value: string
  readonly at: Source
}

/** Reads ini text as Ansible reads ansible.cfg. Throws E_CONFIG for what is no setting and for a key that is there twice. */
export function parseConfigFile(text: string, file: string): readonly ConfigEntry[] {
  const { entries } = parseIni(text, { hasInlineComments: true }, (message, line, col) => {
    const hint = 'write [defaults], and below it lines like: forks = 20'
    throw problem('E_CONFIG', message, { at: { file, line, col }, hint })
  })
  return entries.map(({ section, key, value = '', line, col }) => {
    return { section, key: key.toLowerCase(), value, at: { file, line, col } }
  })
}
