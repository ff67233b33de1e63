import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import type { Value } from '../core/value.ts'
import { type FileState, readFile, rereadFile } from '../resources/file.ts'
import { resultOf, showFile, textOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import { editText, mapText, renderSecret, type Text } from '../resources/secret-text.ts'
import { type Dialect, dialects } from './env/dialects.ts'
import { disagreeing, removeNames, setValues } from './env/edit.ts'
import { makeKnown, secretsOf } from './env/secrets.ts'
import { attributes, backup, backupSuffix, readOptions, unsafe_writes, validate } from './file-params.ts'
import { backupResult } from './text-file.ts'

const params = {
  path: { type: 'path', required: true, aliases: ['dest', 'name'], doc: 'The env file. A link is followed.' },
  values: {
    type: 'dict',
    doc: 'Names and the values they are to have. Names that are not there are put at the end.',
  },
  names: { type: 'list', doc: 'With `state: absent`: the names that are to be away.' },
  state: {
    type: 'string',
    choices: ['present', 'absent'],
    default: 'present',
    doc: 'Whether the names are to be there.',
  },
  dialect: {
    type: 'string',
    choices: dialects,
    default: 'compose',
    doc: 'The program that reads the file: what is a quote, a comment or a `$` differs. A value is refused that it would not read back.',
  },
  create: {
    type: 'bool',
    default: false,
    doc: 'Make the file, with mode 0600 unless `mode` says otherwise, when it is missing.',
  },
  backup,
  validate,
  unsafe_writes,
  ...attributes,
} as const
type EnvArgs = Args<typeof params>

interface EnvInput {
  readonly args: EnvArgs
  readonly names: readonly string[]
  readonly texts: readonly Secret[]
  readonly suffix: string | undefined
}
export type EnvState = FileState & { readonly dialect: Dialect }

const isName = (name: Value): name is string => typeof name === 'string' && /^[A-Za-z_][\w.-]*$/.test(name)

function secretOf(name: string, value: Value): Secret {
  if (value instanceof Secret) return value
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return new Secret(String(value), name)
  throw problem('E_PARAMS', `values.${name} is ${value === null ? 'null' : typeof value}, not text`, {
    hint: `write it in quotes as it is to stand in the file: ${name}: 'true'`,
  })
}

function prepare(t: Target, args: EnvArgs): EnvInput {
  const entries = [...(args.values ?? [])]
  const names = args.state === 'absent' ? (args.names ?? []) : entries.map(([name]) => name)
  if (names.length === 0)
    throw problem(
      'E_PARAMS',
      `${args.state === 'absent' ? 'names' : 'values'} is required with state=${args.state}`,
    )
  for (const name of names)
    if (!isName(name)) throw problem('E_PARAMS', `${JSON.stringify(name)} cannot be a name in an env file`)
  const texts = args.state === 'absent' ? [] : entries.map(([name, value]) => secretOf(String(name), value))
  return { args, names: names.map(String), texts, suffix: backupSuffix(t.operator, args.backup) }
}

async function read(t: Target, input: EnvInput): Promise<EnvState> {
  const { args, suffix } = input
  const file = await readFile(t, args.path, {
    ...readOptions(args),
    backupSuffix: suffix,
    follow: true,
    content: 'secret',
  })
  const state = { ...file, dialect: args.dialect }
  const old = secretsOf(state, args.dialect).filter(({ name }) => input.names.includes(name))
  makeKnown(t.redactor, old)
  for (const warning of warningsOf(input, want(input, state))) t.say(t.redactor.clean(warning))
  return state
}

function edited({ args, names, texts }: EnvInput, before: EnvState): Text {
  const place = { dialect: args.dialect, path: before.path }
  if (args.state === 'absent') return mapText([textOf(before)], text => removeNames(place, text, names))
  return mapText([textOf(before), ...texts], (text, ...values) =>
    setValues(place, text, new Map(names.map((name, i) => [name, values[i]!]))),
  )
}

function want(input: EnvInput, before: EnvState): EnvState {
  const { args } = input
  if (before.kind === 'absent' && (args.state === 'absent' || !args.create)) {
    if (args.state === 'absent') return before
    throw problem('E_TASK', `${before.path} does not exist`, { hint: 'set create: true to make it' })
  }
  if (before.kind !== 'file' && before.kind !== 'absent')
    throw problem('E_TASK', `${before.path} is a ${before.kind}, not a file`)
  const mode = args.mode ?? (before.kind === 'absent' ? '0600' : undefined)
  return { ...wantContent(before, { text: edited(input, before) }, mode), dialect: before.dialect }
}

/** The other programs that would read what was written differently. */
function othersOf(names: readonly string[], after: EnvState): readonly Dialect[] {
  return editText([textOf(after)], text => ({ text: '', value: disagreeing(text, names, after.dialect) }))
    .value
}

function warningsOf(input: EnvInput, after: EnvState): readonly string[] {
  const { names, args } = input
  if (args.state === 'absent') return []
  const readers = othersOf(names, after).join(', ')
  const said = `${after.path}: ${readers} would not read ${names.join(', ')} as ${after.dialect} does`
  return readers === '' ? [] : [said]
}

function result(input: EnvInput, before: EnvState, after: EnvState) {
  return {
    ...resultOf(after),
    path: after.path,
    ...backupResult(before, after),
    names: input.names,
    changed_names: changedNames(before, after),
    warnings: warningsOf(input, after),
  }
}

function changedNames(before: EnvState, after: EnvState): readonly string[] {
  const lines = (state: EnvState): ReadonlySet<string> => new Set(showEnv(state).text.split('\n'))
  const old = lines(before)
  const now = lines(after)
  const changed = [...[...now].filter(line => !old.has(line)), ...[...old].filter(line => !now.has(line))]
  return [...new Set(changed.map(line => line.replace(/:.*/, '')))]
}

/** Names with a mark for each value; never a value, and no comments, which may hold old ones. */
function showEnv(state: EnvState) {
  const { header } = showFile(state)
  const lines = secretsOf(state, state.dialect).map(
    ({ name, value, why }) => `${name}: ${value ? renderSecret(value, state.terms.showKey) : `[${why}]`}\n`,
  )
  return { header, text: lines.join('') }
}

export const env_file = defineState<typeof params, EnvState, EnvInput>({
  name: 'env_file',
  summary:
    'Set or remove variables of an env file so that the program that reads it gets exactly those values.',
  notes: [
    'Order, comments, blank lines, the quotes of other values, mode and owner stay as they are, byte for byte.',
    'All values count as secret: --diff shows marks, and the old values are taken out of all output (single words of small letters and numbers are not).',
    'A name that is defined twice is refused, and so is a line that the program would not read.',
  ],
  params,
  rules: { mutuallyExclusive: [['values', 'names']] },
  returns: {
    path: { doc: 'The file.' },
    names: { doc: 'The names asked for.' },
    changed_names: { doc: 'The names whose values changed.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
    warnings: { doc: 'Other programs that would read the same bytes differently.' },
  },
  examples: `
- name: Put the new secrets in force
  env_file:
    path: /opt/proxpanel/.env.production
    values:
      JWT_SECRET: "{{ secrets.JWT_SECRET }}"
      DATABASE_URL: "postgresql://app:{{ secrets.POSTGRES_PASSWORD }}@db:5432/panel"
`,
  prepare,
  read,
  reread: async (t, state) => ({ ...(await rereadFile(t, state)), dialect: state.dialect }),
  want,
  write: writeFile,
  result,
  show: showEnv,
})
