import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { accept, type FileState, readFile } from '../resources/file.ts'
import { type FileSet, rereadSet, writeSet } from '../resources/file-set.ts'
import { wantAbsent, wantContent } from '../resources/file-want.ts'
import { download, downloadParams, plainDownload } from './download.ts'
import { contentOf } from './local-files.ts'
import { hasId, type PublicKey, parseKeyId, parseKeyring } from './openpgp.ts'

const params = {
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether apt is to trust the key.',
  },
  id: {
    type: 'string',
    doc: 'Id or fingerprint of the key, also of one of its subkeys. Needed for `absent` and with a keyserver.',
  },
  data: { type: 'string', doc: 'The key itself, armored.' },
  file: { type: 'path', doc: 'A file of the target that holds it.' },
  url: { type: 'string', doc: 'Where to fetch it.' },
  keyserver: { type: 'string', doc: 'Keyserver to fetch it from.' },
  keyring: {
    type: 'path',
    doc: 'The file to put it into. Default: a file of its own in /etc/apt/trusted.gpg.d.',
  },
  validate_certs: downloadParams.validate_certs,
} as const
type KeyArgs = Args<typeof params>
interface KeyInput {
  readonly args: KeyArgs
  readonly id: string | undefined
  /** What was given or fetched; with `file` it is read on the target. */
  readonly given: string | undefined
}
type KeyState = { readonly set: FileSet; readonly given: string | null }

const FOLDER = '/etc/apt/trusted.gpg.d'
const ADVICE =
  'apt_key trusts a key for every source of packages; deb822_repository with signed_by trusts it for one'

const listScript = sh`
for file in /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/*.gpg /etc/apt/trusted.gpg.d/*.asc; do
  if [ -f "$file" ]; then printf '%s\n' "$file"; fi
done
exit 0
`

/** HKP's own address of a key (draft-gallagher-openpgp-hkp). */
function keyserverUrl(server: string, id: string): string {
  const [, scheme, host = ''] = /^(?:(hkps?|https?):\/\/)?([^/]+)\/?$/.exec(server.trim()) ?? []
  if (host === '')
    throw problem('E_PARAMS', `apt_key: ${server} is no keyserver`, { hint: 'write hkps://keys.openpgp.org' })
  const isSecure = scheme === 'hkps' || scheme === 'https'
  const port = host.includes(':') || scheme?.startsWith('http') ? '' : isSecure ? '' : ':11371'
  return `${isSecure ? 'https' : 'http'}://${host}${port}/pks/lookup?op=get&options=mr&search=0x${id}`
}

/** The bytes of a keyring as text that a state can hold. */
const hold = (bytes: Buffer): string => bytes.toString('base64')
const bytesOf = (file: FileState): Buffer => Buffer.from(String(file.content ?? ''), file.encoding ?? 'utf8')

async function fetchKey(t: Target, args: KeyArgs, id: string | undefined): Promise<string | undefined> {
  if (args.state === 'absent') return undefined
  if (args.data !== undefined) return hold(Buffer.from(args.data))
  if (args.keyserver !== undefined && id === undefined)
    throw problem('E_PARAMS', 'apt_key: a keyserver needs id', {
      hint: 'add the fingerprint of the key as id',
    })
  const url = args.url ?? (args.keyserver === undefined ? undefined : keyserverUrl(args.keyserver, id!))
  if (url === undefined) return undefined
  return hold(
    (await download(t, url, { ...plainDownload, validate_certs: args.validate_certs })).response.body,
  )
}

async function prepare(t: Target, args: KeyArgs): Promise<KeyInput> {
  const id = args.id === undefined ? undefined : parseKeyId(args.id)
  if (args.id !== undefined && id === undefined)
    throw problem('E_PARAMS', `apt_key: invalid key id ${args.id}`, {
      hint: 'write its fingerprint: 40 hex digits (or the last 16 or 8 of them)',
    })
  if (args.state === 'absent' && id === undefined)
    throw problem('E_PARAMS', 'apt_key: state absent needs id', { hint: 'add the fingerprint of the key' })
  return { args, id, given: await fetchKey(t, args, id) }
}

async function read(t: Target, { args, given }: KeyInput): Promise<KeyState> {
  const listed =
    args.keyring === undefined ? accept(t, await t.run(listScript)).stdout.toString() : args.keyring
  const paths = listed.split('\n').filter(path => path !== '')
  const files = await Promise.all(paths.map(path => readFile(t, path, { follow: true, content: 'plain' })))
  const held = await readGiven(t, args, given)
  // The file that a new key would get has to be part of what was read, whether it is there or not.
  const own = held === null || args.keyring !== undefined ? undefined : ownPath(held)
  if (own !== undefined && !paths.includes(own))
    files.push(await readFile(t, own, { follow: true, content: 'plain' }))
  return { set: { files }, given: held }
}

async function readGiven(t: Target, args: KeyArgs, given: string | undefined): Promise<string | null> {
  if (given !== undefined) return given
  if (args.file === undefined || args.state === 'absent') return null
  const file = await readFile(t, args.file, { follow: true, content: 'plain' })
  if (file.kind !== 'file')
    throw problem('E_TASK', `apt_key: there is no file ${args.file} on ${t.name}`, {
      hint: 'copy it there first',
    })
  return hold(bytesOf(file))
}

/** The keys that were given. Throws E_TASK when there are none. */
function parseGiven(given: string): readonly PublicKey[] {
  const keys = parseKeyring(Buffer.from(given, 'base64'))
  if (keys !== undefined && keys.length > 0) return keys
  throw problem('E_TASK', 'apt_key: what was given or fetched is no public key of OpenPGP', {
    hint: 'look at the file or URL: it has to begin with -----BEGIN PGP PUBLIC KEY BLOCK-----',
  })
}

const ownPath = (given: string): string =>
  `${FOLDER}/${parseGiven(given)[0]!.fingerprints[0]!.slice(-16)}.gpg`

function keysIn(file: FileState): readonly PublicKey[] {
  return file.kind === 'file' ? (parseKeyring(bytesOf(file)) ?? []) : []
}

function want({ args, id }: KeyInput, before: KeyState): KeyState {
  const { files } = before.set
  if (args.state === 'absent') return { ...before, set: { files: files.map(file => without(file, id!)) } }
  const isThere = (wanted: string): boolean =>
    files.some(file => keysIn(file).some(key => hasId(key, wanted)))
  if (id !== undefined && isThere(id)) return before
  if (before.given === null)
    throw problem('E_PARAMS', 'apt_key: the key is not there, and nothing says where it comes from', {
      hint: 'add data, file, url or keyserver',
    })
  const keys = parseGiven(before.given)
  if (id !== undefined && !keys.some(key => hasId(key, id)))
    throw problem('E_TASK', `apt_key: key does not seem to have been added: it is not ${id}`, {
      hint: `what was given or fetched is ${keys.map(key => key.fingerprints[0]).join(', ')}`,
    })
  const missing = keys.filter(key => !isThere(key.fingerprints[0]!))
  if (missing.length === 0) return before
  const path = args.keyring === undefined ? ownPath(before.given) : files[0]!.path
  return {
    ...before,
    set: { files: files.map(file => (file.path === path ? withKeys(file, missing) : file)) },
  }
}

function withKeys(file: FileState, keys: readonly PublicKey[]): FileState {
  const there = keysIn(file)
  if (file.kind === 'file' && file.sizeBytes !== 0 && there.length === 0)
    throw problem('E_TASK', `apt_key: ${file.path} is no keyring that can be added to`, {
      hint: 'give another keyring',
    })
  return wantContent(file, contentOf(Buffer.concat([...there, ...keys].map(key => key.bytes))), '0644')
}

/** The file without the key; without the file when it held nothing else. */
function without(file: FileState, id: string): FileState {
  const keys = keysIn(file)
  const kept = keys.filter(key => !hasId(key, id))
  if (kept.length === keys.length) return file
  if (kept.length === 0) return wantAbsent(file)
  return wantContent(file, contentOf(Buffer.concat(kept.map(key => key.bytes))), undefined)
}

export const aptKey = defineState<typeof params, KeyState, KeyInput>({
  name: 'apt_key',
  summary: 'Let apt trust a key, or no longer trust it.',
  notes: [
    `Deprecated in Debian itself: ${ADVICE}.`,
    'Neither apt-key nor gpg is needed on the host: the key is read and written by rota.',
  ],
  params,
  rules: { mutuallyExclusive: [['data', 'file', 'keyserver', 'url']] },
  returns: {
    id: { doc: 'The id as asked for.' },
    key_id: { doc: 'The same without blanks and 0x.' },
    fp: { doc: 'Fingerprint of the key that was given or fetched.' },
  },
  examples: `
- name: Prefer deb822_repository with signed_by
  apt_key:
    id: 9DC858229FC7DD38854AE2D88D81803C0EBFCD88
    url: https://download.docker.com/linux/debian/gpg
`,
  prepare,
  read,
  reread: async (t, state) => ({ ...state, set: await rereadSet(t, state.set) }),
  want,
  write: (t, before, after) => writeSet(t, before.set, after.set),
  result: ({ args, id }, _before, { given }) => ({
    id: args.id ?? null,
    key_id: id ?? null,
    ...(given === null ? {} : { fp: parseGiven(given)[0]!.fingerprints[0] }),
    deprecations: [{ msg: ADVICE }],
  }),
  show: ({ set }) => ({
    header: 'keys that apt trusts',
    text: set.files
      .flatMap(file => keysIn(file).map(key => `${key.fingerprints[0]} in ${file.path}\n`))
      .join(''),
  }),
})
