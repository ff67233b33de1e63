import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { readFile } from '../resources/file.ts'
import { type FileSet, rereadSet, writeSet } from '../resources/file-set.ts'
import { type Content, showFile, wantAbsent, wantContent } from '../resources/file-want.ts'
import { download, plainDownload } from './download.ts'
import { contentOf } from './local-files.ts'
import { isArmored, parseKeyId } from './openpgp.ts'

const flag = (doc: string) => ({ type: 'bool', doc }) as const
const list = (doc: string) => ({ type: 'list', doc }) as const

/** Fields of sources.list(5) in the module's spelling. */
const fields = {
  allow_downgrade_to_insecure: flag('Let a signed source become an unsigned one.'),
  allow_insecure: flag('Use the source though it is not signed.'),
  allow_weak: flag('Use the source though its signature is weak.'),
  architectures: list('Only these architectures.'),
  by_hash: flag('Fetch files by their checksum.'),
  check_date: flag('Mind the date of the release file.'),
  check_valid_until: flag('Mind the date at which the release file ends.'),
  components: list('As `main`, `contrib`.'),
  date_max_future: { type: 'int', doc: 'Seconds that the host’s clock may be behind.' },
  enabled: flag('Whether the source is used.'),
  inrelease_path: { type: 'string', doc: 'Path of the InRelease file.' },
  languages: list('Languages of the descriptions.'),
  pdiffs: flag('Fetch changes of the lists instead of whole lists.'),
  suites: list('As `bookworm`; a path with a slash at its end takes no components.'),
  targets: list('What is fetched of it.'),
  trusted: flag('Take it for good without looking at signatures.'),
  uris: list('Base URLs of the source.'),
} as const

const params = {
  name: { type: 'string', required: true, doc: 'Name of the source; the file is called after it.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether the source is to be there.',
  },
  types: { type: 'list', default: ['deb'], doc: '`deb` for packages, `deb-src` for their sources.' },
  signed_by: {
    type: 'string',
    doc: 'The key that signs it: URL, path of the target, fingerprint, or the armored key itself. A key that is fetched goes to /etc/apt/keyrings.',
  },
  mode: { type: 'mode', default: '0644', doc: 'Permissions of the files.' },
  ...fields,
} as const
type SourceArgs = Args<typeof params>

interface SourceInput {
  readonly args: SourceArgs
  /** The key behind a URL, and where it goes. */
  readonly key: { readonly path: string; readonly content: Content } | undefined
}

const SOURCES = '/etc/apt/sources.list.d'
const KEYRINGS = '/etc/apt/keyrings'

/** Ansible's name of the files: lower case, `-` for blanks and `_`, nothing else. */
function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[_\s]+/g, '-')
    .replace(/[^a-z0-9-]+/g, '')
  if (slug !== '') return slug
  throw problem('E_PARAMS', `deb822_repository: ${JSON.stringify(name)} leaves no name for a file`, {
    hint: 'use letters and digits',
  })
}

async function prepare(t: Target, args: SourceArgs): Promise<SourceInput> {
  const slug = slugOf(args.name)
  if (args.state === 'absent') return { args, key: undefined }
  if (args.uris === undefined || args.suites === undefined)
    throw problem('E_PARAMS', 'deb822_repository: a source needs uris and suites', {
      hint: 'add uris: [https://…] and suites: [bookworm]',
    })
  const isFlat = args.suites.every(suite => suite.endsWith('/'))
  if (!isFlat && args.components === undefined)
    throw problem('E_PARAMS', 'deb822_repository: a source needs components', {
      hint: 'add components: [main], or end the suite in a slash',
    })
  if (!/^(?:https?|ftp):\/\//.test(args.signed_by ?? '')) return { args, key: undefined }
  const { body } = (await download(t, args.signed_by!, plainDownload)).response
  const path = `${KEYRINGS}/${slug}.${isArmored(body.toString('latin1')) ? 'asc' : 'gpg'}`
  return { args, key: { path, content: contentOf(body) } }
}

/** `by_hash` to `By-Hash`. */
function fieldName(param: string): string {
  if (param === 'uris') return 'URIs'
  if (param === 'name') return 'X-Repolib-Name'
  return param
    .split('_')
    .map(word => word[0]!.toUpperCase() + word.slice(1))
    .join('-')
}

function signedBy({ args, key }: SourceInput): string | undefined {
  const given = args.signed_by?.trim()
  if (given === undefined || key !== undefined) return key?.path
  // A field of several lines: each further one begins with a blank, an empty one is a dot (deb822(5)).
  if (isArmored(given))
    return given
      .split(/\r?\n/)
      .map(line => `\n ${line.trim() || '.'}`)
      .join('')
  if (
    given.startsWith('/') ||
    given.split(/[,\s]+/).every(one => parseKeyId(one.replace(/!$/, '')) !== undefined)
  )
    return given
  throw problem(
    'E_PARAMS',
    'deb822_repository: signed_by is neither URL, path, fingerprint nor armored key',
    {
      hint: 'write the URL of the key, /usr/share/keyrings/NAME.gpg, or a fingerprint of 40 hex digits',
    },
  )
}

function renderField(value: string | number | boolean | readonly string[]): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return Array.isArray(value) ? value.join(' ') : String(value)
}

/** The source as deb822 text, fields by the alphabet of the options. Throws E_PARAMS for a line end where none may be. */
function renderSource(input: SourceInput): string {
  const { mode: _mode, state: _state, signed_by: _signed, ...rest } = input.args
  const all = { ...rest, signed_by: signedBy(input) }
  const names = (Object.keys(all) as (keyof typeof all)[]).sort()
  return names
    .flatMap(name => {
      const value = all[name]
      if (value === undefined) return []
      const text = renderField(value)
      if (name !== 'signed_by' && /[\r\n]/.test(text))
        throw problem('E_PARAMS', `deb822_repository: ${name} holds a line end`, {
          hint: 'write it in one line',
        })
      const separator = text.startsWith('\n') ? ':' : ': '
      return [`${fieldName(name)}${separator}${text}\n`]
    })
    .join('')
}

async function read(t: Target, { args, key }: SourceInput): Promise<FileSet> {
  const slug = slugOf(args.name)
  const look = (path: string, folder?: string) =>
    readFile(t, path, {
      follow: true,
      content: 'plain',
      ...(folder === undefined ? {} : { above: { mode: folder, own: false } }),
    })
  const keys =
    args.state === 'absent' ? [`${KEYRINGS}/${slug}.asc`, `${KEYRINGS}/${slug}.gpg`] : key ? [key.path] : []
  const files = [look(`${SOURCES}/${slug}.sources`), ...keys.map(path => look(path, '0755'))]
  return { files: await Promise.all(files) }
}

function want(input: SourceInput, before: FileSet): FileSet {
  const { args, key } = input
  if (args.state === 'absent')
    return { files: before.files.map(file => (file.kind === 'absent' ? file : wantAbsent(file))) }
  const [source, keyring] = before.files
  const text = renderSource(input)
  const files = [wantContent(source!, { text }, args.mode)]
  return { files: keyring && key ? [...files, wantContent(keyring, key.content, args.mode)] : files }
}

export const deb822Repository = defineState<typeof params, FileSet, SourceInput>({
  name: 'deb822_repository',
  summary: 'Keep a package source of Debian and Ubuntu in its own .sources file, with the key that signs it.',
  notes: [
    'The package lists are not fetched afterwards: use apt with update_cache.',
    'A key behind a URL is fetched each time through the host, so that a new key of the source is seen.',
  ],
  params,
  returns: {
    repo: { doc: 'Text of the file.' },
    dest: { doc: 'The file.' },
    key_filename: { doc: 'File of a key that was fetched.' },
  },
  examples: `
- deb822_repository:
    name: docker
    uris: [https://download.docker.com/linux/debian]
    suites: [bookworm]
    components: [stable]
    architectures: [amd64]
    signed_by: https://download.docker.com/linux/debian/gpg
`,
  prepare,
  read,
  reread: rereadSet,
  want,
  write: writeSet,
  result(input, _before, after) {
    const isThere = input.args.state === 'present'
    return {
      repo: isThere ? renderSource(input) : null,
      dest: after.files[0]!.path,
      key_filename: input.key?.path ?? null,
    }
  },
  show: ({ files }) => ({ header: 'source', text: files.map(file => showFile(file).text).join('') }),
})
