import { problem } from '../core/error.ts'
import { parseGlob } from '../core/glob.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { parseRegex } from '../core/python-regex.ts'
import { joinScripts, sh } from '../core/script.ts'
import type { Float } from '../core/value.ts'
import { accept, parsePath, readFile } from '../resources/file.ts'
import { wantMode } from '../resources/mode.ts'
import { pathScript } from '../resources/path-script.ts'
import { parseStat } from './stat.ts'

const params = {
  paths: {
    type: 'list',
    required: true,
    aliases: ['name', 'path'],
    doc: 'Folders of the target to look in.',
  },
  patterns: {
    type: 'list',
    default: [],
    aliases: ['pattern'],
    doc: 'Names to find: shell patterns, or with `use_regex` Python regular expressions. Default: all.',
  },
  excludes: { type: 'list', default: [], aliases: ['exclude'], doc: 'Names to leave out, written likewise.' },
  use_regex: { type: 'bool', default: false, doc: 'Patterns are regular expressions, matched at the start.' },
  contains: {
    type: 'string',
    doc: 'A regular expression that has to match at the start of a line of the file. Only for `file_type: file`.',
  },
  read_whole_file: {
    type: 'bool',
    default: false,
    doc: 'Look for `contains` anywhere in the file as a whole.',
  },
  file_type: {
    type: 'string',
    choices: ['any', 'directory', 'file', 'link'],
    default: 'file',
    doc: 'What kind of thing to find.',
  },
  recurse: { type: 'bool', default: false, doc: 'Look in folders below too.' },
  depth: { type: 'int', doc: 'How deep to go with `recurse`; 1 is the folder itself.' },
  hidden: { type: 'bool', default: false, doc: 'Find names that begin with a dot too.' },
  follow: { type: 'bool', default: false, doc: 'Go into folders that links lead to.' },
  age: { type: 'string', doc: 'Older than this (`2d`), or with a minus younger. Units s, m, h, d, w.' },
  age_stamp: {
    type: 'string',
    choices: ['atime', 'ctime', 'mtime'],
    default: 'mtime',
    doc: 'Which time `age` is about.',
  },
  size: { type: 'string', doc: 'At least this big (`10m`), or with a minus at most. Units b, k, m, g, t.' },
  mode: { type: 'mode', doc: 'Permissions to find.' },
  exact_mode: {
    type: 'bool',
    default: true,
    doc: 'The permissions are `mode` and nothing else; else: hold all its bits.',
  },
  limit: { type: 'int', doc: 'Stop after so many.' },
  get_checksum: { type: 'bool', default: false, doc: 'Return the checksum of files.' },
  checksum_algorithm: {
    type: 'string',
    choices: ['sha1', 'md5', 'sha224', 'sha256', 'sha384', 'sha512'],
    default: 'sha1',
    aliases: ['checksum', 'checksum_algo'],
    doc: 'How the checksum is made.',
  },
} as const
type FindArgs = Args<typeof params>

/*
 * A name may hold any byte but `/` and NUL, a line end too: `//` and a line end cannot stand in a path that find made,
 * so they end a record.
 */
const listScript = joinScripts(
  pathScript,
  sh`
rt_set now "$(date +%s)"
expand "$p_path"
path=$expanded
if ! [ -d "$path" ]; then rt_set missing 1; exit 0; fi
rt_set root "$path"
set --
if [ -n "\${p_depth-}" ]; then set -- -maxdepth "$p_depth"; fi
link=-H
if [ "$p_follow" = 1 ]; then link=-L; fi
find "$link" "$path" -mindepth 1 "$@" -exec stat -c '%f|%u|%g|%s|%d|%i|%h|%.9X|%.9Y|%.9Z|%b|%o|%t|%T|%U|%G|%n//' -- {} +
exit 0
`,
)
const sumScript = sh`
sum=$("\${p_algorithm}sum" <"$p_path") || rt_fail "cannot make a $p_algorithm checksum of $p_path"
rt_set sum "\${sum%% *}"
`

type Found = Readonly<Record<string, unknown>> & { readonly path: string; readonly mode: string }
interface Listing {
  /** How many names were seen: those of the level below `depth` too, as Ansible counts. */
  readonly examined: number
  readonly isThere: boolean
  /** Seconds since 1970, by the clock of the target. */
  readonly now: number
  readonly found: readonly Found[]
}

async function list(t: Target, args: FindArgs, path: string): Promise<Listing> {
  const depth = !args.recurse ? 1 : args.depth === undefined ? undefined : args.depth + 1
  const ran = accept(t, await t.run(listScript, { path: parsePath(path), follow: args.follow, depth }))
  const root = ran.values['root'] ?? ''
  const records = ran.stdout.toString().split('//\n').slice(0, -1)
  const folder = parsePath(path).replace(/\/$/, '')
  const found = records
    .map(record => parseRecord(record, root, folder))
    .filter(one => !args.recurse || depthOf(one, folder) <= (args.depth ?? Number.POSITIVE_INFINITY))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  const isThere = ran.values['missing'] === undefined
  return { isThere, now: Number(ran.values['now']), found, examined: records.length }
}

/** What `stat` says and find does not. */
const untold = new Set([
  'exists',
  'readable',
  'writeable',
  'executable',
  'block_size',
  'blocks',
  'device_type',
])

const depthOf = ({ path }: Found, folder: string): number => path.slice(folder.length).split('/').length - 1

function parseRecord(record: string, root: string, folder: string): Found {
  const name = record.split('|').slice(16).join('|')
  const path = `${folder}/${name.slice(root.length).replace(/^\//, '')}`
  const told = Object.entries(parseStat(record, {})).filter(([key]) => !untold.has(key))
  const members: Readonly<Record<string, unknown>> = Object.fromEntries(told)
  return { ...members, path, mode: String(members['mode']) }
}

const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** Whether a name is among the patterns; no pattern at all counts as `otherwise`. */
function isNamed(name: string, patterns: readonly string[], isRegex: boolean, otherwise: boolean): boolean {
  if (patterns.length === 0) return otherwise
  return patterns.some(pattern =>
    isRegex ? parseRegex(`(?:${pattern})`).exec(name)?.index === 0 : parseGlob(pattern).test(name),
  )
}

/** A number with a unit, as `2d` or `-10k`. Throws E_PARAMS. */
function parseAmount(option: string, text: string, units: Readonly<Record<string, number>>) {
  const [, sign, digits, unit = ''] = /^(-?)(\d+)([a-z]?)[a-z]*$/i.exec(text.trim()) ?? []
  const factor = unit === '' ? 1 : units[unit.toLowerCase()]
  if (digits === undefined || factor === undefined)
    throw problem('E_PARAMS', `find: ${option}: ${text} is no number with a unit`, {
      hint: `write a number and one of ${Object.keys(units).join(', ')}`,
    })
  return { isAtMost: sign === '-', amount: Number(digits) * factor }
}
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
const BYTES = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

function isWithin(value: number, { isAtMost, amount }: { isAtMost: boolean; amount: number }): boolean {
  return isAtMost ? value <= amount : value >= amount
}

/** A test for all that can be told without reading the file. */
function filterOf(args: FindArgs): (one: Found, now: number) => boolean {
  const age = args.age === undefined ? undefined : parseAmount('age', args.age, SECONDS)
  const size = args.size === undefined ? undefined : parseAmount('size', args.size, BYTES)
  const kinds = { any: () => true, directory: 'isdir', file: 'isreg', link: 'islnk' } as const
  const kind = kinds[args.file_type]
  return (one, now) => {
    const name = baseOf(one.path)
    if (!args.hidden && name.startsWith('.')) return false
    if (typeof kind === 'string' && one[kind] !== true) return false
    if (!isNamed(name, args.patterns, args.use_regex, true)) return false
    if (isNamed(name, args.excludes, args.use_regex, false)) return false
    if (age !== undefined && !isWithin(now - (one[args.age_stamp] as Float).value, age)) return false
    if (size !== undefined && one['isreg'] === true && !isWithin(Number(one['size']), size)) return false
    return args.mode === undefined || hasMode(one, args.mode, args.exact_mode)
  }
}

function hasMode(one: Found, asked: string, isExact: boolean): boolean {
  const mode = Number.parseInt(one.mode, 8)
  const wanted = wantMode(asked, isExact ? mode : 0, one['isdir'] === true)
  return isExact ? mode === wanted : (mode & wanted) === wanted
}

async function doesContain(t: Target, args: FindArgs, one: Found): Promise<boolean> {
  if (args.contains === undefined || args.file_type !== 'file') return true
  const { content, encoding } = await readFile(t, one.path, { content: 'plain' })
  const text = Buffer.from(String(content), encoding ?? 'utf8').toString()
  const pattern = parseRegex(args.contains)
  if (args.read_whole_file) return text.search(pattern) >= 0
  return text.split('\n').some(line => line.search(pattern) === 0)
}

async function finish(t: Target, args: FindArgs, one: Found): Promise<Found> {
  if (!args.get_checksum || one['isreg'] !== true) return one
  const ran = accept(t, await t.run(sumScript, { path: one.path, algorithm: args.checksum_algorithm }))
  return { ...one, checksum: ran.values['sum'] }
}

async function select(t: Target, args: FindArgs, listings: readonly Listing[]): Promise<readonly Found[]> {
  const isWanted = filterOf(args)
  const candidates = listings.flatMap(({ found, now }) => found.filter(one => isWanted(one, now)))
  const matched: Found[] = []
  for (const one of candidates) {
    if (matched.length === args.limit) break
    if (await doesContain(t, args, one)) matched.push(one)
  }
  return Promise.all(matched.map(one => finish(t, args, one)))
}

export const find = defineAction({
  name: 'find',
  summary: 'Find files, folders or links of the target by name, age, size, permissions or content.',
  notes: [
    'What is found is sorted by path. Times have fractions where the host’s `stat` tells them (GNU).',
    'With `contains` each file that passes all other tests is read, up to 16 MiB.',
  ],
  params,
  reads: true,
  returns: {
    files: { doc: 'List of dicts as `stat` has them, with `path` and, when asked for, `checksum`.' },
    matched: { doc: 'How many.' },
    examined: { doc: 'How many were looked at.' },
    skipped_paths: { doc: 'Dict: paths that are no folders, and why they were left out.' },
  },
  examples: `
- name: Backups that are older than a month
  find: { paths: /opt/backups, patterns: '*.tar.gz', age: 30d }
  register: old
- name: Remove them
  file: { path: '{{ item.path }}', state: absent }
  loop: '{{ old.files }}'
`,
  async run(t, args): Promise<Outcome> {
    const listings = await Promise.all(args.paths.map(path => list(t, args, path)))
    const files = await select(t, args, listings)
    const skipped = args.paths.filter((_, i) => !listings[i]!.isThere)
    return {
      changed: false,
      msg: skipped.length === 0 ? 'All paths examined' : 'Not all paths examined, check warnings for details',
      values: {
        files,
        matched: files.length,
        examined: listings.reduce((sum, { examined }) => sum + examined, 0),
        skipped_paths: Object.fromEntries(skipped.map(path => [path, `'${path}' is not a directory`])),
      },
    }
  },
})
