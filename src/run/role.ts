import { existsSync, statSync } from 'node:fs'
import { basename, isAbsolute, join, relative, resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { Field, Item } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import type { Layer, Rank } from '../core/vars.ts'
import type { RunDeps, Settings } from './deps.ts'
import { listFolder } from './include-vars.ts'

/** Which file of each folder is read: `main`, or what tasks_from and the like say. */
export interface RoleFiles {
  readonly tasks: string
  readonly handlers: string
  readonly vars: string
  readonly defaults: string
}
export const mainFiles: RoleFiles = { tasks: 'main', handlers: 'main', vars: 'main', defaults: 'main' }

/** A role as its folder holds it. */
export interface Role {
  readonly name: string
  readonly path: string
  /** Read once for each answer; `isGuarded`: they are reached under a condition only. */
  tasks(isGuarded: boolean): readonly Item[]
  readonly handlers: readonly Item[]
  /** defaults/, vars/: of the ranks that they have. */
  readonly layers: readonly Layer[]
  readonly dependencies: readonly Field[]
  readonly allowsDuplicates: boolean
  /** Where it looks for other roles: the collection that it is in, then those that meta/ names. The play's are not its own. */
  readonly collections: readonly string[]
  /** meta/ says what arguments the role takes: a dict by entry point, which is the name of a file of tasks. */
  readonly argumentSpecs: Dict
}

/** Where else a role is looked for: beside another one, and in collections. */
export interface Near {
  readonly folders: readonly string[]
  readonly collections: readonly string[]
}

/**
 * Reads a role: by name from a collection, `roles/` beside the playbook, the roles path or beside the playbook itself, or by path. Throws E_FILE
 * when there is none, and for a file that was asked for by name and is not there.
 */
export function loadRole(
  deps: RunDeps,
  folder: string,
  name: string,
  files: RoleFiles,
  near: Near,
  at: Source,
): Role {
  const path = findRole(deps, folder, name, near, at)
  const find = (kind: string, file: string): string | undefined => findMain(path, kind, file, at)
  const tasks = find('tasks', files.tasks)
  const handlers = find('handlers', files.handlers)
  const meta = find('meta', 'main')
  const about = meta === undefined ? new Map<string, Value>() : deps.loadVarsFile(meta).values
  const dependencies = about.get('dependencies')
  const read = new Map<boolean, readonly Item[]>()
  const layer = (rank: Rank, place: string | undefined): Layer[] =>
    place === undefined ? [] : listVars(place).map(file => ({ rank, from: file, ...deps.loadVarsFile(file) }))
  return {
    name: isAbsolute(name) || isInCollection(name) ? basename(path) : name,
    path,
    tasks(isGuarded) {
      const items = read.get(isGuarded) ?? (tasks === undefined ? [] : deps.loadTasks(tasks, isGuarded))
      read.set(isGuarded, items)
      return items
    },
    handlers: handlers === undefined ? [] : deps.loadHandlers(handlers),
    layers: [
      ...layer('role defaults', find('defaults', files.defaults)),
      ...layer('role vars', find('vars', files.vars)),
    ],
    dependencies: Array.isArray(dependencies) ? (dependencies as readonly Field[]) : [],
    allowsDuplicates: about.get('allow_duplicates') === true,
    collections: [...collectionOf(path), ...namesIn(about.get('collections'))],
    argumentSpecs: readArgumentSpecs(deps, find('meta', 'argument_specs'), about),
  }
}

/** From a file of their own, or else from meta/main. */
function readArgumentSpecs(deps: RunDeps, file: string | undefined, about: ReadonlyMap<string, Value>): Dict {
  const specs = (file === undefined ? about : deps.loadVarsFile(file).values).get('argument_specs')
  return isDict(specs) ? specs : new Map()
}

function findRole(
  { settings }: RunDeps,
  folder: string,
  name: string,
  { folders, collections }: Near,
  at: Source,
): string {
  const bases = [join(folder, 'roles'), ...folders, ...(settings.rolesPath ?? []), folder]
  const names = [name, ...collections.map(collection => `${collection}.${name}`)]
  const places = isAbsolute(name)
    ? [name]
    : [
        ...names.flatMap(each => collectionPlaces(settings, folder, each)),
        ...bases.map(base => resolve(base, name)),
      ]
  const found = places.find(place => existsSync(place))
  if (found !== undefined) return found
  throw problem('E_FILE', `the role '${name}' was not found`, { at, hint: `looked for ${places.join(', ')}` })
}

/** `NAMESPACE.COLLECTION.ROLE` is a role of a collection. */
function isInCollection(name: string): boolean {
  return /^\w+\.\w+\.\w+$/.test(name)
}

function collectionPlaces({ collectionsPath = [] }: Settings, folder: string, name: string): string[] {
  if (!isInCollection(name)) return []
  const [space, collection, role] = name.split('.')
  return [join(folder, 'collections'), ...collectionsPath].map(base =>
    join(base, 'ansible_collections', space!, collection!, 'roles', role!),
  )
}

/** The collection that a role's folder is in, if it is in one. */
function collectionOf(path: string): string[] {
  const found = /\/ansible_collections\/(\w+)\/(\w+)\/roles\//.exec(path)
  return found ? [`${found[1]}.${found[2]}`] : []
}

/** The texts of a list; none of anything else. */
export function namesIn(value: Value | undefined): string[] {
  return Array.isArray(value) ? (value as readonly Value[]).filter(name => typeof name === 'string') : []
}

/** `main` need not be there; another name must. defaults/ and vars/ may have a folder of that name. */
function findMain(path: string, kind: string, file: string, at: Source): string | undefined {
  if (relative(join(path, kind), resolve(join(path, kind), file)).startsWith('..'))
    throw problem(
      'E_PLAYBOOK',
      `${file} cannot be used, as it is not inside the expected role path ${join(path, kind)}`,
      {
        at,
        hint: 'name a file of the role; for others use include_tasks',
      },
    )
  const found = ['', '.yml', '.yaml', '.json']
    .map(ending => join(path, kind, `${file}${ending}`))
    .find(each => existsSync(each))
  if (found !== undefined || file === 'main' || file === 'argument_specs') return found
  throw problem('E_FILE', `the role ${basename(path)} has no ${kind}/${file}`, {
    at,
    hint: `add ${join(path, kind, `${file}.yml`)}`,
  })
}

function listVars(place: string): string[] {
  return statSync(place).isDirectory() ? listFolder(place, Number.POSITIVE_INFINITY) : [place]
}
