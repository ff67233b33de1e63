import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { problem } from '../core/error.ts'
import { fromValue, holdsSecret, isDict, toValue, type Value } from '../core/value.ts'
import type { FactCache } from '../run/deps.ts'
import type { ConfigValues } from './config.ts'

/** Ansible's default for `fact_caching_timeout`. */
const DAY_S = 86_400

/**
 * Facts that outlive the run: with `fact_caching = jsonfile` one file a host in the folder `fact_caching_connection`, as Ansible's
 * jsonfile writes them. undefined: facts live as long as the run. Throws E_CONFIG for another plugin and without a folder.
 */
export function createFactCache(config: ConfigValues, now: () => Date): FactCache | undefined {
  const plugin = (config.factCaching ?? 'memory').replace(/^ansible\.builtin\./, '')
  if (plugin === 'memory') return undefined
  if (plugin !== 'jsonfile')
    throw problem('E_CONFIG', `rota cannot cache facts with the plugin ${plugin}`, {
      hint: 'write fact_caching = jsonfile, or remove it',
    })
  const folder = config.factCachingConnection
  if (folder === undefined)
    throw problem('E_CONFIG', 'fact_caching = jsonfile needs a folder', {
      hint: 'write fact_caching_connection = FOLDER',
    })
  const timeoutS = config.factCachingTimeout ?? DAY_S
  const fileOf = (host: string): string =>
    join(folder, `${config.factCachingPrefix ?? ''}${host.replaceAll('/', '_')}`)
  const isFresh = (file: string): boolean =>
    timeoutS === 0 || now().getTime() - statSync(file).mtimeMs <= 1000 * timeoutS
  return {
    load(host) {
      const file = fileOf(host)
      try {
        return isFresh(file) ? factsOf(JSON.parse(readFileSync(file, 'utf8'))) : undefined
      } catch {
        // No file, or none that holds facts: they are gathered anew.
        return undefined
      }
    },
    save(host, facts) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const plain = Object.fromEntries(
        [...facts]
          .filter(([, value]) => !holdsSecret(value))
          .map(([name, value]) => [name, fromValue(value)]),
      )
      writeFileSync(fileOf(host), `${JSON.stringify(plain, undefined, 4)}\n`, { mode: 0o600 })
    },
    drop: host => rmSync(fileOf(host), { force: true }),
  }
}

function factsOf(read: unknown): ReadonlyMap<string, Value> | undefined {
  const facts = toValue(read)
  return isDict(facts) ? new Map([...facts].map(([name, value]) => [String(name), value])) : undefined
}
