import { createHash, randomBytes } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { accept, readFile } from '../resources/file.ts'

const params = {
  // Anything, since Ansible says in a sentence of its own what is no path.
  src: { type: 'any', required: true, doc: 'Path of the file on the target; no folder.' },
  dest: {
    type: 'path',
    required: true,
    doc: "Folder on the operator's machine; the file goes to HOST/PATH in it. With `flat` the file itself, or with a / at the end a folder.",
  },
  flat: { type: 'bool', default: false, doc: 'Without HOST/PATH.' },
  fail_on_missing: { type: 'bool', default: true, doc: 'Fail when there is no such file.' },
  validate_checksum: { type: 'bool', default: true, doc: 'Compare the checksums of both ends.' },
} as const

const catScript = sh`
cat <"$p_path" || rt_fail "cannot read $p_path"
`

async function sumOf(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** A relative `dest` is beside the playbook. */
function destOf(t: Target, given: { src: string; dest: string; flat: boolean }): string {
  const { src, flat } = given
  const folder = t.operator.scope.get('playbook_dir')
  const full = resolve(typeof folder === 'string' ? folder : '.', given.dest)
  const dest = given.dest.endsWith('/') ? `${full}/` : full
  if (flat) return dest.endsWith('/') ? join(dest, basename(src)) : dest
  // A path with .. must not lead out of the folder.
  const inside = src
    .split('/')
    .filter(part => part !== '' && part !== '.' && part !== '..' && part !== '~')
    .join('/')
  return join(dest, t.name.replaceAll('/', '_'), inside)
}

/** Streams the file into one beside `dest`, private to the operator, and puts it in place when it is whole. */
async function download(t: Target, path: string, dest: string, sha256: string | undefined): Promise<void> {
  mkdirSync(dirname(dest), { recursive: true })
  const part = `${dest}.${randomBytes(4).toString('hex')}.part`
  try {
    accept(t, await t.pipe(catScript, { path }, { stdout: createWriteStream(part, { mode: 0o600 }) }))
    if (sha256 !== undefined && (await sumOf(part, 'sha256')) !== sha256)
      throw problem('E_TASK', `checksum mismatch: what arrived is not what ${path} holds`, {
        hint: 'it may have been written meanwhile; run again, or set validate_checksum: false',
      })
    renameSync(part, dest)
  } finally {
    rmSync(part, { force: true })
  }
}

export const fetch = defineAction({
  name: 'fetch',
  summary: "Copy a file of the target to the operator's machine.",
  notes: ['The copy has mode 0600.'],
  params,
  foresees: true,
  missing: { src: 'src and dest are required', dest: 'src and dest are required' },
  returns: {
    dest: { doc: "Where it is on the operator's machine." },
    checksum: { doc: 'sha1 of the file.' },
    remote_checksum: { doc: 'The same.' },
    md5sum: { doc: 'md5 of the file.' },
    remote_md5sum: { doc: 'null, as in Ansible.' },
  },
  examples: `
- fetch: { src: /var/log/panel.log, dest: logs/ }
`,
  async run(t, args) {
    if (t.check)
      return { changed: false, skipped: true, msg: 'check mode not (yet) supported for this module' }
    const { src } = args
    if (typeof src !== 'string')
      throw problem('E_PARAMS', 'Invalid type supplied for source option, it must be a string', {
        hint: 'write one path; loop over a list',
      })
    const file = await readFile(t, src, { follow: true, content: 'none', digest: true })
    if (file.kind === 'absent') {
      if (args.fail_on_missing)
        throw problem('E_TASK', `the remote file does not exist: ${src}`, {
          hint: 'fail_on_missing: false goes on without it',
        })
      return {
        changed: false,
        msg: 'the remote file does not exist, not transferring, ignored',
        values: { file: src },
      }
    }
    if (file.kind !== 'file') {
      const msg = `remote file is a ${file.kind}, fetch cannot work on it: ${src}`
      if (args.fail_on_missing) throw problem('E_TASK', msg)
      return { changed: false, msg, values: { file: src } }
    }
    const dest = destOf(t, { ...args, src: file.path })
    if (existsSync(dest) && statSync(dest).isDirectory())
      throw problem('E_TASK', `dest is an existing directory: ${dest}`, {
        hint: 'end it with a / to put the file into it',
      })
    const isSame = existsSync(dest) && (await sumOf(dest, 'sha256')) === file.sha256
    if (!isSame)
      await download(t, file.terms.real, dest, args.validate_checksum ? String(file.sha256) : undefined)
    const checksum = await sumOf(dest, 'sha1')
    const values = {
      dest,
      file: src,
      checksum,
      remote_checksum: checksum,
      md5sum: await sumOf(dest, 'md5'),
      remote_md5sum: null,
    }
    return { changed: !isSame, values }
  },
})
