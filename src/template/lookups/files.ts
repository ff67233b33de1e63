import { spawnSync } from 'node:child_process'
import { basename, isAbsolute, join } from 'node:path'
import { isVaultText } from '../../core/ansible-text.ts'
import { Secret } from '../../core/secret.ts'
import { type FolderKind, findFile, readText, searchFolders } from '../compile/loader.ts'
import type { Runtime } from '../compile/runtime.ts'
import { hideTemplate, type Session } from '../compile/session.ts'
import { Fault, runtimeFault } from '../fault.ts'
import { expandHome } from '../filters/path.ts'
import { dataOf } from '../python/data.ts'
import { member } from '../python/equality.ts'
import { isDict, isList, isText, type Py, Undefined } from '../python/kinds.ts'
import { isTrue } from '../python/order.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { splitLines, strip } from '../python/text-split.ts'
import type { SyntaxOptions } from '../syntax/rules.ts'
import { matchFiles } from './glob.ts'
import { type LookupSet, termText } from './lookup.ts'

/** The path of a file of the operator's machine. Faults naming the folders that were searched. */
export function needFile(session: Session, kind: FolderKind, name: string): string {
  const found = findFile(session, kind, expandHome(name))
  if (found !== undefined) return found
  throw new Fault(
    'notFound',
    `could not find the file '${name}': No such file or directory (looked in ${searchFolders(session, kind).join(', ') || 'no folder'})`,
  )
}
function fileText(term: Py, options: Args, { session }: Runtime): Py {
  const path = needFile(session, 'files', termText(term))
  const text = readText(session, path)
  const isVault = isVaultText(text)
  const plain = isVault ? openVault(session, text, path) : text
  const stripped = options.flag('rstrip') ? strip(plain, null, 'right') : plain
  const content = options.flag('lstrip') ? strip(stripped, null, 'left') : stripped
  return isVault ? new Secret(content, basename(path)) : content
}
function openVault({ world }: Session, armored: string, path: string): string {
  if (world.openVault) return world.openVault(armored, path)
  throw runtimeFault(`${path} is in a vault, and nothing here opens vaults`)
}
function globbed(term: Py, { session }: Runtime): readonly Py[] {
  const pattern = expandHome(termText(term))
  if (isAbsolute(pattern)) return matchFiles(pattern)
  for (const folder of searchFolders(session, 'files')) {
    const found = matchFiles(join(folder, pattern))
    if (found.length > 0) return found
  }
  return []
}

/** Longest output of a command, in bytes, and longest time it may take, in milliseconds. */
const MOST_OUTPUT = 64 * 1024 * 1024
const LONGEST_COMMAND_MS = 10 * 60_000
/** What a command on the operator's machine prints; its failure is a fault. */
function commandOutput(term: Py, { session }: Runtime): string {
  const command = termText(term)
  const folder = session.variable('playbook_dir')
  const done = session.meter.outsideTheClock(() =>
    spawnSync('/bin/sh', ['-c', command], {
      encoding: 'utf8',
      maxBuffer: MOST_OUTPUT,
      timeout: LONGEST_COMMAND_MS,
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(typeof folder === 'string' ? { cwd: folder } : {}),
    }),
  )
  if (done.error) throw runtimeFault(`the command could not be run: ${done.error.message}`)
  if (done.status !== 0)
    throw runtimeFault(`the command ended with ${done.status ?? done.signal}: ${command}`)
  return done.stdout
}

const markers: Readonly<Record<string, keyof SyntaxOptions>> = {
  variable_start_string: 'variableStart',
  variable_end_string: 'variableEnd',
  comment_start_string: 'commentStart',
  comment_end_string: 'commentEnd',
}
/** A template file's text; a text that is a list or dict in YAML becomes one, unless convert_data is off. */
function rendered(term: Py, options: Args, runtime: Runtime): Py {
  const { session } = runtime
  const path = needFile(session, 'templates', termText(term))
  const syntax: Partial<SyntaxOptions> = Object.fromEntries(
    Object.entries(markers)
      .filter(([name]) => options.has(name))
      .map(([name, option]) => [option, options.text(name)]),
  )
  const extra = options.value('template_vars')
  const source = readText(session, path)
  const isVault = isVaultText(source)
  const render = (plain: string): Py =>
    session.compiler
      .fileTemplate(plain, path, syntax)
      .renderText(session, { file: path, line: 1, col: 1 }, name =>
        isDict(extra) ? member(extra, name) : undefined,
      )
  const text = isVault
    ? hideTemplate(basename(path), () => render(openVault(session, source, path)))
    : render(source)
  if (isVault || !options.flag('convert_data') || !isText(text) || !/^\s*[[{]/.test(toText(text))) return text
  try {
    const data = dataOf(session.world.parseYaml(toText(text), path))
    return isList(data) || isDict(data) ? data : text
  } catch {
    return text
  }
}

interface Wanted {
  readonly files: readonly string[]
  readonly paths: readonly string[]
  readonly skip: boolean
}
function names(value: Py | undefined): readonly string[] {
  if (value === undefined || value === null) return []
  if (value instanceof Undefined) value.fail()
  if (isText(value))
    return toText(value)
      .split(/[,;:]/)
      .filter(name => name !== '')
  if (!isList(value)) throw runtimeFault('first_found takes lists of files and paths')
  return value.flatMap(name => (isList(name) ? names(name) : [termText(name)]))
}
function wantedOf(term: Py): Wanted[] {
  if (term instanceof Undefined) term.fail()
  if (isList(term)) return term.flatMap(wantedOf)
  if (!isDict(term)) return [{ files: [termText(term)], paths: [], skip: false }]
  const skip = member(term, 'skip')
  return [
    {
      files: names(member(term, 'files')),
      paths: names(member(term, 'paths')),
      skip: skip !== undefined && isTrue(skip),
    },
  ]
}
/** The first of the files that is there: in the given paths, or where files, vars and templates are looked for. */
function firstFound(terms: readonly Py[], options: Args, { session }: Runtime): readonly Py[] {
  const named: Wanted = {
    files: names(options.raw('files')),
    paths: names(options.raw('paths')),
    skip: options.flag('skip'),
  }
  const wanted = [...wantedOf(terms), ...(named.files.length > 0 ? [named] : [])]
  for (const { files, paths } of wanted)
    for (const name of paths.length > 0 ? paths.flatMap(path => files.map(file => join(path, file))) : files)
      for (const kind of ['files', 'vars', 'templates'] as const) {
        const found = findFile(session, kind, expandHome(name))
        if (found !== undefined) return [found]
      }
  if (named.skip || wanted.some(({ skip }) => skip)) return []
  throw runtimeFault(
    `No file was found when using first_found (${wanted.flatMap(({ files }) => files).join(', ')})`,
  )
}

/** Lookups that read files or run commands on the operator's machine. */
export const fileLookups: LookupSet = {
  file: {
    takes: 'rstrip=true, lstrip=false',
    run: (terms, options, runtime) => terms.map(term => fileText(term, options, runtime)),
  },
  unvault: {
    takes: 'rstrip=false, lstrip=false',
    run: (terms, options, runtime) => terms.map(term => fileText(term, options, runtime)),
  },
  fileglob: { takes: '', run: (terms, _options, runtime) => terms.flatMap(term => globbed(term, runtime)) },
  first_found: { takes: 'files=null, paths=null, skip=false', run: firstFound },
  pipe: {
    takes: '',
    run: (terms, _options, runtime) => terms.map(term => commandOutput(term, runtime).trimEnd()),
  },
  lines: {
    takes: '',
    run: (terms, _options, runtime) => terms.flatMap(term => splitLines(commandOutput(term, runtime))),
  },
  template: {
    takes: `convert_data=true, template_vars={}, ${Object.keys(markers)
      .map(name => `${name}=null`)
      .join(', ')}`,
    run: (terms, options, runtime) => terms.map(term => rendered(term, options, runtime)),
  },
}
