import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Transform, Writable } from 'node:stream'
import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'

const measure = sh`
if [ ! -f "$p_src" ]; then rt_set problem "is no file"; exit 1; fi
sum=$(sha256sum <"$p_src") || { rt_set problem "cannot be read"; exit 1; }
rt_set sha256 "\${sum%% *}"
`
const send = sh`exec cat <"$p_src"`

/** The file's digest on the target. Throws E_TASK. */
async function digestOnTarget(t: Target, src: string): Promise<string> {
  const { exit, values } = await t.run(measure, { src })
  if (exit === 0) return values['sha256'] ?? ''
  throw problem('E_TASK', `backup: ${src} ${values['problem'] ?? 'cannot be read'}`, {
    hint: 'check the path; become: true reads files of root',
  })
}

/** Streams the file through `seal` into `dest`, so that no plain text touches the disk; gives the plain digest. */
async function fetchSealed(t: Target, src: string, dest: string): Promise<string> {
  const hash = createHash('sha256')
  const plain = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  const file = createWriteStream(dest, { mode: 0o600 })
  const [ran] = await Promise.all([t.pipe(send, { src }, { stdout: plain }), t.operator.seal(plain, file)])
  if (ran.exit !== 0) throw problem('E_TASK', `backup: ${src} could not be read to its end`)
  return hash.digest('hex')
}

/** The digest of what the sealed copy opens to. */
async function digestOfSealed(t: Target, dest: string): Promise<string> {
  const hash = createHash('sha256')
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done()
    },
  })
  await t.operator.unseal(createReadStream(dest), sink)
  return hash.digest('hex')
}

/** Of the encrypted bytes, as `sha256sum` prints it. */
async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/**
 * Writes the copy under another name first: a file called `dest` is always whole and proven. What fails leaves nothing: on a full
 * disk the journal and the evidence need the room.
 */
async function keep(t: Target, src: string, dest: string, expected: string): Promise<void> {
  const part = `${dest}.part`
  try {
    await writeProven(t, src, part, expected)
    await rename(part, dest)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

async function writeProven(t: Target, src: string, part: string, expected: string): Promise<void> {
  const sha256 = await fetchSealed(t, src, part)
  if (sha256 !== expected || (await digestOfSealed(t, part)) !== expected)
    throw problem('E_TASK', `backup: the copy of ${src} is not the file`, {
      hint:
        sha256 === expected
          ? 'the encrypted copy is damaged: check the disk'
          : 'the file changed while it was read: try again',
    })
}

/** A run that is resumed finds its own copy; another file under that name is never overwritten. */
async function checkKept(t: Target, src: string, dest: string, expected: string): Promise<void> {
  if ((await digestOfSealed(t, dest)) === expected) return
  throw problem('E_TASK', `backup: another file was kept as ${dest} in this run`, {
    hint: `give the copy of ${src} a name of its own with name:`,
  })
}

export const backup = defineAction({
  name: 'backup',
  summary:
    'Brings a file of the target to the operator’s machine, encrypted, and proves that the copy opens to the same bytes.',
  notes: [
    'The copy lies in the run’s backup folder as `HOST-NAME.age`, encrypted (age) to every recipient of the run.',
    'Proof: the digest taken on the target, of the bytes that came, and of the copy opened again are the same.',
  ],
  params: {
    src: { type: 'path', required: true, aliases: ['path'], doc: 'The file on the target.' },
    name: { type: 'string', doc: 'NAME of the copy. Default: the file’s own.' },
  },
  returns: {
    dest: { doc: 'The copy on the operator’s machine.' },
    sha256: { doc: 'Digest of the file.' },
    size: { doc: 'Bytes of the encrypted copy.' },
    proof: { doc: 'How it was proven.' },
  },
  examples: `
- name: Keep the env file of before
  backup:
    src: /opt/proxpanel/.env.production
`,
  async run(t, { src, name }) {
    const host = t.name.replace(/[^A-Za-z0-9._-]/g, '_')
    const dest = join(await t.operator.backupFolder(), `${host}-${basename(name ?? src)}.age`)
    const expected = await digestOnTarget(t, src)
    const proof = 'the copy was opened again and has the digest that the target gave'
    if (existsSync(dest)) await checkKept(t, src, dest, expected)
    else await keep(t, src, dest, expected)
    const { size } = await stat(dest)
    const sealed = await digestOfFile(dest)
    return {
      changed: true,
      values: { dest, sha256: expected, size, proof },
      backups: [{ path: dest, sha256: sealed, sizeBytes: size, proof }],
    }
  },
})
