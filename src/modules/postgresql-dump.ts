import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { type Dump, dumpOf } from '../resources/postgres-dump.ts'
import { loginParams, viaOf } from './postgresql-login.ts'

interface Sealed {
  readonly path: string
  readonly sha256: string
  readonly sizeBytes: number
}

/** Streams the dump into an encrypted file; one that could not be finished is removed. */
async function writeSealed(t: Target, dump: Dump, path: string): Promise<Sealed> {
  const plain = new PassThrough()
  const sealing = t.operator.seal(plain, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
  const dumping = dump.run(plain).catch((error: unknown) => {
    plain.destroy(error instanceof Error ? error : new Error(String(error)))
    throw error
  })
  const [dumped, sealed] = await Promise.allSettled([dumping, sealing])
  if (dumped.status === 'rejected' || sealed.status === 'rejected') {
    await rm(path, { force: true })
    throw dumped.status === 'rejected' ? dumped.reason : (sealed as PromiseRejectedResult).reason
  }
  return { path, ...sealed.value }
}

/** Opens the sealed file with the operator's identity and lets the dump prove it. */
async function proveSealed(t: Target, dump: Dump, path: string): Promise<string> {
  const plain = new PassThrough()
  const opening = t.operator.unseal(createReadStream(path), plain).catch((error: unknown) => {
    plain.destroy(error instanceof Error ? error : new Error(String(error)))
    throw error
  })
  const [opened, proof] = await Promise.allSettled([opening, dump.prove(plain)])
  if (proof.status === 'rejected') throw proof.reason
  if (opened.status === 'rejected') throw opened.reason
  return proof.value
}

const store = sh`
umask 077
temp=$(mktemp "$p_dest.XXXXXX") || exit 1
trap 'rm -f -- "$temp"' EXIT
cat >"$temp" || exit 1
if command -v sha256sum >/dev/null 2>&1; then
  sum=$(sha256sum <"$temp")
  case $sum in "$p_sha256"*) ;; *) rt_set problem "the bytes arrived damaged"; exit 1 ;; esac
fi
mv -f -- "$temp" "$p_dest"
`

async function copyToHost(t: Target, sealed: Sealed, dest: string): Promise<void> {
  const ran = await t.pipe(
    store,
    { dest, sha256: sealed.sha256 },
    { stdin: createReadStream(sealed.path), stdout: new PassThrough().resume() },
  )
  if (ran.exit === 0) return
  const said = ran.values['problem'] ?? ran.stderr.toString('utf8').trim()
  throw problem('E_TASK', `the encrypted copy ${dest} cannot be written: ${t.redactor.clean(said)}`, {
    hint: 'check the folder and the free space of the host',
  })
}

export const postgresqlDump = defineAction({
  name: 'postgresql_dump',
  summary:
    'Backs a PostgreSQL database up, encrypted, to the operator’s machine, and proves that it can be restored.',
  notes: [
    'The dump flows through the connection straight into the encryption: no plaintext touches a disk, here or on the host.',
    'With psql or compose it is pg_dump’s custom format. With forward, for hosts without pg_dump, it is a SQL script made from the catalogues, which is restored into a scratch database on the same server; roles, owners, grants and comments are not in that, and what it cannot hold is refused by name.',
  ],
  params: {
    ...loginParams,
    name: {
      type: 'string',
      default: '',
      doc: 'Name of the file in the run’s backup folder; default: made of host, database and time.',
    },
    proof: {
      type: 'string',
      choices: ['read', 'restore'],
      default: 'read',
      doc: 'pg_restore reads the whole archive, or restores it into a scratch database on the same server. A SQL script is always restored.',
    },
    host_dest: { type: 'path', doc: 'Also keep a copy of the encrypted file here on the host, mode 0600.' },
  },
  returns: {
    path: { doc: 'The encrypted file on the operator’s machine.' },
    sha256: { doc: 'SHA-256 of the encrypted file.' },
    size_bytes: { doc: 'Its size.' },
    kind: { doc: '`pg_dump` (custom format) or `sql` (script).' },
    proof: { doc: 'How it was proven.' },
    host_path: { doc: 'The encrypted copy on the host.' },
  },
  examples: `
- name: Dump the database before touching it
  postgresql_dump:
    compose_project_dir: /opt/proxpanel
    compose_files: [infra/deploy/docker-compose.production.yml]
    compose_env_file: .env.production
    compose_service: postgres
    proof: restore
`,
  async run(t, args) {
    if (/[/\0]/.test(args.name) || args.name.startsWith('.'))
      throw problem('E_PARAMS', `postgresql_dump: ${JSON.stringify(args.name)} is no file name`, {
        hint: 'give a name without folders: it is put into the run’s backup folder',
      })
    const via = viaOf(args)
    const dump = dumpOf(t, via, args.proof)
    const stamp = t.operator
      .now()
      .toISOString()
      .replace(/[-:]|\.\d+/g, '')
    const database = (via.database ?? 'database').replace(/[^A-Za-z0-9_-]/g, '_')
    const host = t.name.replace(/[^A-Za-z0-9._-]/g, '_')
    const name = args.name || `${host}-${database}-${stamp}.${dump.kind === 'sql' ? 'sql' : 'dump'}.age`
    const sealed = await writeSealed(t, dump, join(await t.operator.backupFolder(), name))
    const proof = await proveSealed(t, dump, sealed.path)
    if (args.host_dest !== undefined) await copyToHost(t, sealed, args.host_dest)
    return {
      changed: true,
      values: {
        path: sealed.path,
        sha256: sealed.sha256,
        size_bytes: sealed.sizeBytes,
        kind: dump.kind,
        proof,
        ...(args.host_dest === undefined ? {} : { host_path: args.host_dest }),
      },
      backups: [{ path: sealed.path, sha256: sealed.sha256, sizeBytes: sealed.sizeBytes, proof }],
    }
  },
})
