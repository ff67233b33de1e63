import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { problem } from '../core/error.ts'
import type { Operator } from '../core/module.ts'
import type { Source } from '../core/source.ts'
import { type Scope, Template, toValue } from '../core/value.ts'
import type { RunDeps } from './deps.ts'

/** What a task's module may ask of the operator's machine. `folders` are searched in order, nearest first. */
export function createOperator(
  deps: RunDeps,
  scope: Scope,
  folders: () => readonly string[],
  at: Source,
): Operator {
  return {
    scope,
    now: deps.now,
    random: deps.random,
    backupFolder: deps.backupFolder,
    seal: deps.seal,
    unseal: deps.unseal,
    find: (kind, path) => findFile(kind, path, folders(), at),
    render: value => deps.templar.render(value, scope),
    evaluate: value => (value instanceof Template ? deps.templar.evaluate(value, scope) : value),
    renderFile(text, file, extra = {}, options) {
      const more = toValue(extra) as ReadonlyMap<string, never>
      const inner: Scope = {
        get: name => more.get(name) ?? scope.get(name),
        names: () => new Set([...more.keys(), ...scope.names()]),
      }
      return deps.templar.renderFile(text, file, inner, options)
    },
  }
}

/**
 * Ansible's search: an absolute path as it is; else `FOLDER/kind/path`, then `FOLDER/path`, for each folder. Throws E_FILE
 * naming every place.
 */
export function findFile(
  kind: 'files' | 'templates' | 'tasks' | 'vars',
  path: string,
  folders: readonly string[],
  at: Source,
): string {
  const places = isAbsolute(path)
    ? [path]
    : [...new Set(folders.flatMap(folder => [join(folder, kind, path), join(folder, path)]))]
  const found = places.find(place => existsSync(place))
  if (found !== undefined) return found
  throw problem('E_FILE', `cannot find ${path}`, { at, hint: `looked for ${places.join(', ')}` })
}
