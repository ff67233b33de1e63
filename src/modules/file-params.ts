import { problem } from '../core/error.ts'
import type { Operator } from '../core/module.ts'
import type { ReadOptions } from '../resources/file.ts'
import { parseWords } from './command-words.ts'

/** Options that every module that makes a file shares. */
export const attributes = {
  mode: {
    type: 'mode',
    doc: "Permissions: `'0644'` or `u=rw,g=r`. Default: as it is; for something new what umask 022 leaves.",
  },
  owner: { type: 'string', doc: 'User that owns it, by name or number. Default: as it is.' },
  group: { type: 'string', doc: 'Group that owns it, by name or number. Default: as it is.' },
  attributes: {
    type: 'string',
    aliases: ['attr'],
    doc: 'Attributes as chattr has them: `+i` adds, `-i` takes away, `Ai` or `=Ai` are all there are to be. Refused where the file system keeps none.',
  },
  seuser: { type: 'string', doc: 'User of the SELinux context. Refused on a host without SELinux.' },
  serole: { type: 'string', doc: 'Role of the SELinux context. Refused on a host without SELinux.' },
  setype: { type: 'string', doc: 'Type of the SELinux context. Refused on a host without SELinux.' },
  selevel: {
    type: 'string',
    doc: 'Level (MLS/MCS range) of the SELinux context. Refused on a host without SELinux.',
  },
} as const

/** Options of modules that replace a file's content. */
export const unsafe_writes = {
  type: 'bool',
  doc: 'Where the file cannot be replaced by renaming (one that is mounted into a container), write into it: a reader may see half of it. Default: what ANSIBLE_UNSAFE_WRITES says in the task’s `environment`, else no.',
} as const

export const backup = {
  type: 'bool',
  default: false,
  doc: 'Copy the file beside itself, with the time in the name, before its content is replaced.',
} as const

export const validate = {
  type: 'string',
  doc: 'Command that has to accept the new content before it is put in place; `%s` is the file. Run without a shell.',
} as const

/** The name a backup has behind the file's: `.PID.DATE@TIME~` as in Ansible; the number is random, the time is UTC. */
export function backupSuffix(operator: Operator, isWanted: boolean): string | undefined {
  if (!isWanted) return undefined
  const time = operator.now().toISOString().slice(0, 19).replace('T', '@')
  return `.${operator.random(2).readUInt16BE()}.${time}~`
}

interface Given {
  readonly owner?: string
  readonly group?: string
  readonly validate?: string
  readonly unsafe_writes?: boolean
  readonly attributes?: string
  readonly seuser?: string
  readonly serole?: string
  readonly setype?: string
  readonly selevel?: string
}

/** Throws E_PARAMS for letters that chattr(1) has not. */
function parseFlags(text: string): string {
  if (/^[-+=]?[aAcCdDijmPsStTux]*$/.test(text)) return text
  throw problem('E_PARAMS', `attributes: ${text} are no attributes of chattr`, {
    hint: 'write for instance +i, -A or =aS',
  })
}

/** `_default` is the policy's, so that nothing is asked for. */
function contextOption(args: Given): Pick<ReadOptions, 'context'> {
  const given = [args.seuser, args.serole, args.setype, args.selevel]
  if (given.every(part => part === undefined)) return {}
  const [user, role, type, level] = given.map(part => (part === '_default' ? undefined : part))
  return { context: { user, role, type, level } }
}

/** What of the arguments a read needs to know. */
export function readOptions(args: Given): ReadOptions {
  if (args.validate !== undefined && !args.validate.includes('%s'))
    throw problem('E_PARAMS', `validate must contain %s: ${args.validate}`, {
      hint: 'write %s where the command takes the file',
    })
  return {
    owner: args.owner,
    group: args.group,
    unsafe: args.unsafe_writes,
    ...(args.attributes === undefined ? {} : { flags: parseFlags(args.attributes) }),
    ...contextOption(args),
    ...(args.validate === undefined ? {} : { validate: parseWords(args.validate) }),
  }
}
