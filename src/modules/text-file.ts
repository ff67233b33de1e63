import { problem } from '../core/error.ts'
import type { StateModule, Target } from '../core/module.ts'
import type { Params } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { type FileState, readFile, rereadFile } from '../resources/file.ts'
import { resultOf, showFile, textOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import { editText, type Text } from '../resources/secret-text.ts'
import { attributes, backup, backupSuffix, readOptions, unsafe_writes, validate } from './file-params.ts'

/** Options that all modules share that edit a text file in place. */
export const editParams = {
  path: {
    type: 'path',
    required: true,
    aliases: ['dest', 'destfile', 'name'],
    doc: 'File to edit. A link is followed.',
  },
  backup,
  validate,
  unsafe_writes,
  ...attributes,
} as const

/** Their arguments. */
export interface EditArgs {
  readonly path: string
  readonly mode?: string
  readonly owner?: string
  readonly group?: string
  readonly validate?: string
  readonly backup: boolean
  readonly unsafe_writes?: boolean
}

/** The arguments, and the name that a backup gets. */
export interface EditInput<A extends EditArgs> {
  readonly args: A
  readonly suffix: string | undefined
}
export function prepareEdit<A extends EditArgs>(t: Target, args: A): EditInput<A> {
  return { args, suffix: backupSuffix(t.operator, args.backup) }
}

/** Reads the file with its content, which is a Secret when one of `texts` is. Links are followed. */
function readText(
  t: Target,
  { args, suffix }: EditInput<EditArgs>,
  texts: readonly (Text | undefined)[],
  isMade: boolean,
): Promise<FileState> {
  return readFile(t, args.path, {
    ...readOptions(args),
    backupSuffix: suffix,
    follow: true,
    content: texts.some(text => text instanceof Secret) ? 'secret' : 'plain',
    ...(isMade ? { above: { mode: '0755', own: false } } : {}),
  })
}

/** The text after the edit and what is said of it. */
export interface Edited {
  readonly text: string
  readonly value: string
}
/** A pure edit: the file's lines of text, then the texts of the arguments in their order. */
export type Edit = (text: string, ...given: string[]) => Edited

/** Throws E_TASK for a directory, and for a file that is missing and is not to be made. */
export function requireFile(before: FileState, isMade: boolean): void {
  if (before.kind === 'directory')
    throw problem('E_TASK', `Path ${before.path} is a directory !`, { values: { rc: 256 } })
  if (before.kind === 'absent' && !isMade)
    throw problem('E_TASK', `Destination ${before.path} does not exist !`, {
      hint: 'set create: true where the module has it, or make the file first',
      values: { rc: 257 },
    })
}

/** What the modules do that edit one text file, by the edit and by what of the arguments decides how the file is read. */
export function editing<A extends EditArgs>(
  edit: (input: EditInput<A>, before: FileState) => WantedEdit,
  textsOf: (args: A) => readonly (Text | undefined)[],
  isMade: (args: A) => boolean = () => false,
) {
  return {
    read: (t, input) => readText(t, input, textsOf(input.args), isMade(input.args)),
    reread: rereadFile,
    want: (input, before) => edit(input, before).after,
    write: writeFile,
    result: (input, before, after) => editResult(before, after, edit(input, before).message),
    show: showFile,
  } satisfies Partial<StateModule<Params, FileState, EditInput<A>>>
}

export interface WantedEdit {
  readonly after: FileState
  readonly message: string
}
export function wantEdit(before: FileState, args: EditArgs, given: readonly Text[], edit: Edit): WantedEdit {
  const edited = editText([textOf(before), ...given], edit)
  return { after: wantContent(before, { text: edited.text }, args.mode), message: edited.value }
}

/** `msg`, `backup_file` and the attributes, as Ansible's editing modules return them. */
export function editResult(before: FileState, after: FileState, message: string) {
  const isMoved =
    before.kind === after.kind &&
    (before.mode !== after.mode || before.owner !== after.owner || before.group !== after.group)
  const attributes = 'ownership, perms or SE linux context changed'
  const said = message === '' ? attributes : `${message} and ${attributes}`
  return {
    ...resultOf(after),
    path: after.path,
    msg: isMoved ? said : message,
    ...backupResult(before, after),
  }
}

/** `backup_file`, when one is made. */
export function backupResult(before: FileState, after: FileState): { readonly backup_file?: string } {
  const isReplaced = before.kind === 'file' && after.kind === 'file' && before.sha256 !== after.sha256
  return isReplaced && after.terms.backup !== undefined ? { backup_file: after.terms.backup } : {}
}
