import { createHmac } from 'node:crypto'
import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { type FileState, readFile, rereadFile } from '../resources/file.ts'
import { showFile, textOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import { mapText } from '../resources/secret-text.ts'

const params = {
  name: {
    type: 'string',
    required: true,
    aliases: ['host'],
    doc: 'The host, as `[name]:port` when its port is not 22.',
  },
  key: {
    type: 'string',
    doc: 'A line as ssh-keyscan gives it: host, type, key. Needed for `present`; with `absent` only this key goes away.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether the key is to be known.',
  },
  path: { type: 'path', default: '~/.ssh/known_hosts', doc: 'The file.' },
  hash_host: { type: 'bool', default: false, doc: "Keep the host's name as a hash." },
} as const
type HostArgs = Args<typeof params>

interface HostInput {
  readonly args: HostArgs
  readonly salt: Buffer
}

/** OpenSSH's hashed host: `|1|salt|HMAC-SHA1(salt, name)`, both in base64 (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
function hashHost(name: string, salt: Buffer): string {
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}

function isHost(field: string, name: string): boolean {
  const [, version, salt] = field.split('|')
  if (field.startsWith('|'))
    return version === '1' && field === hashHost(name, Buffer.from(salt ?? '', 'base64'))
  return field.split(',').includes(name)
}

interface HostKey {
  /** `@cert-authority` or `@revoked`. */
  readonly marker: string
  readonly hosts: string
  readonly type: string
  readonly blob: string
}

function parseLine(line: string): HostKey | undefined {
  const words = line.trim().split(/\s+/)
  const marker = words[0]?.startsWith('@') ? words.shift()! : ''
  const [hosts, type, blob] = words
  if (hosts === undefined || hosts.startsWith('#') || type === undefined || blob === undefined)
    return undefined
  return { marker, hosts, type, blob }
}

/** The key asked for. Throws E_PARAMS for one that is none, and for one of another host. */
function keyOf({ name, key, state }: HostArgs): HostKey | undefined {
  if (name.includes(','))
    throw problem(
      'E_PARAMS',
      'Comma separated list of names is not supported. Please pass a single name to lookup in the known_hosts file.',
      { hint: 'use a loop over the names' },
    )
  if (key === undefined) {
    if (state === 'absent') return undefined
    throw problem('E_PARAMS', 'No key specified when adding a host', {
      hint: 'give a line of ssh-keyscan as key',
    })
  }
  const lines = key
    .split('\n')
    .map(parseLine)
    .filter(line => line !== undefined)
  const [found] = lines
  if (found === undefined || lines.length > 1)
    throw problem(
      'E_PARAMS',
      `known_hosts: key is ${lines.length === 0 ? 'no line' : 'more than one line'} of a known_hosts file`,
      {
        hint: 'write `key: HOST TYPE KEY`; use a loop for several',
      },
    )
  if (!isHost(found.hosts, name))
    throw problem('E_PARAMS', 'Host parameter does not match hashed host field in supplied key', {
      hint: `the line of the key begins with the name of the host, and here with ${found.hosts}`,
    })
  return found
}

function edit({ args, salt }: HostInput, text: string): string {
  const key = keyOf(args)
  const lines = text.split('\n').filter((line, i, all) => i < all.length - 1 || line !== '')
  const isSame = (found: HostKey) =>
    key === undefined ||
    (found.marker === key.marker &&
      found.type === key.type &&
      (args.state === 'present' || found.blob === key.blob))
  const mine = lines.filter(line => {
    const found = parseLine(line)
    return found !== undefined && isHost(found.hosts, args.name) && isSame(found)
  })
  if (args.state === 'absent') return render(lines.filter(line => !mine.includes(line)))
  const is = (line: string) => {
    const found = parseLine(line)!
    return found.blob === key!.blob && found.hosts.startsWith('|') === args.hash_host
  }
  if (mine.length === 1 && is(mine[0]!)) return text
  const hosts = args.hash_host ? hashHost(args.name, salt) : key!.hosts
  const added = [key!.marker, hosts, key!.type, key!.blob].filter(part => part !== '').join(' ')
  return render([...lines.filter(line => !mine.includes(line)), added])
}
const render = (lines: readonly string[]): string => lines.map(line => `${line}\n`).join('')

/** Ansible registers it always, not only with --diff. */
function diffOf(before: FileState, after: FileState) {
  const header = (state: FileState) => (state.kind === 'absent' ? '/dev/null' : state.path)
  return {
    before: textOf(before),
    after: textOf(after),
    before_header: header(before),
    after_header: header(after),
  }
}

export const knownHosts = defineState<typeof params, FileState, HostInput>({
  name: 'known_hosts',
  summary: 'Keep the key of a host in a known_hosts file of the target, or away.',
  notes: ['Another key of the same type and host is replaced.'],
  params,
  returns: {
    name: { doc: 'The host.' },
    key: { doc: 'As asked for.' },
    path: { doc: 'The file.' },
    hash_host: { doc: 'As asked for.' },
    state: { doc: '`present` or `absent`.' },
  },
  examples: `
- name: The host that backups go to
  known_hosts:
    name: backup.example.org
    key: backup.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
`,
  prepare(t, args) {
    keyOf(args)
    return { args, salt: t.operator.random(20) }
  },
  read: (t, { args }) =>
    readFile(t, args.path, { follow: true, content: 'plain', above: { mode: '0700', own: false } }),
  reread: rereadFile,
  want(input, before) {
    if (before.kind === 'absent' && input.args.state === 'absent') return before
    const text = mapText([textOf(before)], plain => edit(input, plain))
    return wantContent(before, { text }, before.kind === 'absent' ? '0600' : undefined)
  },
  write: writeFile,
  result: ({ args }, before, after) => ({ ...args, key: args.key ?? null, diff: diffOf(before, after) }),
  show: showFile,
})
