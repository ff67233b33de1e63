import { readdirSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { Dict, Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { searchPath } from './host-vars.ts'
import { findFile } from './operator.ts'
import { createOptions, requireOption } from './options.ts'
import { fromOutcome, type TaskResult } from './result.ts'

/** `include_vars`: variables of a file, or of all files of a folder, for the host from now on; under one name with `name`. */
export function includeVars(act: Act, args: Dict): TaskResult {
  const options = createOptions('include_vars', args, act.step.node.task)
  const file = options.takeText('file', '_raw')
  const dir = options.takeText('dir')
  const name = options.takeText('name')
  const extensions = options.takeList('extensions')
  const depth = Number(options.takeText('depth') ?? 0)
  const matching = options.takeText('files_matching')
  const ignored = options.takeList('ignore_files')
  options.refuseRest()
  const files =
    dir === undefined
      ? [findFile('vars', requireOption('include_vars', 'file', file, act.at), folders(act), act.at)]
      : listFolder(findFile('vars', dir, folders(act), act.at), depth > 0 ? depth : Number.POSITIVE_INFINITY)
          .filter(path => hasExtension(path, extensions))
          .filter(path => matching === undefined || new RegExp(matching).test(path))
          .filter(path => !ignored.some(each => path.endsWith(`/${each}`)))
  const values = new Map(files.flatMap(path => [...act.run.deps.loadVarsFile(path).values]))
  const facts = name === undefined ? values : new Map<string, Value>([[name, values]])
  const outcome = fromOutcome({ changed: false, values: { ansible_included_var_files: files }, facts }, false)
  return { ...outcome, factsKind: 'include_vars' }
}

function folders(act: Act): string[] {
  return searchPath(act.run, act.step.node.keywords)
}

function hasExtension(path: string, extensions: readonly string[]): boolean {
  const wanted = extensions.length > 0 ? extensions : ['yml', 'yaml', 'json']
  return wanted.includes(extname(path).slice(1))
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
