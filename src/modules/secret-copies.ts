import { parseGlob } from '../core/glob.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import type { Value } from '../core/value.ts'
import {
  type Copy,
  findCopies,
  isBelow,
  isSearchable,
  locateCopies,
  SHORTEST_SEARCHED,
  type Unsearched,
} from '../resources/secret-copies.ts'

/** Where a host's own services get settings from: cron tables, units, and environments. */
const systemPlaces = [
  '/etc/crontab',
  '/etc/anacrontab',
  ...['d', 'hourly', 'daily', 'weekly', 'monthly'].map(name => `/etc/cron.${name}`),
  '/var/spool/cron',
  '/etc/systemd/system',
  '/run/systemd/system',
  '/etc/environment',
  '/etc/environment.d',
  '/etc/profile.d',
  '/etc/default',
  '/etc/sysconfig',
  '/etc/init.d',
]

const params = {
  values: {
    type: 'dict',
    required: true,
    doc: 'Names and the values to look for. A name without a value is left out.',
  },
  paths: {
    type: 'list',
    default: [],
    doc: 'Files and folders to search. Each has to be there and to be readable.',
  },
  system: {
    type: 'bool',
    default: true,
    doc: 'Search the cron tables, systemd units and environment files of the host as well, as far as they may be read.',
  },
  rewrites: {
    type: 'list',
    default: [],
    doc: 'Files that a rotation rewrites. They are searched too, and may hold a value as long as they are not `rewritten`.',
  },
  rewritten: {
    type: 'bool',
    default: false,
    doc: 'They have been rewritten: from now on they may not hold a value either.',
  },
  allow: {
    type: 'list',
    default: [],
    doc: 'Files that may hold a value: paths, folders with all below them, or shell patterns.',
  },
  exclude: {
    type: 'list',
    default: ['.git', 'node_modules'],
    doc: 'Names of folders that are not searched.',
  },
  max_mib: { type: 'int', default: 16, doc: 'Larger files are not searched; they are said.' },
} as const

export const secret_copies = defineAction({
  name: 'secret_copies',
  summary: 'Finds files that hold a secret in any form, and fails when there are any.',
  notes: [
    'Looks for each value as it is, in base64 (also inside a longer base64 text, as of basic-auth, and broken into lines), hex, URL-encoded, in JSON and in quotes. What is found is said by file, line, name and form; the value never is.',
    'The values go to the host by stdin and from there to grep by its stdin: they are in no argument, environment or file.',
    'Compressed and encrypted files and databases are not looked into, and values of less than 8 characters are not looked for.',
    'A rotation runs it by itself after `preflight` and, with `rewrites`, in `verify`.',
  ],
  reads: true,
  params,
  returns: {
    copies: { doc: 'List of path, line, secret and encoding.' },
    searched: { doc: 'How many files were searched.' },
    unsearched: { doc: 'List of path and why it was not searched.' },
  },
  examples: `
- name: Nobody else has the old password
  secret_copies:
    values: { DB_PASSWORD: "{{ old.env.DB_PASSWORD }}" }
    paths: [/opt/app, /home/deploy/bin]
    allow: [/opt/app/.env]
`,
  async run(t, args): Promise<Outcome> {
    const given = valuesOf(args.values)
    const values = new Map([...given].filter(([, value]) => isSearchable(value)))
    const { files, searched, unsearched } = await findCopies(t, {
      values,
      paths: [...args.paths, ...args.rewrites, ...(args.system ? systemPlaces : [])],
      exclude: args.exclude,
      maxBytes: args.max_mib * 1024 * 1024,
    })
    const allow = [...args.allow, ...(args.rewritten ? [] : args.rewrites)]
    const undeclared = files.filter(path => !isAllowed(path, allow))
    const copies = undeclared.length === 0 ? [] : await locateCopies(t, values, undeclared)
    const blind = unsearched.filter(
      one => isBlind(one, args.paths, args.rewrites) && !isAllowed(one.path, allow),
    )
    const short = [...given.keys()].filter(name => !values.has(name))
    if (short.length > 0)
      t.say(
        t.redactor.clean(
          `${short.join(', ')}: shorter than ${SHORTEST_SEARCHED} characters, not searched for`,
        ),
      )
    const registered = { copies, searched, unsearched }
    const msg = [...copies.map(renderCopy), ...blind.map(({ path, why }) => `${path} ${reasons[why]}`)].join(
      '; ',
    )
    if (msg === '') return { changed: false, msg: `no copy in ${searched} files`, values: registered }
    const hint = copies.length > 0 && !args.rewritten ? `: ${HINT}` : ''
    return { changed: false, failed: true, msg: `${msg}${hint}`, values: registered }
  },
})

const HINT = 'change them in the same rotation (`rewrites`), or say that they may stay (`allow_copies`)'

const reasons: Readonly<Record<Unsearched['why'], string>> = {
  gone: 'does not exist',
  bare: 'may not be read',
  big: 'is larger than is searched',
  odd: 'holds a name with a line end, which cannot be searched',
}

/** What was asked for has to be searched. A file that is rewritten need not be there before, nor after an undo. */
function isBlind({ path, why }: Unsearched, paths: readonly string[], rewrites: readonly string[]): boolean {
  if (why === 'gone') return paths.includes(path) && !rewrites.includes(path)
  return [...paths, ...rewrites].some(place => isBelow(path, place))
}

/** Each value as a Secret; what is omitted, null or empty is no value. */
function valuesOf(dict: ReadonlyMap<Value, Value>): ReadonlyMap<string, Secret> {
  const values = new Map<string, Secret>()
  for (const [name, value] of dict)
    if (value instanceof Secret) values.set(String(name), value)
    else if (typeof value === 'string' || typeof value === 'number')
      values.set(String(name), new Secret(String(value), String(name)))
  return values
}

function isAllowed(path: string, allow: readonly string[]): boolean {
  return allow.some(one => isBelow(path, one) || parseGlob(one).test(path))
}

function renderCopy({ path, line, secret, encoding }: Copy): string {
  if (secret === undefined) return `${path} holds a value that is searched for`
  return `${path}:${line} holds ${secret}${encoding === 'plain' ? '' : ` (${encoding})`}`
}
