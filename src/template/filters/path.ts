import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { posix, win32 } from 'node:path'
import type { FilterSet } from '../compile/language.ts'
import { runtimeFault } from '../fault.ts'
import { matchFiles } from '../lookups/glob.ts'
import { isList, isText, type Py, tupleOf, typeName } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'

/** Python's os.path: the last part is empty after a trailing slash. */
function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
function dirname(path: string): string {
  const head = path.slice(0, path.lastIndexOf('/') + 1)
  return /^\/*$/.test(head) ? head : head.replace(/\/+$/, '')
}
function splitExtension(path: string): Py {
  const match = /^(.*?[^/.][^/]*)(\.[^./]*)$/s.exec(path) ?? /^((?:.*\/)?\.+[^/]+)(\.[^./]*)$/s.exec(path)
  return tupleOf(match ? [match[1]!, match[2]!] : [path, ''])
}
function join(value: Py): Py {
  if (!isList(value) && !isText(value))
    throw runtimeFault(`|path_join expects string or sequence, got <class '${typeName(value)}'> instead.`)
  const parts = isList(value) ? value.map(toText) : [toText(value)]
  return parts.reduce((path, part) => {
    if (part.startsWith('/')) return part
    return path === '' || path.endsWith('/') ? path + part : `${path}/${part}`
  })
}
/** `~` is the operator's home. Other users' homes are not looked up. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path
}
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return posix.resolve(path)
  }
}
function relative(value: Py, args: Args): Py {
  return posix.relative(args.text('start'), toText(value)) || '.'
}
function windows(read: (path: string) => Py): (value: Py) => Py {
  return value => read(toText(value))
}
function splitDrive(path: string): Py {
  const { root } = win32.parse(path)
  const drive = root.replace(/[\\/]+$/, '')
  return tupleOf([drive, path.slice(drive.length)])
}
function commonPath(value: Py): Py {
  if (!isList(value) || value.length === 0) throw runtimeFault('commonpath needs a list of paths')
  const all = value.map(path => toText(path).split('/'))
  const [first, ...rest] = all
  const differs = first!.findIndex((part, index) => rest.some(other => other[index] !== part))
  return first!.slice(0, differs < 0 ? first!.length : differs).join('/') || '/'
}

/** Ansible's filters on paths. Those that look at files look at the operator's machine. */
export const pathFilters: FilterSet = {
  basename: ['', value => basename(toText(value))],
  dirname: ['', value => dirname(toText(value))],
  splitext: ['', value => splitExtension(toText(value))],
  path_join: ['', join],
  normpath: ['', value => posix.normalize(toText(value)).replace(/(?<=.)\/$/, '')],
  commonpath: ['', commonPath],
  relpath: ["start='.'", relative],
  realpath: ['', value => realPath(toText(value))],
  expanduser: ['', value => expandHome(toText(value))],
  expandvars: [
    '',
    (value, _args, runtime) =>
      toText(value).replace(
        /\$(?:(\w+)|\{(\w+)\})/g,
        (all, plain, braced) => runtime.session.world.env(plain ?? braced) ?? all,
      ),
  ],
  fileglob: ['', value => matchFiles(toText(value))],
  win_basename: ['', windows(win32.basename)],
  win_dirname: ['', windows(win32.dirname)],
  win_splitdrive: ['', windows(splitDrive)],
}
