import { readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Layer, Rank } from '../core/vars.ts'
import { loadVarsFile } from '../load/vars-file.ts'
import type { Vault } from '../load/vault.ts'

const endings = ['', '.yml', '.yaml', '.json']

/** The group_vars or host_vars folder at one place. Reads each file once, and only those of names that are asked for. */
export class VarsFolder {
  readonly #path: string
  readonly #vault: Vault | undefined
  readonly #entries: ReadonlySet<string>
  readonly #layers = new Map<string, readonly Layer[]>()

  constructor(path: string, vault: Vault | undefined) {
    this.#path = path
    this.#vault = vault
    this.#entries = new Set(entriesOf(path))
  }

  /**
   * The variables for a host or group: NAME, NAME.yml, NAME.yaml or NAME.json, the first that exists; all files of it, by
   * name, when it is a folder. Throws as loadVarsFile does.
   */
  layersFor(name: string, rank: Rank): readonly Layer[] {
    let layers = this.#layers.get(name)
    if (layers === undefined) {
      const entry = endings.map(ending => name + ending).find(file => this.#entries.has(file))
      const files = entry === undefined ? [] : filesOf(join(this.#path, entry))
      layers = files.map(file => ({ rank, from: file, ...loadVarsFile(file, { vault: this.#vault }) }))
      this.#layers.set(name, layers)
    }
    return layers
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw error
  }
}

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return entriesOf(path)
    .filter(name => !name.startsWith('.') && !name.endsWith('~'))
    .sort()
    .flatMap(name => {
      const inner = join(path, name)
      if (statSync(inner).isDirectory()) return extname(name) === '' ? filesOf(inner) : []
      return endings.includes(extname(name)) ? [inner] : []
    })
}
