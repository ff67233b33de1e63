import { resolve } from 'node:path'
import { problem } from '../core/error.ts'
import { isDict, toTemplate, type Value } from '../core/value.ts'
import { parseFreeText } from '../load/free-text.ts'
import { loadVarsFile } from '../load/vars-file.ts'
import type { Vault } from '../load/vault.ts'
import { parseYaml } from '../load/yaml.ts'

const FLAG = '--extra-vars'

/**
 * All `-e` flags as variables, later ones on top: `@file`, YAML or JSON (`{k: v}`, `k: v`), or `k=v k2="v 2"` whose values are
 * texts. Throws E_VARS, E_FILE, E_YAML.
 */
export function parseExtraVars(flags: readonly string[], vault?: Vault): ReadonlyMap<string, Value> {
  return new Map(flags.flatMap(flag => [...parseOne(flag, vault)]))
}

function parseOne(flag: string, vault: Vault | undefined): ReadonlyMap<string, Value> {
  const text = flag.trim()
  if (text.startsWith('@')) return loadVarsFile(resolve(text.slice(1)), { vault }).values
  if (/^[{[]|^[\w.]+:(?:\s|$)/.test(text)) {
    const { value } = parseYaml(text, FLAG, { vault })
    if (isDict(value)) return new Map([...value].map(([key, member]) => [String(key), member]))
    throw problem('E_VARS', `${FLAG} takes a mapping, not a list`, {
      hint: `write ${FLAG} '{"name": "value"}'`,
    })
  }
  const parsed = parseFreeText(text, () => true)
  if (parsed === undefined || parsed.rest.trim() !== '')
    throw problem('E_VARS', `${FLAG} does not understand "${parsed?.rest.trim() ?? text}"`, {
      hint: `write ${FLAG} name=value, ${FLAG} '{"name": "value"}' or ${FLAG} @file.yml`,
    })
  return new Map(
    [...parsed.options].map(([name, value]) => [name, toTemplate(value, { file: FLAG, line: 1, col: 1 })]),
  )
}
