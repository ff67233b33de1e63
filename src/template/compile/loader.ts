import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { Fault } from '../fault.ts'
import { isList, isText, type Py, Undefined } from '../python/kinds.ts'
import { toText } from '../python/text.ts'
import { tainting } from '../taint.ts'
import type { CompiledTemplate } from './compiled-template.ts'
import type { Runtime } from './runtime.ts'
import type { Session } from './session.ts'

/** The kinds of folder in which Ansible looks, beside the plain one. */
export type FolderKind = 'files' | 'templates' | 'vars'

function folderVariable(session: Session, name: string): readonly string[] {
  const value = session.variable(name)
  if (value === undefined || value === null || value instanceof Undefined) return []
  return (isList(value) ? value : [value]).filter(isText).map(toText)
}

/**
 * Folders in which a file is looked for, first first: those of `ansible_search_path`, the role's and the playbook's;
 * in each the `kind` folder first.
 */
export function searchFolders(session: Session, kind: FolderKind): readonly string[] {
  const bases = ['ansible_search_path', 'role_path', 'playbook_dir'].flatMap(name =>
    folderVariable(session, name),
  )
  return [...new Set(bases.flatMap(base => [join(base, kind), base]))]
}

/** The path of a file of the operator's machine; undefined: it is in none of the folders. */
export function findFile(session: Session, kind: FolderKind, name: string): string | undefined {
  return findAmong(isAbsolute(name) ? [''] : searchFolders(session, kind), name)
}
function findAmong(folders: readonly string[], name: string): string | undefined {
  return folders
    .map(folder => (folder === '' ? name : join(folder, name)))
    .find(path => statSync(path, { throwIfNoEntry: false }) !== undefined)
}

/** Python's names of encodings that playbooks use, as Node has them. */
const encodings: Readonly<Record<string, BufferEncoding>> = {
  'iso8859-1': 'latin1',
  'iso-8859-1': 'latin1',
  'iso8859-15': 'latin1',
  'latin-1': 'latin1',
  latin1: 'latin1',
}

/** The text of a file, read once a session. Faults when it cannot be read. */
export function readText(session: Session, path: string, encoding = 'utf-8'): string {
  session.world.onFile?.(path)
  const coding = encodings[encoding.toLowerCase()]
  if (coding) return readFileSync(path).toString(coding)
  const known = session.files.get(path)
  if (known !== undefined) return known
  try {
    const text = session.meter.outsideTheClock(() => readFileSync(path, 'utf8'))
    session.files.set(path, text)
    return text
  } catch (error) {
    throw new Fault(
      'runtime',
      `cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
    )
  }
}

/** The template that `include`, `import` and `extends` name: beside the one that names it, or in the search folders. */
export function loadTemplate(runtime: Runtime, name: Py): CompiledTemplate {
  if (name instanceof Undefined) name.fail()
  const { session, origin } = runtime
  const path = tainting('the name of a template', [name], ([plain]) => toText(plain))
  if (typeof path !== 'string') throw new Fault('runtime', 'the name of a template cannot be a secret')
  const beside = origin && !isAbsolute(path) ? [dirname(origin.file)] : []
  const found = findAmong(beside, path) ?? findFile(session, 'templates', path)
  if (found === undefined) {
    const folders = [...beside, ...searchFolders(session, 'templates')].join(', ') || 'no folder'
    throw new Fault('notFound', `there is no template '${path}' (looked in ${folders})`)
  }
  return session.compiler.fileTemplate(readText(session, found), found)
}
