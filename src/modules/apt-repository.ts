import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { accept, type FileState, readFile } from '../resources/file.ts'
import { type FileSet, rereadSet, writeSet } from '../resources/file-set.ts'
import { showFile, textOf, wantAbsent, wantContent } from '../resources/file-want.ts'

const params = {
  repo: {
    type: 'string',
    required: true,
    doc: 'A line as in sources.list: `deb [signed-by=KEY] URL SUITE COMPONENTS`.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether it is to be there.',
  },
  filename: {
    type: 'string',
    doc: 'Name of the file in /etc/apt/sources.list.d, without `.list`. Default: made of the URL.',
  },
  mode: { type: 'mode', default: '0644', doc: 'Permissions of the file.' },
  update_cache: {
    type: 'bool',
    default: true,
    aliases: ['update-cache'],
    doc: 'Fetch the package lists after a change. When that fails, the change is taken back.',
  },
} as const
type RepositoryArgs = Args<typeof params>

/** The files that lines stand in, the one for a new line last; and whether the package lists follow them. */
type SourcesState = { readonly set: FileSet; readonly isFetched: boolean }

const FOLDER = '/etc/apt/sources.list.d'
const listScript = sh`
rt_need apt-get
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  if [ -f "$file" ]; then printf '%s\n' "$file"; fi
done
exit 0
`
const updateScript = sh`
apt-get -q -y -o DPkg::Lock::Timeout=60 update </dev/null >&2 8>&- || rt_fail "Failed to update the package lists"
`

/** A line of one blank each. Throws E_PARAMS. */
function parseSource(repo: string): string {
  const source = repo.trim().replace(/\s+/g, ' ')
  if (source.startsWith('ppa:'))
    throw problem('E_PARAMS', 'apt_repository: a ppa: is not supported', {
      hint: 'write its line, `deb https://ppa.launchpadcontent.net/OWNER/NAME/ubuntu SUITE main`, and put its key into /etc/apt/keyrings',
    })
  if (!/^deb(?:-src)? (?:\[[^\]]*\] )?[a-z+-]+:\S+ \S+/.test(source))
    throw problem('E_PARAMS', `Invalid repository string: ${repo}`, {
      hint: 'write `deb URL SUITE COMPONENTS`',
    })
  return source
}

/** As Ansible makes it: the URL without its protocol and login, `_` for all but letters and digits. */
function nameOf(source: string): string {
  const [url = ''] = source.replace(/^deb(?:-src)? (?:\[[^\]]*\] )?/, '').split(' ')
  const bare = url.replace(/^\w+:\/\//, '').replace(/^[^/@]*@/, '')
  return bare
    .split(/[^A-Za-z0-9]+/)
    .filter(part => part !== '')
    .join('_')
}

function fileOf({ repo, filename }: RepositoryArgs): string {
  if (filename?.startsWith('/')) return filename.endsWith('.list') ? filename : `${filename}.list`
  return `${FOLDER}/${filename ?? nameOf(parseSource(repo))}.list`
}

const sameLine = (line: string, source: string): boolean =>
  line.replace(/#.*$/, '').trim().replace(/\s+/g, ' ') === source
const linesOf = (file: FileState): readonly string[] => String(textOf(file)).match(/[^\n]*\n|[^\n]+$/g) ?? []

async function read(t: Target, args: RepositoryArgs): Promise<SourcesState> {
  const found = accept(t, await t.run(listScript))
    .stdout.toString()
    .split('\n')
    .filter(path => path !== '')
  const paths = [...found.filter(path => path !== fileOf(args)), fileOf(args)]
  const files = await Promise.all(paths.map(path => readFile(t, path, { follow: true, content: 'plain' })))
  return { set: { files }, isFetched: args.update_cache }
}

function want(args: RepositoryArgs, before: SourcesState): SourcesState {
  const source = parseSource(args.repo)
  const { files } = before.set
  const holds = files.map(file => linesOf(file).some(line => sameLine(line, source)))
  if (args.state === 'present') {
    if (holds.includes(true)) return before
    const last = files.at(-1)!
    const text = [...linesOf(last).map(line => line.replace(/\n?$/, '\n')), `${source}\n`].join('')
    return { ...before, set: { files: [...files.slice(0, -1), wantContent(last, { text }, args.mode)] } }
  }
  const kept = files.map((file, i) => {
    if (!holds[i]) return file
    const lines = linesOf(file).filter(line => !sameLine(line, source))
    const isEmpty = lines.length === 0 && file.path.startsWith(FOLDER)
    return isEmpty ? wantAbsent(file) : wantContent(file, { text: lines.join('') }, undefined)
  })
  return { ...before, set: { files: kept } }
}

async function write(t: Target, before: SourcesState, after: SourcesState): Promise<void> {
  await writeSet(t, before.set, after.set)
  if (!after.isFetched) return
  const ran = await t.run(updateScript)
  if (ran.exit !== 0) await writeSet(t, after.set, before.set)
  accept(t, ran)
}

export const aptRepository = defineState<typeof params, SourcesState>({
  name: 'apt_repository',
  summary: 'Keep a package source of Debian and Ubuntu, or take it away.',
  notes: [
    'Sources in the newer form (`.sources` files) are neither read nor written: use copy or template for them.',
  ],
  params,
  refused: {
    codename: 'it is only for ppa: lines: give the whole line as repo',
    install_python_apt: 'rota needs no Python on the host',
    update_cache_retries: 'use retries and until of the task',
    update_cache_retry_max_delay: 'use retries, delay and until of the task',
    validate_certs: 'it is only for ppa: lines: give the whole line as repo',
  },
  returns: {
    repo: { doc: 'The line.' },
    state: { doc: '`present` or `absent`.' },
    sources_added: { doc: 'Files that were made.' },
    sources_removed: { doc: 'Files that were removed.' },
  },
  examples: `
- apt_repository:
    repo: deb [signed-by=/etc/apt/keyrings/node.asc] https://deb.nodesource.com/node_20.x nodistro main
    filename: node
`,
  prepare(_t, args) {
    parseSource(args.repo)
    return args
  },
  read,
  async reread(t, { set, isFetched }) {
    return { set: await rereadSet(t, set), isFetched }
  },
  want,
  write,
  result({ repo, state }, before, after) {
    const added = after.set.files.filter(
      (file, i) => before.set.files[i]!.kind === 'absent' && file.kind !== 'absent',
    )
    const gone = after.set.files.filter(
      (file, i) => before.set.files[i]!.kind !== 'absent' && file.kind === 'absent',
    )
    return {
      repo,
      state,
      sources_added: added.map(file => file.path),
      sources_removed: gone.map(file => file.path),
    }
  },
  show: ({ set }) => ({ header: 'sources', text: set.files.map(file => `${showFile(file).text}`).join('') }),
})
