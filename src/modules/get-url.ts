import { createHash } from 'node:crypto'
import { problem, RotaError } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { decodePercent } from '../core/percent.ts'
import type { Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import { type FileState, readFile } from '../resources/file.ts'
import { resultOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import { download, downloadName, downloadParams, isUrl, nameOfPath } from './download.ts'
import { attributes, backup, backupSuffix, readOptions, unsafe_writes } from './file-params.ts'
import { placeBytes } from './staged-file.ts'
import { backupResult } from './text-file.ts'

const params = {
  url: { type: 'text', required: true, doc: 'http, https or file URL; a file is one of the target.' },
  dest: { type: 'path', required: true, doc: 'File of the target, or a folder that is there.' },
  checksum: {
    type: 'string',
    default: '',
    doc: '`sha256:HEX`, or `sha256:URL` of a list of checksums (md5, sha1, sha224, sha256, sha384, sha512).',
  },
  force: {
    type: 'bool',
    default: false,
    doc: 'Fetch it however old the file on the server is; without it that is done for a file that is not there, a checksum that differs, and what is newer on the server.',
  },
  tmp_dest: { type: 'path', doc: 'Folder of the target that it is first put into.' },
  backup,
  unsafe_writes,
  ...downloadParams,
  ...attributes,
} as const
type GetArgs = Args<typeof params>

interface Checksum {
  readonly algorithm: string
  readonly hex: string
}
const algorithms = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']

/** The checksum asked for. Throws E_PARAMS for what is none, E_TASK for a list that does not have the file. */
async function checksumOf(t: Target, args: GetArgs): Promise<Checksum | undefined> {
  if (args.checksum === '') return undefined
  const [, algorithm = '', rest = ''] = /^\s*([A-Za-z0-9]+):\s*(.+?)\s*$/.exec(args.checksum) ?? []
  if (!algorithms.includes(algorithm))
    throw problem('E_PARAMS', 'The checksum parameter has to be in format <algorithm>:<checksum>', {
      hint: `the algorithm is one of ${algorithms.join(', ')}`,
    })
  const hexOf = (text: string): string => text.replace(/\W/g, '').toLowerCase()
  if (!isUrl(rest)) return { algorithm, hex: hexOf(rest) }
  const list = await fetchFile(t, rest, args)
  const name = typeof args.url === 'string' ? nameOfPath(new URL(args.url).pathname) : ''
  const hex = findChecksum(list.bytes.toString(), name)
  if (hex === undefined) throw problem('E_TASK', `Unable to find a checksum for file '${name}' in '${rest}'`)
  return { algorithm, hex: hexOf(hex) }
}

/** `HEX  NAME`, `HEX *NAME`, `HEX  ./dir/NAME`; or a list that holds nothing but one checksum. */
function findChecksum(text: string, name: string): string | undefined {
  const rows = text.split('\n').map(line => line.trim().split(/\s+/, 2))
  const row = rows.find(([, path]) => path !== undefined && nameOfPath(path.replace(/^\*/, '')) === name)
  const only = rows.length <= 2 && rows[0]!.length === 1 ? rows[0]![0] : undefined
  return row?.[0] ?? only
}

const digest = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex')

interface Fetched {
  readonly bytes: Buffer
  readonly name: string
  readonly status: number | undefined
}

async function fetchFile(t: Target, url: GetArgs['url'], args: GetArgs, since?: Date): Promise<Fetched> {
  if (typeof url === 'string' && /^file:/i.test(url)) {
    const path = decodePercent(new URL(url).pathname)
    const { kind, content, encoding } = await readFile(t, path, { follow: true, content: 'plain' })
    if (kind !== 'file')
      throw problem('E_TASK', `Request failed: ${path} is ${kind === 'absent' ? 'not there' : `a ${kind}`}`)
    return {
      bytes: Buffer.from(String(content), encoding ?? 'utf8'),
      name: nameOfPath(path),
      status: undefined,
    }
  }
  const walked = await download(t, url, args, since)
  return { bytes: walked.response.body, name: downloadName(walked), status: walked.response.status }
}

/** The file as it is and what is known of it. `name` is what it gets in a folder. */
function readDest(
  t: Target,
  args: GetArgs,
  name: string | undefined,
  suffix: string | undefined,
): Promise<FileState> {
  return readFile(t, args.dest, {
    ...readOptions(args),
    follow: true,
    digest: true,
    // Only what is asked after: a state that holds its time would be written with it.
    times: name === undefined,
    backupSuffix: suffix,
    ...(name === undefined ? {} : { into: name }),
  })
}

/** Whether what is there is good without asking the server. */
async function isGood(t: Target, before: FileState, checksum: Checksum | undefined): Promise<boolean> {
  if (before.kind !== 'file' || checksum === undefined) return false
  const { content, encoding } = await readFile(t, before.terms.real, { content: 'plain' })
  return digest(checksum.algorithm, Buffer.from(String(content), encoding ?? 'utf8')) === checksum.hex
}

async function setAttributes(t: Target, args: GetArgs, before: FileState, msg: string): Promise<Outcome> {
  const held = { sha256: before.sha256 as string, sizeBytes: before.sizeBytes ?? 0 }
  const after = wantContent(before, held, args.mode)
  if (!t.check) await writeFile(t, before, after)
  return {
    changed: !isSameState(before, after),
    msg,
    values: {
      ...resultOf(after),
      checksum_src: null,
      checksum_dest: null,
      url: urlOf(args),
      dest: before.path,
    },
  }
}

const urlOf = ({ url }: GetArgs): string | Secret => url

async function put(t: Target, args: GetArgs, fetched: Fetched, suffix: string | undefined): Promise<Outcome> {
  const { bytes, name, status } = fetched
  const before = await readDest(t, args, name, suffix)
  const { after, changed } = await placeBytes(t, before, bytes, args)
  const sha1 = digest('sha1', bytes)
  return {
    changed,
    msg: `OK (${bytes.length} bytes)`,
    values: {
      ...resultOf(after),
      url: urlOf(args),
      dest: after.path,
      status_code: status ?? null,
      checksum_src: sha1,
      checksum_dest: sha1,
      md5sum: digest('md5', bytes),
      ...backupResult(before, after),
    },
  }
}

export const getUrl = defineAction({
  name: 'get_url',
  foresees: true,
  summary: 'Fetch a file by HTTP, HTTPS or from the target itself, and put it onto the target.',
  notes: [
    'The connection is made by the target’s sshd; HTTP and TLS are spoken on the operator’s machine, so that the host needs neither curl nor wget and sees no password. The file is held in memory on its way.',
    'In check mode the file is fetched and compared, and not written.',
    'The file is put in place by one rename, after its checksum was found to be right.',
  ],
  params,
  returns: {
    url: { doc: 'The URL.' },
    dest: { doc: 'The file.' },
    msg: { doc: '`OK (N bytes)`, `file already exists` or `HTTP Error 304: Not Modified`.' },
    status_code: { doc: 'Status of the answer.' },
    checksum_src: { doc: 'sha1 of what was fetched.' },
    checksum_dest: { doc: 'sha1 of the file.' },
    md5sum: { doc: 'md5 of the file.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
    elapsed: { doc: 'Whole seconds.' },
    size: { doc: 'Size in bytes.' },
    mode: { doc: 'Permissions.' },
    owner: { doc: 'Name of the user that owns it.' },
    group: { doc: 'Name of the group that owns it.' },
  },
  examples: `
- name: A release, with the checksum that its makers publish
  get_url:
    url: https://example.org/panel-2.1.tar.gz
    dest: /opt/panel-2.1.tar.gz
    checksum: sha256:https://example.org/SHA256SUMS
    mode: '0644'
`,
  async run(t, args) {
    const start = t.operator.now().getTime()
    const suffix = backupSuffix(t.operator, args.backup)
    const checksum = await checksumOf(t, args)
    const before = await readDest(t, args, undefined, suffix)
    if (await isGood(t, before, checksum)) return setAttributes(t, args, before, 'file already exists')
    const isAsked = before.kind === 'file' && checksum === undefined && !args.force
    const since = isAsked ? new Date((before.modifiedAt ?? 0) * 1000) : undefined
    const elapsed = (): number => Math.floor((t.operator.now().getTime() - start) / 1000)
    const fetched = await fetchFile(t, args.url, args, since).catch(error => {
      if (!(error instanceof RotaError)) throw error
      const more = { url: args.url, dest: args.dest, elapsed: elapsed() }
      throw new RotaError(error.problems, { cause: error, values: { ...error.values, ...more } })
    })
    if (fetched.status === 304) {
      const kept = await setAttributes(t, args, before, 'HTTP Error 304: Not Modified')
      return { ...kept, values: { ...kept.values, status_code: 304, elapsed: elapsed() } }
    }
    const found = checksum === undefined ? '' : digest(checksum.algorithm, fetched.bytes)
    if (checksum !== undefined && found !== checksum.hex)
      throw problem(
        'E_TASK',
        `The checksum for ${args.dest} did not match ${checksum.hex}; it was ${found}.`,
        {
          hint: 'nothing was changed; check the URL and the checksum',
          values: {
            url: args.url,
            dest: args.dest,
            checksum_src: digest('sha1', fetched.bytes),
            elapsed: elapsed(),
          },
        },
      )
    const outcome = await put(t, args, fetched, suffix)
    return { ...outcome, values: { ...outcome.values, elapsed: elapsed() } }
  },
})
