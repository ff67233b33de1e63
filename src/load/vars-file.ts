import { isVaultText } from '../core/ansible-text.ts'
import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { isDict, type Value } from '../core/value.ts'
import { renderKind } from './problem.ts'
import { loadText } from './text-file.ts'
import { openVaultText, type Vault } from './vault.ts'
import { parseYaml } from './yaml.ts'

/** Variables of a file, and where each is defined. */
export interface VarsFile {
  readonly values: ReadonlyMap<string, Value>
  readonly at: ReadonlyMap<string, Source>
}

export interface VarsFileOptions {
  readonly vault?: Vault | undefined
  /** Where the file is named. */
  readonly at?: Source | undefined
}

/**
 * Reads a file of variables: YAML or JSON with a mapping at the top, or a list of them; an empty file has none. In a file that is a vault as a
 * whole every text is a Secret, and templates render to Secrets. Throws E_FILE, E_YAML, E_VARS and E_VAULT.
 */
export function loadVarsFile(file: string, options: VarsFileOptions = {}): VarsFile {
  const text = loadText(file, options.at)
  const isVault = isVaultText(text)
  const plain = isVault ? openVaultText(text, file, options.vault) : text
  return parseVars(plain, file, { vault: options.vault, secret: isVault })
}

/** The same from text; with `secret` every text is a Secret. */
function parseVars(
  text: string,
  file: string,
  options: { readonly vault?: Vault | undefined; readonly secret?: boolean } = {},
): VarsFile {
  const doc = parseYaml(text, file, options)
  const top = doc.value ?? new Map()
  const dicts = Array.isArray(top) && top.length > 0 ? (top as readonly Value[]) : [top]
  if (!dicts.every(isDict))
    throw problem('E_VARS', `a file of variables is a mapping, and this is ${renderKind(top)}`, {
      at: doc.at([]),
      hint: 'write NAME: value',
    })
  const values = new Map(dicts.flatMap(dict => [...dict]).map(([key, value]) => [String(key), value]))
  const at = new Map(dicts.flatMap(dict => [...dict.keys()].map(key => [String(key), doc.keyAt(dict, key)])))
  return { values, at }
}
