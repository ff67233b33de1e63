import { dirname } from 'node:path'
import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { accept, type FileState, readFile } from '../resources/file.ts'
import { type FileSet, rereadSet, writeSet } from '../resources/file-set.ts'
import { resultOf, showFile, textOf, wantAttributes, wantContent } from '../resources/file-want.ts'
import { mapText } from '../resources/secret-text.ts'
import { download, downloadParams, plainDownload } from './download.ts'
import { type AuthorizedKey, parseAuthorizedKey, renderAuthorizedKey } from './ssh-keys.ts'

const params = {
  user: { type: 'string', required: true, doc: 'The user that the keys let in.' },
  key: {
    type: 'string',
    required: true,
    doc: 'Public keys, one a line; or an http or https URL of such lines.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether they are to be there. `absent` means the key itself, whatever its options and comment are.',
  },
  path: { type: 'path', doc: 'The file. Default: `.ssh/authorized_keys` in the home folder of the user.' },
  manage_dir: {
    type: 'bool',
    default: true,
    doc: 'Make the folder of the file, for this user alone. Set it to false with a `path` of the system.',
  },
  key_options: { type: 'string', doc: 'Options before the key, as sshd has them: `no-pty,from="10.0.0.1"`.' },
  comment: { type: 'string', doc: 'Replaces the comments of the keys.' },
  exclusive: { type: 'bool', default: false, doc: 'Remove all other lines.' },
  follow: { type: 'bool', default: false, doc: 'When the file is a link, write where it leads.' },
  validate_certs: downloadParams.validate_certs,
} as const
type KeyArgs = Args<typeof params>

interface KeyInput {
  readonly args: KeyArgs
  readonly keys: readonly AuthorizedKey[]
}

const homeScript = sh`
if command -v getent >/dev/null 2>&1; then
  row=$(getent passwd "$p_user")
else
  while IFS= read -r row; do case $row in "$p_user":*) break ;; *) row= ;; esac; done </etc/passwd
fi
case $row in "$p_user":*) rt_set row "$row" ;; *) exit 3 ;; esac
`

/** The keys asked for. Throws E_PARAMS for a line that is none. */
function parseKeys(args: KeyArgs, text: string): readonly AuthorizedKey[] {
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.trim().startsWith('#'))
  return lines.map(line => {
    const key = parseAuthorizedKey(line)
    if (key === undefined)
      throw problem('E_PARAMS', `invalid key specified: ${line}`, {
        hint: 'a public key looks like `ssh-ed25519 AAAA… comment`',
      })
    return { ...key, options: args.key_options ?? key.options, comment: args.comment ?? key.comment }
  })
}

async function loadKeys(t: Target, args: KeyArgs): Promise<string> {
  if (!/^https?:/.test(args.key)) return args.key
  const { response } = await download(t, args.key, {
    ...plainDownload,
    timeout: 10,
    validate_certs: args.validate_certs,
  })
  return response.body.toString()
}

async function read(t: Target, { args }: KeyInput): Promise<FileSet> {
  const ran = await t.run(homeScript, { user: args.user })
  if (ran.exit === 3 && !t.check)
    throw problem('E_TASK', `Failed to lookup user ${args.user}: there is no such user`, {
      hint: 'make it first, with the user module',
    })
  const [, , , gid, , home] = (ran.exit === 3 ? '' : (accept(t, ran).values['row'] ?? '')).split(':')
  const path = args.path ?? `${home || `/home/${args.user}`}/.ssh/authorized_keys`
  const owned = { owner: args.user, ...(gid === undefined ? {} : { group: gid }) }
  const folder = await readFile(t, dirname(path), {
    ...owned,
    follow: true,
    above: { mode: '0755', own: true },
  })
  const file = await readFile(t, path, { ...owned, follow: args.follow, content: 'plain' })
  return { files: [folder, file] }
}

/** Keys that differ in options or comment give way; a key that is new comes last. */
function editKeys({ args, keys }: KeyInput, text: string): string {
  const lines = text.split('\n').filter((line, i, all) => i < all.length - 1 || line !== '')
  const render = new Set(keys.map(renderAuthorizedKey))
  const blobs = new Set(keys.map(key => key.blob))
  const kept = lines.filter(line => {
    const found = parseAuthorizedKey(line)
    // Whatever a line is that this does not know, sshd may know it for a key.
    if (found === undefined) return !args.exclusive || args.state === 'absent'
    if (args.state === 'absent') return !blobs.has(found.blob)
    return blobs.has(found.blob) ? render.has(renderAuthorizedKey(found)) : !args.exclusive
  })
  const there = new Set(kept.flatMap(line => parseAuthorizedKey(line)?.blob ?? []))
  const added =
    args.state === 'absent' ? [] : keys.filter(key => !there.has(key.blob)).map(renderAuthorizedKey)
  return [...kept, ...new Set(added)].map(line => `${line}\n`).join('')
}

function want(input: KeyInput, before: FileSet): FileSet {
  const [folder, file] = before.files as readonly [FileState, FileState]
  const { args } = input
  if (file.kind === 'absent' && args.state === 'absent') return before
  const text = mapText([textOf(file)], plain => editKeys(input, plain))
  if (file.kind === 'file' && text === file.content) return before
  const isMade = args.manage_dir && folder.kind !== 'directory'
  const made: FileState = isMade
    ? {
        path: folder.path,
        kind: 'directory',
        ...wantAttributes(folder, 'directory', '0700'),
        terms: folder.terms,
      }
    : folder
  if (!args.manage_dir && folder.kind !== 'directory')
    throw problem('E_TASK', `the folder ${folder.path} does not exist`, {
      hint: 'make it first, or set manage_dir: true',
    })
  return { files: [made, wantContent(file, { text }, '0600')] }
}

export const authorizedKey = defineState<typeof params, FileSet, KeyInput>({
  name: 'authorized_key',
  summary: 'Let SSH keys in as a user, or keep them out.',
  params,
  returns: {
    user: { doc: 'The user.' },
    key: { doc: 'The keys as asked for.' },
    keyfile: { doc: 'The file.' },
    path: { doc: 'The file, when asked for.' },
    state: { doc: '`present` or `absent`; with `path` what the file is.' },
    exclusive: { doc: 'As asked for.' },
    manage_dir: { doc: 'As asked for.' },
    key_options: { doc: 'As asked for.' },
  },
  examples: `
- name: Let the deployment in
  ansible.posix.authorized_key:
    user: deploy
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl deploy@ci
    key_options: no-port-forwarding,no-agent-forwarding
`,
  async prepare(t, args) {
    return { args, keys: parseKeys(args, await loadKeys(t, args)) }
  },
  read,
  reread: rereadSet,
  want,
  write: writeSet,
  result: ({ args }, _before, after) => ({
    ...args,
    key_options: args.key_options ?? null,
    comment: args.comment ?? null,
    path: args.path ?? null,
    ...(args.path === undefined ? {} : resultOf(after.files[1]!)),
    keyfile: after.files[1]!.path,
  }),
  show: set => showFile(set.files[1]!),
})
