import { renderForms } from '../core/encodings.ts'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'

/** A value shorter than this stands in too many texts by chance to be searched for. Characters. */
export const SHORTEST_SEARCHED = 8
/** Programs break long base64 and hex into lines. Half of a form is searched for when it is at least this long: one half is whole. */
const SHORTEST_HALF = 12
/** So many files are looked into for lines; of further ones the path is said. */
const LOOKED_INTO = 20

/** What is looked for, and where. */
export interface Search {
  readonly values: ReadonlyMap<string, Secret>
  /** Absolute paths of files and folders. */
  readonly paths: readonly string[]
  /** Names of folders that are not gone into. */
  readonly exclude: readonly string[]
  readonly maxBytes: number
}
/** What was not searched: it does not exist, may not be read, is too big, or holds a name with a line end. */
export interface Unsearched {
  readonly path: string
  readonly why: 'gone' | 'bare' | 'big' | 'odd'
}
export interface SearchResult {
  /** Files that hold a value in some form. */
  readonly files: readonly string[]
  readonly searched: number
  readonly unsearched: readonly Unsearched[]
}
/** Where a file holds which value. Without line and encoding: in binary data, or it was not looked into. */
export interface Copy {
  readonly path: string
  readonly line?: number | undefined
  readonly secret?: string | undefined
  readonly encoding?: string | undefined
}

/*
 * The patterns are a shell variable that came through stdin, and go to grep by its stdin: no argument, environment or file
 * holds them. Prints `hit`, `bare` (may not be read), `big`, `odd` (a name with a line end), `gone` and a path; `n` a number.
 */
const searchScript = sh`
for program in find grep head; do
  command -v "$program" >/dev/null 2>&1 || { rt_set problem "the host has no $program"; exit 1; }
done
# A grep that does not take patterns from its stdin would find nothing, and everything would look clean.
head -n 1 /etc/passwd | grep -q -F -f - -- /etc/passwd || { rt_set problem "its grep takes no patterns from stdin"; exit 1; }
search() {
  if [ "$#" -eq 0 ]; then return; fi
  if [ "$sees" = all ]; then printf '%s\n' "$p_patterns" | grep -l -F -f - -- "$@" 2>/dev/null | sed 's/^/hit /'; return; fi
  for file; do
    printf '%s\n' "$p_patterns" | if { tr '\000' '\n' <"$file" | grep -q -F -f /dev/fd/3; } 3<&0 2>/dev/null; then
      printf 'hit %s\n' "$file"
    fi
  done
}
# Busybox's grep sees nothing of a line behind a NUL.
sees=all
printf 'a\000b\n' | grep -q -F b || sees=text
look() {
  count=0
  set --
  while IFS= read -r path; do
    case $path in /*) ;; *) printf '%s\n' "$path"; continue ;; esac
    if [ -d "$path" ]; then
      if ! [ -r "$path" ] || ! [ -x "$path" ]; then printf 'bare %s\n' "$path"; fi
      continue
    fi
    if ! [ -e "$path" ]; then continue; fi
    if ! [ -r "$path" ]; then printf 'bare %s\n' "$path"; continue; fi
    count=$((count + 1))
    set -- "$@" "$path"
    if [ "$#" -ge 64 ]; then search "$@"; set --; fi
  done
  search "$@"
  printf 'n %s\n' "$count"
}
line_end='
'
walk() {
  set -- "$1"
  while IFS= read -r name; do if [ -n "$name" ]; then set -- "$@" -o -name "$name"; fi; done <<END
$p_exclude
END
  root=$1
  shift
  find -H "$root" -type d ! -path "$root" \( -name "" "$@" \) -prune -o \
    -name "*$line_end*" -prune -exec printf 'odd %s\n' "$root" \; -o \
    -type f -size +"$p_blocks" -exec printf 'big %s\n' {} \; -o \
    \( -type d -o -type f \) -print 2>/dev/null
}
printf '%s\n' "$p_paths" | while IFS= read -r root; do
  if [ -z "$root" ]; then continue; fi
  if [ -e "$root" ]; then walk "$root"; else printf 'gone %s\n' "$root"; fi
done | look
`

/* Records `secret/encoding pattern`, those of one key together; prints `line key path` for the first line that holds one of a key's. */
const locateScript = sh`
locate() {
  line=$(printf '%s' "$patterns" | grep -n -F -f - -- "$path" 2>/dev/null | sed -n 's/^\([0-9][0-9]*\):.*/\1/p;q')
  if [ -n "$line" ]; then printf '%s %s %s\n' "$line" "$key" "$path"; fi
}
printf '%s\n' "$p_files" | while IFS= read -r path; do
  key=
  { printf '%s\n' "$p_records"; printf '/ \n'; } | while IFS= read -r record; do
    if [ "\${record%% *}" != "$key" ]; then
      if [ -n "$key" ]; then locate; fi
      key=\${record%% *}
      patterns=
    fi
    patterns="$patterns\${record#* }
"
  done
done
`

interface Pattern {
  readonly secret: string
  readonly encoding: string
  readonly text: string
}

/** Of a text of several lines its longest, since a search goes line by line. */
function longestLine(value: string): string {
  return value.split(/\r?\n/).reduce((longest, line) => (line.length > longest.length ? line : longest), '')
}

function halvesOf(text: string): readonly string[] {
  const middle = Math.floor(text.length / 2)
  return middle < SHORTEST_HALF ? [text] : [text.slice(0, middle), text.slice(middle)]
}

/** What grep looks for, no text twice. A form with a line end or a tab in it cannot be a line of patterns. */
function patternsOf(values: ReadonlyMap<string, Secret>): readonly Pattern[] {
  const all = [...values].flatMap(([secret, value]) =>
    renderForms(longestLine(reveal(value))).flatMap(({ encoding, text }) => {
      const isCoded = encoding === 'base64' || encoding === 'hex'
      return (isCoded ? halvesOf(text) : [text]).map(part => ({ secret, encoding, text: part }))
    }),
  )
  const byText = new Map(all.map(pattern => [pattern.text, pattern] as const).reverse())
  return [...byText.values()]
    .reverse()
    .filter(({ text }) => text.length >= SHORTEST_SEARCHED && !/[\n\r]/.test(text))
}

/** Whether a value is long enough to be searched for. */
export function isSearchable(value: Secret): boolean {
  return longestLine(reveal(value)).length >= SHORTEST_SEARCHED
}

function checkPaths(paths: readonly string[]): void {
  const bad = paths.find(path => !path.startsWith('/') || path.includes('\n'))
  if (bad !== undefined)
    throw problem('E_PARAMS', `${JSON.stringify(bad)} is no absolute path that can be searched`, {
      hint: 'write /opt/app or /etc/app.conf',
    })
}

const isWhy = (kind: string): kind is Unsearched['why'] => ['gone', 'bare', 'big', 'odd'].includes(kind)

/**
 * Searches files for values in every form they may be written in: one round trip, and the values are in no argument,
 * environment or file of the target. Throws E_TASK when the target cannot search, E_PARAMS for a path that is none.
 */
export async function findCopies(t: Target, search: Search): Promise<SearchResult> {
  checkPaths(search.paths)
  const patterns = patternsOf(search.values)
  if (patterns.length === 0) return { files: [], searched: 0, unsearched: [] }
  const ran = await t.run(searchScript, {
    patterns: new Secret(patterns.map(({ text }) => text).join('\n'), 'values to search for'),
    paths: search.paths.join('\n'),
    exclude: search.exclude.join('\n'),
    blocks: Math.ceil(search.maxBytes / 512),
  })
  const said = ran.stdout
    .toString('utf8')
    .split('\n')
    .map(line => /^(\S+) (.*)$/.exec(line))
    .flatMap(match => (match ? [[match[1]!, match[2]!] as const] : []))
  const count = said.find(([kind]) => kind === 'n')
  if (ran.exit !== 0 || count === undefined)
    throw problem(
      'E_TASK',
      `${t.name} cannot be searched for copies: ${ran.values['problem'] ?? 'the script failed'}`,
    )
  return {
    files: [...new Set(said.flatMap(([kind, path]) => (kind === 'hit' ? [path] : [])))],
    searched: Number(count[1]),
    unsearched: said.flatMap(([kind, path]) => (isWhy(kind) ? [{ path, why: kind }] : [])),
  }
}

/** Whether a path is a folder or file itself or lies below it. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** Says of files that hold values which value stands where. Throws what `run` throws. */
export async function locateCopies(
  t: Target,
  values: ReadonlyMap<string, Secret>,
  files: readonly string[],
): Promise<readonly Copy[]> {
  const looked = files.slice(0, LOOKED_INTO)
  const records = patternsOf(values).map(({ secret, encoding, text }) => `${secret}/${encoding} ${text}`)
  const ran = await t.run(locateScript, {
    records: new Secret(records.join('\n'), 'values to search for'),
    files: looked.join('\n'),
  })
  const found = new Map<string, Copy>()
  for (const row of ran.stdout.toString('utf8').split('\n')) {
    const [, line, secret, encoding, path] = /^(\d+) ([^/]+)\/(\S+) (.*)$/.exec(row) ?? []
    if (path !== undefined && !found.has(`${path} ${secret}`))
      found.set(`${path} ${secret}`, { path, line: Number(line), secret, encoding })
  }
  const located = [...found.values()]
  return [
    ...located,
    ...files.filter(path => !located.some(copy => copy.path === path)).map(path => ({ path })),
  ]
}
