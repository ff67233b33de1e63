import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { Target } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { fromValue, isDict, type Value } from '../core/value.ts'
import type { Content } from '../resources/file-want.ts'
import { mapText, type Text } from '../resources/secret-text.ts'
import { loadContent, loadFolder } from './local-files.ts'

/** One path to be made of a copy. */
export interface Item {
  /** Behind the destination; '' is the destination itself. */
  readonly relative: string
  readonly kind: 'file' | 'directory' | 'link'
  /** That of the original, for `mode: preserve`. */
  readonly sourceMode?: string
  readonly content?: Content
  readonly upload?: string | undefined
  readonly target?: string
  readonly sha1?: string
  readonly md5?: string
}

/** What `content` is as text: a dict or list as JSON, spaced as Python writes it. */
export function contentText(value: Value): Text {
  if (typeof value === 'string' || value instanceof Secret) return value
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (!isDict(value) && !Array.isArray(value)) return String(fromValue(value) ?? '')
  return mapText(secretsIn(value), (...plain) => renderJson(value, plain.values()))
}

function secretsIn(value: Value): readonly Secret[] {
  if (value instanceof Secret) return [value]
  if (Array.isArray(value)) return value.flatMap(secretsIn)
  return isDict(value) ? [...value.values()].flatMap(secretsIn) : []
}

/** JSON with the texts of its secrets, given in the order that `secretsIn` finds them. */
function renderJson(value: Value, secrets: Iterator<string>): string {
  if (value instanceof Secret) return JSON.stringify(secrets.next().value)
  if (Array.isArray(value)) return `[${value.map(one => renderJson(one, secrets)).join(', ')}]`
  if (!isDict(value)) return JSON.stringify(fromValue(value))
  const members = [...value].map(
    ([key, member]) => `${JSON.stringify(String(key))}: ${renderJson(member, secrets)}`,
  )
  return `{${members.join(', ')}}`
}

interface LocalSource {
  readonly items: readonly Item[]
  /** The source is a folder. */
  readonly isFolder: boolean
}

/** What is to be copied of a file or folder of the operator's. Throws E_FILE, E_VAULT, E_TASK. */
export async function loadItems(
  t: Target,
  src: string,
  options: { readonly isFollowed: boolean; readonly isDecrypted: boolean },
): Promise<LocalSource> {
  const found = t.operator.find('files', src.replace(/(?<=.)\/+$/, ''))
  if (!statSync(found).isDirectory())
    return { items: [await fileItem(t, found, '', undefined, options.isDecrypted)], isFolder: false }
  const inside = src.endsWith('/') ? '' : basename(found)
  const items: Item[] = []
  for (const { relative, kind, mode, path, target } of loadFolder(found, options.isFollowed)) {
    const at = [inside, relative].filter(part => part !== '').join('/')
    if (kind === 'file') items.push(await fileItem(t, path, at, mode, options.isDecrypted))
    else items.push({ relative: at, kind, sourceMode: mode, ...(target === undefined ? {} : { target }) })
  }
  return { items, isFolder: true }
}

const VAULT = '$ANSIBLE_VAULT;'

/** Of a big file only the beginning is read. */
function isVaultFile(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const head = Buffer.alloc(VAULT.length)
    return readSync(file, head) === head.length && head.toString('latin1') === VAULT
  } finally {
    closeSync(file)
  }
}

async function fileItem(
  t: Target,
  path: string,
  relative: string,
  mode: string | undefined,
  isDecrypted: boolean,
): Promise<Item> {
  const sourceMode = mode ?? (statSync(path).mode & 0o7777).toString(8).padStart(4, '0')
  if (isDecrypted && isVaultFile(path)) {
    const content = t.operator.openVault(readFileSync(path, 'latin1'), path)
    return { relative, kind: 'file', sourceMode, content }
  }
  const { content, upload, sha1, md5 } = await loadContent(path, t.undoable)
  return { relative, kind: 'file', sourceMode, content, upload, sha1, md5 }
}
