import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isVaultText } from '../core/ansible-text.ts'
import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { parseRegex } from '../core/python-regex.ts'
import { Secret } from '../core/secret.ts'
import { type FileState, readFile } from '../resources/file.ts'
import { type FileSet, listFolder, rereadSet, writeSet } from '../resources/file-set.ts'
import { resultOf, showFile, wantContent } from '../resources/file-want.ts'
import { checksumOf, mapText, type Text } from '../resources/secret-text.ts'
import { attributes, backup, backupSuffix, readOptions, unsafe_writes, validate } from './file-params.ts'
import { backupResult } from './text-file.ts'

const params = {
  src: { type: 'path', required: true, doc: 'Folder that holds the fragments.' },
  dest: { type: 'path', required: true, doc: 'File of the target that is made of them.' },
  remote_src: {
    type: 'bool',
    default: true,
    doc: "`src` is on the target; else on the operator's machine, looked for in `files/`.",
  },
  delimiter: {
    type: 'string',
    doc: 'Goes between two fragments; `\\n` and `\\t` mean what they mean in Python.',
  },
  regexp: { type: 'string', doc: 'Python regular expression: only fragments whose names it is found in.' },
  decrypt: {
    type: 'bool',
    default: true,
    doc: 'With `remote_src: false`: open fragments that are vault files; what is made of them is a secret then.',
  },
  ignore_hidden: { type: 'bool', default: false, doc: 'Leave out names that begin with a dot.' },
  backup,
  validate,
  unsafe_writes,
  ...attributes,
} as const
type AssembleArgs = Args<typeof params>

/** What a fragment holds: text or base64. */
type Fragment = { readonly text: Text; readonly encoding?: 'base64' | undefined }

interface AssembleInput {
  readonly args: AssembleArgs
  /** Of the operator's machine; undefined with remote_src. */
  readonly local: readonly Fragment[] | undefined
  readonly suffix: string | undefined
}

function isFragment({ regexp, ignore_hidden }: AssembleArgs, name: string): boolean {
  if (ignore_hidden && name.startsWith('.')) return false
  return regexp === undefined || name.search(parseRegex(regexp)) >= 0
}

function loadFragments(t: Target, args: AssembleArgs): readonly Fragment[] {
  const folder = t.operator.find('files', args.src)
  if (!statSync(folder).isDirectory())
    throw problem('E_TASK', `Source (${args.src}) is not a directory`, {
      hint: 'src is a folder of fragments',
    })
  return readdirSync(folder)
    .sort()
    .filter(name => isFragment(args, name) && statSync(join(folder, name)).isFile())
    .map(name => loadFragment(t, join(folder, name), args.decrypt))
}

function loadFragment(t: Target, path: string, isDecrypted: boolean): Fragment {
  const bytes = readFileSync(path)
  const isVault = isDecrypted && isVaultText(bytes)
  return isVault ? t.operator.openVault(bytes.toString('latin1'), path) : fragmentOf(bytes)
}

function fragmentOf(bytes: Buffer): Fragment {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? { text } : { text: bytes.toString('base64'), encoding: 'base64' }
}

async function readFragments(t: Target, args: AssembleArgs): Promise<readonly FileState[]> {
  const folder = await readFile(t, args.src, { follow: true, content: 'none' })
  if (folder.kind !== 'directory')
    throw problem(
      'E_TASK',
      `Source (${args.src}) ${folder.kind === 'absent' ? 'does not exist' : 'is not a directory'}`,
      {
        hint: "set remote_src: false when the fragments are on the operator's machine",
      },
    )
  const { real } = folder.terms
  const names = (await listFolder(t, real))
    .map(one => one.relative)
    .filter(name => name !== '' && !name.includes('/') && isFragment(args, name))
  const read = names.map(name => readFile(t, `${real}/${name}`, { follow: true, content: 'plain' }))
  return (await Promise.all(read)).filter(one => one.kind === 'file')
}

/** `\n`, `\t`, `\\`, `\x41` as Python's string_escape has them. */
function parseEscapes(text: string): string {
  const single: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    r: '\r',
    '\\': '\\',
    "'": "'",
    '"': '"',
  }
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|([ntr\\'"]))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? single[letter]! : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

const NEWLINE = 10

/** Fragments one after the other; each begins on a line of its own, after the delimiter's. */
function concatenate(fragments: readonly Buffer[], delimiter: string | undefined): Buffer {
  const between = delimiter === undefined ? '' : parseEscapes(delimiter)
  const parts = fragments.flatMap((fragment, i) => {
    const above = fragments[i - 1]
    const isOpen = above !== undefined && above.at(-1) !== NEWLINE
    const line = above === undefined || between === '' ? '' : between.replace(/([^\n])$/, '$1\n')
    return [Buffer.from(`${isOpen ? '\n' : ''}${line}`), fragment]
  })
  return Buffer.concat(parts)
}

/** What the file is to hold: a secret when one of the fragments is. */
function contentFor(
  { args, local }: AssembleInput,
  sources: readonly FileState[] | undefined,
): { text: Text; encoding?: 'base64' } {
  const fragments: readonly Fragment[] =
    local ?? (sources ?? []).map(({ content = '', encoding }) => ({ text: content, encoding }))
  const isBinary = fragments.some(({ encoding }) => encoding !== undefined)
  const text = mapText(
    fragments.map(one => one.text),
    (...plain) =>
      concatenate(
        plain.map((one, i) => Buffer.from(one, fragments[i]!.encoding ?? 'utf8')),
        args.delimiter,
      ).toString(isBinary ? 'base64' : 'utf8'),
  )
  return isBinary ? { text, encoding: 'base64' } : { text }
}

export const assemble = defineState<typeof params, FileSet, AssembleInput>({
  name: 'assemble',
  summary: 'Make one file of the fragments in a folder, in the order of their names.',
  params,
  returns: {
    dest: { doc: 'The file.' },
    src: { doc: 'The folder.' },
    checksum: { doc: 'sha1 of the content.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
    mode: { doc: 'Permissions.' },
    owner: { doc: 'Name of the user that owns it.' },
    group: { doc: 'Name of the group that owns it.' },
    size: { doc: 'Size in bytes.' },
  },
  examples: `
- name: One file of all the parts
  assemble: { src: /etc/panel/conf.d, dest: /etc/panel/panel.conf, mode: '0640' }
`,
  prepare: (t, args) => ({
    args,
    local: args.remote_src ? undefined : loadFragments(t, args),
    suffix: backupSuffix(t.operator, args.backup),
  }),
  async read(t, { args, local, suffix }) {
    const sources = local === undefined ? await readFragments(t, args) : []
    const isSecret = local?.some(({ text }) => text instanceof Secret) ?? false
    const dest = await readFile(t, args.dest, {
      ...readOptions(args),
      backupSuffix: suffix,
      follow: true,
      digest: true,
      ...(isSecret ? { content: 'secret' } : t.diff ? { content: 'plain' } : {}),
    })
    if (dest.kind === 'directory') throw problem('E_TASK', `Destination ${args.dest} is a directory`)
    return { files: [dest], sources }
  },
  hasDiffList: true,
  reread: rereadSet,
  want(input, before) {
    const content = contentFor(input, before.sources)
    return { ...before, files: [wantContent(before.files[0]!, content, input.args.mode)] }
  },
  write: writeSet,
  result(input, before, after) {
    const [file] = after.files
    const content = contentFor(input, before.sources)
    return {
      ...resultOf(file!),
      checksum: checksumOf(content.text, content.encoding),
      src: input.args.src,
      dest: file!.path,
      msg: 'OK',
      ...backupResult(before.files[0]!, file!),
    }
  },
  show: set => showFile(set.files[0]!),
})
