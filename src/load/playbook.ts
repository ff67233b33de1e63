import { dirname, join } from 'node:path'
import { isVaultText } from '../core/ansible-text.ts'
import { problem } from '../core/error.ts'
import type { Registry } from '../core/module.ts'
import type { ImportPlaybook, Item, Play, Playbook } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import { shortName } from './engine-modules.ts'
import { readFields } from './fields.ts'
import { type Place, readItems } from './items.ts'
import { renderKind } from './problem.ts'
import { Reader } from './reader.ts'
import { readRotation } from './rotation.ts'
import { loadText, throwAll } from './text-file.ts'
import { openVaultText, type Vault } from './vault.ts'
import { hideItem, hidePlay } from './vaulted.ts'
import { parseYaml } from './yaml.ts'

export interface LoadOptions {
  readonly registry: Registry
  /** Opens `!vault` values, and files that are a vault as a whole: nothing of what those do is shown (see vaulted.ts). */
  readonly vault?: Vault | undefined
}

/**
 * Reads a playbook. Nothing is rendered and no other file is opened: import_playbook stays an entry.
 * Throws one RotaError with every problem of the file, in order: E_FILE, E_YAML, E_VAULT, or E_PLAYBOOK, E_MODULE and
 * E_PARAMS mixed.
 */
export function loadPlaybook(file: string, options: LoadOptions): Playbook {
  options.registry.addLibrary?.(join(dirname(file), 'library'))
  return parsePlaybook(loadText(file), file, options)
}

/** The same from text; `file` is for messages. */
export function parsePlaybook(text: string, file: string, options: LoadOptions): Playbook {
  const { reader, list } = openList(
    text,
    file,
    options,
    'a playbook is a list of plays',
    'begin with `- hosts: all`',
  )
  if (list.length === 0)
    reader.say('A playbook must contain at least one play', reader.doc.at([]), 'begin with `- hosts: all`')
  const plays = list.flatMap((entry, index) => {
    const at = reader.doc.valueAt(list, index)
    if (isDict(entry)) return [readPlay(reader, entry, at)]
    reader.say(`a play is a mapping, not ${renderKind(entry)}`, at, 'begin with `- hosts: all`')
    return []
  })
  throwInOrder(reader)
  return { file, plays: isVaultText(text) ? plays.map(play => hidePlay(play, options.vault)) : plays }
}

/**
 * Reads a file of tasks (include_tasks, a role's tasks/ or handlers/). An empty file has no tasks. Missing options are left
 * to checkArgs at run time, since module_defaults of the play may give them. With `isHandlers` they may have
 * `listen`. Throws like loadPlaybook.
 */
export function loadTasks(
  file: string,
  options: LoadOptions & Pick<Place, 'isGuarded'> & { readonly isHandlers?: boolean; readonly at?: Source },
): readonly Item[] {
  const text = loadText(file, options.at)
  // Of a role: ROLE/tasks/main.yml.
  options.registry.addLibrary?.(join(dirname(dirname(file)), 'library'))
  const { reader, list } = openList(
    text,
    file,
    options,
    'a file of tasks is a list',
    'begin each task with `- `',
  )
  for (const [index, entry] of list.entries())
    if (!isDict(entry))
      reader.say(`a task is a mapping, not ${renderKind(entry)}`, reader.doc.valueAt(list, index))
    else if (entry.has('hosts') && !entry.has('block'))
      reader.say(
        'this is a play, and the file is included for its tasks',
        reader.doc.valueAt(list, index),
        'use import_playbook at the top of a playbook',
      )
  const items =
    reader.problems.length > 0
      ? []
      : readItems(reader, list, { ...options, isHandler: options.isHandlers === true, isComplete: false })
  throwInOrder(reader)
  return isVaultText(text) ? items.map(item => hideItem(item, options.vault)) : items
}

function openList(
  text: string,
  file: string,
  options: LoadOptions,
  say: string,
  hint: string,
): { readonly reader: Reader; readonly list: readonly Value[] } {
  const plain = isVaultText(text) ? openVaultText(text, file, options.vault) : text
  const doc = parseYaml(plain, file, { vault: options.vault })
  const { value } = doc
  if (value !== null && !Array.isArray(value))
    throw problem('E_PLAYBOOK', `${say}, and this is ${renderKind(value)}`, { at: doc.at([]), hint })
  return { reader: new Reader(doc, options.registry), list: (value ?? []) as readonly Value[] }
}

/** All problems by line: a person goes through the file from the top. */
function throwInOrder(reader: Reader): void {
  throwAll(
    reader.problems.toSorted((a, b) => (a.at && b.at ? a.at.line - b.at.line || a.at.col - b.at.col : 0)),
  )
}

function readPlay(reader: Reader, dict: Dict, at: Source): Play | ImportPlaybook {
  const importKey = [...dict.keys()].find(
    key => typeof key === 'string' && shortName(key) === 'import_playbook',
  )
  if (importKey !== undefined) return readImport(reader, dict, String(importKey), at)
  reader.checkKeywords(dict, 'play', at)
  checkHosts(reader, dict)
  checkPrompts(reader, dict)
  if (dict.has('user') && dict.has('remote_user'))
    reader.say(
      "both 'user' and 'remote_user' are set for this play",
      reader.doc.keyAt(dict, 'user'),
      'remove user',
    )
  const place: Place = { isHandler: false, isComplete: !dict.has('module_defaults') }
  const items = (key: string): Item[] => readItems(reader, dict.get(key), place)
  const rotation = readRotation(reader, dict, place)
  const { rotation: _, ...fields } = readFields(reader, dict, 'play')
  return {
    kind: 'play',
    hosts: dict.get('hosts') ?? '',
    ...fields,
    preTasks: items('pre_tasks'),
    tasks: items('tasks'),
    postTasks: items('post_tasks'),
    handlers: readItems(reader, dict.get('handlers'), { ...place, isHandler: true }),
    ...(rotation ? { rotation } : {}),
    valuesAt: new Map([...dict].map(([key, value]) => [String(key), placesOf(reader, dict, key, value)])),
    at,
  }
}

function placesOf({ doc }: Reader, dict: Dict, key: Value, value: Value): readonly Source[] {
  return Array.isArray(value) ? value.map((_, index) => doc.valueAt(value, index)) : [doc.valueAt(dict, key)]
}

/** No host is not every host. */
function checkHosts(reader: Reader, dict: Dict): void {
  const hosts = dict.get('hosts')
  const list = Array.isArray(hosts) ? (hosts as readonly Value[]) : [hosts ?? '-']
  if (list.length > 0 && list.every(each => each !== '' && each !== null)) return
  reader.say(
    'Hosts list cannot be empty. Please check your playbook',
    reader.doc.valueAt(dict, 'hosts'),
    'write hosts: all, or the name of a host or group',
  )
}

const promptKeys: readonly string[] = [
  ...['name', 'prompt', 'default', 'private', 'confirm'],
  ...['encrypt', 'salt', 'salt_size', 'unsafe'],
]

function checkPrompts(reader: Reader, dict: Dict): void {
  const prompts = dict.get('vars_prompt')
  const list = Array.isArray(prompts) ? (prompts as readonly Value[]) : []
  for (const [index, prompt] of list.entries()) {
    if (isDict(prompt) && !prompt.has('name'))
      reader.say(
        "Invalid vars_prompt data structure, missing 'name' key",
        reader.doc.valueAt(list, index),
        'add name: the variable that gets the answer',
      )
    for (const key of isDict(prompt) ? prompt.keys() : [])
      if (!promptKeys.includes(String(key)))
        reader.say(
          `Invalid vars_prompt data structure, found unsupported key '${String(key)}'`,
          reader.doc.keyAt(prompt, key),
          `known are: ${promptKeys.join(', ')}`,
        )
  }
}

function readImport(reader: Reader, dict: Dict, key: string, at: Source): ImportPlaybook {
  const plain = new Map([...dict].map(([name, value]) => [name === key ? 'import_playbook' : name, value]))
  reader.doc.copyPlaces(dict, plain)
  reader.checkKeywords(plain, 'import_playbook', at)
  const { importPlaybook, ...fields } = readFields(reader, plain, 'import_playbook')
  return { kind: 'import_playbook', ...fields, playbook: (importPlaybook as Value) ?? '', at }
}
