import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Ran } from '../core/remote.ts'
import { Secret } from '../core/secret.ts'
import { type Account, type FileKind, type Fresh, parseFresh, parseLook, parseWanted } from './file-look.ts'
import { type Marks, type MarkTerms, parseMarks } from './file-marks.ts'
import { fileScript } from './file-script.ts'
import { findInstallHint } from './missing-program.ts'
import { sha256Of, type Text } from './secret-text.ts'

/** What is fixed when a file is first read, and the same in the states before and after: how to read it again and how to write. */
export type FileTerms = MarkTerms & {
  readonly follow: boolean
  /** Whether states hold the content, and as what. */
  readonly content: 'none' | 'plain' | 'secret'
  /** Whether states hold the sha256 of the content. */
  readonly digest: boolean
  /** Whether states hold the time of modification. */
  readonly times: boolean
  /** Where the file is when all links are followed; contains a slash. */
  readonly real: string
  /** The target can set fractions of a second. */
  readonly hasFractions?: boolean | undefined
  /** What was found at first; a write towards it is an undo: it is not validated and not backed up. */
  readonly found: string | Secret
  /** How many folders above did not exist. */
  readonly missing: number
  /** What something made here gets; only where no file or directory was found. */
  readonly fresh?: Fresh | undefined
  /** The accounts asked for, as the target knows them. */
  readonly owner?: Account | undefined
  readonly group?: Account | undefined
  readonly sameAs?: string | undefined
  /** Mode of folders made above, and whether they get the file's owner and group too. */
  readonly above?: { readonly mode: string; readonly own: boolean } | undefined
  /** Words of the command that has to accept new content; `%s` stands for the file. */
  readonly validate?: readonly string[] | undefined
  /** Write into the file when it cannot be replaced. */
  readonly unsafe?: boolean | undefined
  /** Path of the copy that is made before content is replaced. */
  readonly backup?: string | undefined
  /** Where content comes from that states do not hold: a file on the target. */
  readonly source?: string | undefined
  /** The same, too big to hold: a file on the operator's machine. */
  readonly upload?: string | undefined
  /** Tells secrets apart in a diff. */
  readonly showKey: string
}

/** What one path of a target holds. Plain data; `path` says where. */
export type FileState = Marks & {
  readonly path: string
  readonly kind: FileKind
  /** As in '0644'. */
  readonly mode?: string | undefined
  readonly owner?: Account | undefined
  readonly group?: Account | undefined
  readonly sizeBytes?: number | undefined
  readonly sha256?: Text | undefined
  readonly content?: Text | undefined
  /** The content is binary, held as base64. */
  readonly encoding?: 'base64' | undefined
  /** Where a link points. */
  readonly target?: string | undefined
  /** Seconds since 1970, with microseconds where the target has them. */
  readonly modifiedAt?: number | undefined
  readonly terms: FileTerms
}

export interface ReadOptions {
  readonly follow?: boolean
  readonly content?: FileTerms['content']
  readonly digest?: boolean
  readonly times?: boolean
  /** When `path` is a directory, the name of the file meant in it. */
  readonly into?: string
  /** Something of another kind may be put in its place, so that what that gets has to be known. */
  readonly fresh?: boolean
  /** Accounts by name or number. A name that does not exist is E_TASK, except in check mode. */
  readonly owner?: string | undefined
  readonly group?: string | undefined
  readonly flags?: MarkTerms['flags']
  readonly context?: MarkTerms['context']
  readonly isAccessed?: boolean
  readonly sameAs?: string | undefined
  readonly above?: FileTerms['above']
  readonly validate?: readonly string[] | undefined
  /** What to put after the path for the name of a backup. */
  readonly backupSuffix?: string | undefined
  /** Undefined: as the task's environment has it. */
  readonly unsafe?: boolean | undefined
  readonly source?: string | undefined
  readonly upload?: string | undefined
}

/** The variable by which Ansible's modules are told to write unsafely where the task does not say. */
const isUnsafe = ({ environment }: Target): boolean =>
  /^(?:1|y|yes|on|true)$/i.test(String(environment['ANSIBLE_UNSAFE_WRITES'] ?? ''))

/** More content than this is never held in a state: refused. */
export const CONTENT_LIMIT_BYTES = 16 * 1024 * 1024

/**
 * Reads what is at `path`: one round trip, no side effect. In a rotation's change phase content is always read, so that
 * it can be put back. Throws E_TASK: no permission, a loop of links, content over 16 MiB.
 */
export async function readFile(t: Target, path: string, options: ReadOptions = {}): Promise<FileState> {
  const terms = {
    follow: options.follow ?? false,
    content: options.content ?? (t.undoable ? 'plain' : 'none'),
    digest: options.digest ?? false,
    times: options.times ?? false,
    sameAs: options.sameAs,
    above: options.above,
    validate: options.validate,
    source: options.source,
    upload: options.upload,
    flags: options.flags,
    context: options.context,
    ...(options.isAccessed ? { isAccessed: true } : {}),
    ...((options.unsafe ?? isUnsafe(t)) ? { unsafe: true } : {}),
  }
  const ran = await look(t, parsePath(path), terms, options)
  const found = parseRead(ran, terms)
  const name = (key: 'owner' | 'group') =>
    parseWanted(t, ran.values[key], key, options[key], found.state.kind !== 'absent')
  const backup = options.backupSuffix === undefined ? undefined : `${found.real}${options.backupSuffix}`
  return {
    ...found.state,
    terms: {
      ...terms,
      real: found.real,
      found: found.state.sha256 ?? found.state.kind,
      missing: Number(ran.values['missing'] ?? 0),
      fresh: parseFresh(ran.values['fresh']),
      owner: name('owner'),
      group: name('group'),
      backup,
      ...(ran.values['fractions'] === '1' ? { hasFractions: true } : {}),
      freshContext: ran.values['fresh_context'],
      showKey: t.operator.random(8).toString('hex'),
    },
  }
}

/** What is at that state's path now, in the same terms. */
export async function rereadFile(t: Target, state: FileState): Promise<FileState> {
  const ran = await look(t, state.path, state.terms, {})
  const found = parseRead(ran, state.terms)
  const { accessedAt } = state
  return {
    ...found.state,
    ...(accessedAt === undefined || found.state.kind === 'absent' ? {} : { accessedAt }),
    path: state.path,
    terms: { ...state.terms, real: found.real },
  }
}

type Looking = Pick<FileTerms, 'follow' | 'content' | 'digest' | 'times' | 'sameAs' | keyof MarkTerms>

async function look(t: Target, path: string, terms: Looking, options: ReadOptions): Promise<Ran> {
  const ran = await t.run(fileScript, {
    do: 'read',
    path,
    follow: terms.follow,
    into: options.into,
    content: terms.content !== 'none',
    max: CONTENT_LIMIT_BYTES,
    digest: terms.digest,
    fresh: options.fresh ?? false,
    owner: options.owner,
    group: options.group,
    same_as: terms.sameAs,
    flags: terms.flags !== undefined,
    context: terms.context !== undefined,
    accessed: terms.isAccessed ?? false,
    times: terms.times,
  })
  return accept(t, ran)
}

/** Without doubled slashes and without one at the end, but otherwise as it is: `..` means what the target says. */
export function parsePath(path: string): string {
  return path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
}

/** The Ran itself when the script ended well. Throws E_TASK with what the script or the tools it called said. */
export function accept(t: Target, ran: Ran): Ran {
  if (ran.exit === 0) return ran
  const said = t.redactor.clean(ran.stderr.toString().trim())
  throw problem('E_TASK', said === '' ? `the script ended with exit status ${ran.exit}` : said, {
    hint:
      findInstallHint(ran.values, said) ??
      'look on the host: free space (df -h), owner and mode of the folder',
  })
}

interface Read {
  readonly real: string
  readonly state: Omit<FileState, 'terms'>
}

function parseRead(ran: Ran, terms: Looking): Read {
  const real = ran.values['real'] ?? ''
  const path = (ran.values['path'] ?? '').replace(/^\.\//, '')
  const line = ran.values['stat'] ?? 'absent'
  if (line === 'absent') return { real, state: { path, kind: 'absent' } }
  const { kind, mode, owner, group, sizeBytes } = parseLook(line)
  const state = {
    path,
    kind: ran.values['hard'] === '1' ? ('hard' as const) : kind,
    mode,
    owner,
    group,
    ...(terms.times ? { modifiedAt: toMicroseconds(ran.values['mtime'] ?? '') } : {}),
    ...parseMarks(ran.values, terms),
  }
  if (kind === 'link') return { real, state: { ...state, target: ran.values['target'] ?? '' } }
  if (kind !== 'file') return { real, state }
  if (terms.content !== 'none')
    return { real, state: { ...state, ...heldContent(ran.stdout, terms.content) } }
  const sha256 = ran.values['sha256']
  return { real, state: { ...state, sizeBytes, ...(sha256 === undefined ? {} : { sha256 }) } }
}

/** The members of a state that holds these bytes. */
export function heldContent(
  bytes: Buffer,
  as: 'plain' | 'secret',
): Pick<FileState, 'content' | 'encoding' | 'sha256' | 'sizeBytes'> {
  const text = bytes.toString()
  const isText = Buffer.from(text).equals(bytes)
  const held = isText ? text : bytes.toString('base64')
  const content = as === 'secret' ? new Secret(held, 'file content') : held
  const encoding = isText ? undefined : ('base64' as const)
  return {
    content,
    ...(encoding ? { encoding } : {}),
    sha256: sha256Of(content, encoding),
    sizeBytes: bytes.length,
  }
}

const toMicroseconds = (seconds: string): number => Number(Number(seconds).toFixed(6))
