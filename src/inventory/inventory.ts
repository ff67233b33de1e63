import { accessSync, constants, readdirSync, type Stats, statSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { isVaultText } from '../core/ansible-text.ts'
import { problem, RotaError } from '../core/error.ts'
import { isDict, type Value } from '../core/value.ts'
import type { Inventory, InventoryGroup, InventoryHost } from '../core/vars.ts'
import { loadText } from '../load/text-file.ts'
import { openVaultText, type Vault } from '../load/vault.ts'
import { parseYaml, type YamlDocument } from '../load/yaml.ts'
import { Construction, type Evaluator, isConstructed } from './constructed.ts'
import { InventoryDraft } from './draft.ts'
import { HostLayers } from './host-layers.ts'
import { parseHostEntry } from './host-range.ts'
import { readIni } from './ini.ts'
import { runScript } from './script.ts'
import { readTree } from './tree.ts'

export interface InventoryOptions {
  readonly vault?: Vault | undefined
  /** Folders of the playbooks: their group_vars and host_vars win over the inventory's. */
  readonly playbookFolders?: readonly string[]
  /** For sources of the plugin constructed. */
  readonly evaluator?: () => Promise<Evaluator>
  readonly extraVars?: ReadonlyMap<string, Value> | undefined
  /** What becomes of the name of a group; by default it stays. */
  readonly nameGroup?: ((name: string) => string) | undefined
}

/** Endings of files in an inventory folder that are no inventories: Ansible's INVENTORY_IGNORE_EXTS. */
const ignored = /(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.ini|\.cfg|\.retry)$/
const trees = ['.yml', '.yaml', '.json']

/**
 * Reads inventories: INI, YAML and TOML files, folders of them, executable scripts, and lists with a comma (`web1,web2,`); with
 * group_vars and host_vars beside them and beside the playbooks. Several sources add up; the later wins.
 * Throws E_FILE, E_YAML, E_INVENTORY, E_VARS and E_VAULT with every problem of the first source that has any.
 */
export async function loadInventory(
  sources: readonly string[],
  options: InventoryOptions = {},
): Promise<Inventory> {
  const draft = new InventoryDraft()
  for (const source of sources) await readSource(source, draft, options)
  if (options.nameGroup) draft.renameGroups(options.nameGroup)
  draft.settle()
  await construct(draft, sources, options)
  if (options.nameGroup && draft.constructed.length > 0) draft.renameGroups(options.nameGroup)
  return finish(draft, sources, options)
}

/** Each constructed source sees what those before it made. */
async function construct(
  draft: InventoryDraft,
  sources: readonly string[],
  options: InventoryOptions,
): Promise<void> {
  if (draft.constructed.length === 0) return
  const evaluator = await options.evaluator?.()
  if (!evaluator)
    throw problem('E_INVENTORY', 'an inventory of the plugin constructed cannot be evaluated here', {
      at: draft.constructed[0]!.at([]),
      hint: 'save what it makes: rota inventory --list',
    })
  for (const doc of draft.constructed) {
    const construction = new Construction(doc, draft, evaluator, options.extraVars)
    const vars = layersOf(draft, sources, options)
    for (const host of [...draft.hosts.keys()]) construction.apply(host, vars.hostOf(host).layers)
    draft.settle()
  }
}

function layersOf(
  draft: InventoryDraft,
  sources: readonly string[],
  { playbookFolders = [], vault }: InventoryOptions,
): HostLayers {
  return new HostLayers(draft, { inventory: foldersOf(sources), playbook: playbookFolders }, vault)
}

async function readSource(source: string, draft: InventoryDraft, options: InventoryOptions): Promise<void> {
  const stats = statOf(source)
  if (stats === undefined && source.includes(',')) readHostList(source, draft)
  else if (stats?.isDirectory()) {
    for (const name of readdirSync(source).sort())
      if (isInventoryEntry(name)) await readSource(join(source, name), draft, options)
  } else if (isScript(source)) await runScript(source, draft)
  else await readFile(source, draft, options)
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}

function isInventoryEntry(name: string): boolean {
  return !name.startsWith('.') && !ignored.test(name) && name !== 'group_vars' && name !== 'host_vars'
}

function readHostList(source: string, draft: InventoryDraft): void {
  for (const entry of source.split(',').map(text => text.trim())) {
    if (entry === '') continue
    const { names, port } = parseHostEntry(entry, undefined)
    for (const host of names) {
      draft.addHost(host, 'ungrouped')
      if (port !== undefined) draft.setHostVar(host, 'ansible_port', port, source)
    }
  }
}

/** A program: it may be executed, and begins as one (a mount that marks every file executable makes none of them a script). */
function isScript(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return loadText(path).startsWith('#!')
  } catch {
    return false
  }
}

async function readFile(file: string, draft: InventoryDraft, options: InventoryOptions): Promise<void> {
  const raw = loadText(file)
  if (raw.startsWith('#!'))
    throw problem('E_INVENTORY', `${file} is a script, and may not be executed`, { hint: `chmod +x ${file}` })
  if (isVaultText(raw)) draft.secretSources.set(file, options.vault)
  const text = isVaultText(raw) ? openVaultText(raw, file, options.vault) : raw
  if (extname(file) === '.toml') {
    const { parseToml } = await import('./toml.ts')
    readTree(parseToml(text, file), draft)
    return
  }
  const doc = parseTree(text, file, options.vault)
  if (doc && isConstructed(doc)) draft.constructed.push(doc)
  else if (doc) readTree(doc, draft)
  else readIni(text, file, draft)
}

/** A file by its ending; a file without one is YAML when it reads as a mapping, else INI. */
function parseTree(text: string, file: string, vault: Vault | undefined): YamlDocument | undefined {
  if (trees.includes(extname(file))) return parseYaml(text, file, { vault })
  if (extname(file) !== '' || /^\s*\[/m.test(text)) return undefined
  const isMarked = /^---/m.test(text)
  try {
    const doc = parseYaml(text, file, { vault })
    return isMarked || isDict(doc.value) ? doc : undefined
  } catch (error) {
    if (isMarked || !(error instanceof RotaError) || error.code === 'E_VAULT') throw error
    return undefined
  }
}

/** Folders whose group_vars and host_vars belong to the sources: the folder itself, or the one a file is in. */
function foldersOf(sources: readonly string[]): string[] {
  return sources.flatMap(source => {
    const stats = statOf(source)
    return stats === undefined ? [] : [stats.isDirectory() ? source : dirname(source)]
  })
}

function finish(draft: InventoryDraft, sources: readonly string[], options: InventoryOptions): Inventory {
  const vars = layersOf(draft, sources, options)
  const groups = new Map<string, InventoryGroup>(
    [...draft.groups.values()].map(({ name, hosts, children, priority }) => [
      name,
      { name, hosts: [...hosts], children: [...children], priority },
    ]),
  )
  const hosts = new Map<string, InventoryHost>([...draft.hosts.keys()].map(host => [host, vars.hostOf(host)]))
  const layersOfOthers = {
    group: (name: string) => vars.layersOfGroup(name),
    host: (name: string) => vars.layersOfHost(name),
  }
  return { hosts, groups, sources, localhost: vars.localhost(), layersOf: layersOfOthers }
}
