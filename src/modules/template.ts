import { readFileSync, statSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { basename } from 'node:path'
import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { Float, type Value } from '../core/value.ts'
import { type FileState, readFile, rereadFile } from '../resources/file.ts'
import { resultOf, showFile, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import { checksumOf, type Text } from '../resources/secret-text.ts'
import { attributes, backup, backupSuffix, readOptions, unsafe_writes, validate } from './file-params.ts'
import { encodeText } from './text-encoding.ts'

const params = {
  src: {
    type: 'path',
    required: true,
    doc: "Template on the operator's machine, looked for in `templates/`.",
  },
  dest: {
    type: 'path',
    required: true,
    doc: 'Where the text goes on the target; in a folder it gets the name of `src`.',
  },
  force: {
    type: 'bool',
    default: true,
    doc: 'Replace a file that is there with other content; else leave it.',
  },
  follow: { type: 'bool', default: false, doc: 'When the destination is a link, write where it leads.' },
  block_start_string: { type: 'string', default: '{%', doc: 'What begins a statement.' },
  block_end_string: { type: 'string', default: '%}', doc: 'What ends a statement.' },
  variable_start_string: { type: 'string', default: '{{', doc: 'What begins an expression.' },
  variable_end_string: { type: 'string', default: '}}', doc: 'What ends an expression.' },
  comment_start_string: { type: 'string', default: '{#', doc: 'What begins a comment.' },
  comment_end_string: { type: 'string', default: '#}', doc: 'What ends a comment.' },
  trim_blocks: { type: 'bool', default: true, doc: 'Take away the line end after a statement.' },
  lstrip_blocks: { type: 'bool', default: false, doc: 'Take away the white space before a statement.' },
  newline_sequence: {
    type: 'string',
    choices: ['\n', '\r', '\r\n', '\\n', '\\r', '\\r\\n'],
    default: '\n',
    doc: 'What lines end with; may be written as `\\\\n`, `\\\\r` or `\\\\r\\\\n`.',
  },
  output_encoding: {
    type: 'string',
    default: 'utf-8',
    doc: 'utf-8, or an encoding of one byte a character, such as windows-1252.',
  },
  backup,
  validate,
  unsafe_writes,
  ...attributes,
  mode: { ...attributes.mode, doc: `${attributes.mode.doc} \`preserve\`: that of the template.` },
} as const
type TemplateArgs = Args<typeof params>

interface TemplateInput {
  readonly args: TemplateArgs
  readonly text: Text
  /** `text` is base64, since it is written in another encoding than UTF-8. */
  readonly encoding?: 'base64' | undefined
  readonly mode: string | undefined
  readonly suffix: string | undefined
}

/** As in Ansible the number of an account that has no name, as in containers. */
function readUserName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? '')
  }
}

/** The names that a template has about itself, as in Ansible. */
function aboutItself(t: Target, args: TemplateArgs, file: string): Readonly<Record<string, Value>> {
  const run = t.operator.now()
  return {
    ansible_managed: 'Ansible managed',
    template_host: hostname(),
    template_uid: readUserName(),
    template_path: args.src,
    template_fullpath: file,
    template_destpath: args.dest,
    template_mtime: statSync(file).mtime.toISOString(),
    template_run_date: run.toISOString(),
    template_run_epoch: new Float(run.getTime() / 1000),
  }
}

function loadTemplate(file: string): string {
  const bytes = readFileSync(file)
  const text = bytes.toString()
  if (!Buffer.from(text).equals(bytes)) throw problem('E_TEMPLATE', `${file} is not UTF-8 text`)
  return text
}

function prepare(t: Target, args: TemplateArgs): TemplateInput {
  const file = t.operator.find('templates', args.src)
  if (statSync(file).isDirectory())
    throw problem('E_FILE', `${file} is a folder, not a template`, {
      hint: 'name one file, or loop over files',
    })
  const text = t.operator.renderFile(loadTemplate(file), file, aboutItself(t, args, file), {
    blockStart: args.block_start_string,
    blockEnd: args.block_end_string,
    variableStart: args.variable_start_string,
    variableEnd: args.variable_end_string,
    commentStart: args.comment_start_string,
    commentEnd: args.comment_end_string,
    trimBlocks: args.trim_blocks,
    lstripBlocks: args.lstrip_blocks,
    newlineSequence: args.newline_sequence.replace('\\r', '\r').replace('\\n', '\n'),
  })
  const isUtf8 = /^(?:utf-?8)?$/i.test(args.output_encoding)
  if (!isUtf8 && text instanceof Secret)
    throw problem('E_PARAMS', 'template: a text that holds a secret is written in UTF-8 only', {
      hint: 'leave out output_encoding',
    })
  const own = (statSync(file).mode & 0o7777).toString(8).padStart(4, '0')
  const mode = args.mode === 'preserve' ? own : args.mode
  const suffix = backupSuffix(t.operator, args.backup)
  if (isUtf8 || text instanceof Secret) return { args, text, mode, suffix }
  const bytes = encodeText(text, args.output_encoding)
  // What is UTF-8 as well is read back as text.
  if (bytes.equals(Buffer.from(bytes.toString()))) return { args, text: bytes.toString(), mode, suffix }
  return { args, text: bytes.toString('base64'), encoding: 'base64', mode, suffix }
}

export const template = defineState<typeof params, FileState, TemplateInput>({
  name: 'template',
  summary: 'Put a file onto the target whose text is made from a template.',
  notes: ['A template that uses a secret makes the whole text secret: --diff does not show it.'],
  params,
  returns: {
    dest: { doc: 'Where it is on the target.' },
    src: { doc: 'The template.' },
    checksum: { doc: 'sha1 of the text; not for secrets.' },
    md5sum: { doc: 'md5 of the text; not for secrets.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
    mode: { doc: 'Permissions.' },
    owner: { doc: 'Name of the user that owns it.' },
    group: { doc: 'Name of the group that owns it.' },
    uid: { doc: 'Number of that user.' },
    gid: { doc: 'Number of that group.' },
    size: { doc: 'Size in bytes.' },
    state: { doc: '`file`.' },
  },
  examples: `
- name: The web server's configuration
  template: { src: panel.conf.j2, dest: /etc/nginx/conf.d/panel.conf, mode: '0644', validate: nginx -t -c %s }
`,
  prepare,
  async read(t, { args, text, suffix }) {
    const isMade = args.dest.endsWith('/')
    return readFile(t, isMade ? `${args.dest}${basename(args.src)}` : args.dest, {
      ...readOptions(args),
      backupSuffix: suffix,
      follow: args.follow,
      into: basename(args.src),
      digest: true,
      ...(isMade ? { above: { mode: '0755', own: false } } : {}),
      ...(text instanceof Secret
        ? { content: 'secret' as const }
        : t.diff
          ? { content: 'plain' as const }
          : {}),
    })
  },
  hasDiffList: true,
  reread: rereadFile,
  want({ args, text, encoding, mode }, before) {
    if (before.kind === 'directory') throw problem('E_TASK', `${before.path} is a directory, not a file`)
    if (!args.force && before.kind !== 'absent') return before
    return wantContent(before, { text, encoding }, mode)
  },
  write: writeFile,
  result({ args, text, encoding }, before, after) {
    const isReplaced = before.kind !== 'absent' && before.sha256 !== after.sha256
    return {
      ...resultOf(after),
      src: args.src,
      dest: after.path,
      checksum: checksumOf(text, encoding),
      md5sum: checksumOf(text, encoding, 'md5'),
      ...(isReplaced && after.terms.backup !== undefined ? { backup_file: after.terms.backup } : {}),
    }
  },
  show: showFile,
})
