import { readdirSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { problem, RotaError } from '../core/error.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { passBadInput } from './bad-input.ts'
import { searchPath } from './host-vars.ts'
import { findFile } from './operator.ts'
import { createOptions, requireOption } from './options.ts'
import { failedBy, fromOutcome, type TaskResult } from './result.ts'

/** `include_vars`: variables of a file, or of all files of a folder, for the host from now on; under one name with `name`. */
export function includeVars(act: Act, args: Dict): TaskResult {
  try {
    return readVars(act, args)
  } catch (error) {
    passBadInput(error)
    const failed = failedBy(error, act.at)
    const isMissing =
      !args.has('dir') && error instanceof RotaError && ['E_FILE', 'E_PARAMS'].includes(error.code)
    // Ansible's failure of this module says why under `message`.
    const message = `${isMissing ? 'Could not find file: ' : ''}${failed.message}`
    return { ...failed, values: new Map(failed.values).set('message', message) }
  }
}

function readVars(act: Act, args: Dict): TaskResult {
  const options = createOptions('include_vars', args, act.step.node.task)
  const file = options.takeText('file', '_raw')?.trim()
  const dir = options.takeText('dir')
  const name = options.takeText('name')
  const merges = options.takeText('hash_behaviour') === 'merge'
  const choice: Choice = {
    extensions: readExtensions(options.take('extensions')),
    ignoresOthers: options.take('ignore_unknown_extensions') === true,
    depth: Number(options.takeText('depth') ?? 0) || Number.POSITIVE_INFINITY,
    matching: options.takeText('files_matching'),
    ignored: options.takeList('ignore_files'),
  }
  options.refuseRest()
  const files =
    dir === undefined
      ? [findFile('vars', requireOption('include_vars', 'file', file, act.at), folders(act), act.at)]
      : selectFiles(findFile('vars', dir, folders(act), act.at), choice, act)
  const read = new Map(files.flatMap(path => [...act.run.deps.loadVarsFile(path).values]))
  const values = merges ? mergeInto(act, read) : read
  const facts = name === undefined ? values : new Map<string, Value>([[name, values]])
  const outcome = fromOutcome({ changed: false, values: { ansible_included_var_files: files }, facts }, false)
  return { ...outcome, factsKind: 'include_vars' }
}

interface Choice {
  /** Without the dot; '' for names without one. */
  readonly extensions: readonly string[]
  readonly ignoresOthers: boolean
  readonly depth: number
  readonly matching: string | undefined
  readonly ignored: readonly string[]
}

function readExtensions(given: Value | undefined): readonly string[] {
  if (given === undefined || given === null) return ['yaml', 'yml', 'json']
  return Array.isArray(given) ? (given as readonly Value[]).map(String) : String(given).split(',')
}

/** Throws E_PARAMS for a file that has none of the extensions, unless those are to be left out. */
function selectFiles(folder: string, choice: Choice, act: Act): string[] {
  const { extensions, ignored, matching } = choice
  const found = listFolder(folder, choice.depth)
    .filter(path => matching === undefined || new RegExp(matching).test(path))
    .filter(path => !ignored.some(each => path.endsWith(`/${each}`)))
  const isKnown = (path: string): boolean => extensions.includes(extname(path).slice(1))
  const unknown = found.find(path => !isKnown(path))
  if (unknown !== undefined && !choice.ignoresOthers && matching === undefined)
    throw problem('E_PARAMS', `${unknown} does not have a valid extension: ${extensions.join(', ')}`, {
      at: act.at,
      hint: 'add it to extensions, or set ignore_unknown_extensions: true',
    })
  return found.filter(isKnown)
}

/** Mappings are added to what the host has under their names, at every depth. */
function mergeInto(act: Act, values: ReadonlyMap<string, Value>): Map<string, Value> {
  const merge = (old: Value | undefined, value: Value): Value => {
    if (!isDict(old) || !isDict(value)) return value
    const merged = new Map<Value, Value>(old)
    for (const [key, member] of value) merged.set(key, merge(merged.get(key), member))
    return merged
  }
  return new Map([...values].map(([name, value]) => [name, merge(act.scope.get(name), value)]))
}

function folders(act: Act): string[] {
  return searchPath(act.run, act.step.node.keywords)
}

/** Files of a folder and of those below it, by name. Throws E_FILE when it cannot be read. */
export function listFolder(folder: string, depth: number): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(entry => {
        const path = resolve(join(folder, entry.name))
        if (!entry.isDirectory()) return [path]
        return depth > 1 ? listFolder(path, depth - 1) : []
      })
  } catch (cause) {
    throw problem('E_FILE', `cannot read the folder ${folder}`, {
      hint: 'check the path and its mode',
      cause,
    })
  }
}
