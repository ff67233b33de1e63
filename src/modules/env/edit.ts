import { problem } from '../../core/error.ts'
import { type Dialect, dialects, parseEnv, requireEnv } from './dialects.ts'
import type { Statement } from './statement.ts'

/** Where an edit is made, for messages. */
export interface Place {
  readonly dialect: Dialect
  readonly path: string
}

type Style = 'bare' | 'single' | 'double'
const styles: readonly Style[] = ['bare', 'single', 'double']

/**
 * Sets names to values: in place where a name is defined, else at the end. All other bytes stay as they are. A value
 * is written in the style that reads back in the declared dialect and in most of the others. Throws E_ENV_FILE, without
 * the value, when no style reads back.
 */
export function setValues(place: Place, text: string, values: ReadonlyMap<string, string>): string {
  let edited = text
  for (const [name, value] of values) edited = setValue(place, edited, name, value)
  const statements = requireEnv(place.dialect, edited, place.path)
  for (const [name, value] of values) if (find(statements, name)?.value !== value) throw refusal(place, name)
  return edited
}

function setValue(place: Place, text: string, name: string, value: string): string {
  const before = requireEnv(place.dialect, text, place.path)
  const old = find(before, name)
  if (old?.value === value) return text
  const others = before.filter(one => one.name !== name)
  const tries = stylesFirst(old && text[old.rawStart])
    .filter(style => !(style === 'bare' && isTrimmedByLaterNodes(place.dialect, value)))
    .map(style => putValue(text, old, name, renderValue(place.dialect, style, value)))
    .filter(made => isReadBack(place, made, name, value, others, text))
    .map(made => ({ made, agreeing: dialects.length - disagreeing(made, [name], place.dialect).length }))
  const best = tries.sort((a, b) => b.agreeing - a.agreeing)[0]
  if (best === undefined) throw refusal(place, name)
  return best.made
}

const find = (statements: readonly Statement[], name: string): Statement | undefined =>
  statements.find(one => one.name === name)

/** The style that the old value has goes first, so that it wins a tie. */
function stylesFirst(opening: string | undefined): readonly Style[] {
  const old = opening === "'" ? 'single' : opening === '"' ? 'double' : 'bare'
  return [old, ...styles.filter(style => style !== old)]
}

function putValue(text: string, old: Statement | undefined, name: string, raw: string): string {
  if (old !== undefined) {
    const isNameOnly = old.rawStart === old.rawEnd && !/[=:][^\n]*$/.test(text.slice(old.start, old.rawStart))
    return text.slice(0, old.rawStart) + (isNameOnly ? '=' : '') + raw + text.slice(old.rawEnd)
  }
  const isOpen = text !== '' && !text.endsWith('\n')
  return `${text}${isOpen ? '\n' : ''}${name}=${raw}\n`
}

/** Node 20 keeps a tab at the end of a bare value, later ones do not: who reads the file may be either. */
const isTrimmedByLaterNodes = (dialect: Dialect, value: string): boolean =>
  dialect === 'node' && value.trim() !== value

function renderValue(dialect: Dialect, style: Style, value: string): string {
  if (style === 'bare') return value
  if (style === 'single') return `'${dialect === 'compose' ? value.replaceAll("'", "\\'") : value}'`
  if (dialect === 'dotenv' || dialect === 'node' || dialect === 'docker') return `"${value}"`
  const escaped = value.replace(dialect === 'compose' ? /[\\"$]/g : /[\\"$`]/g, '\\$&')
  return `"${dialect === 'compose' ? escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r') : escaped}"`
}

/** The name has the value, and every other statement stands there as before. */
function isReadBack(
  { dialect }: Place,
  made: string,
  name: string,
  value: string,
  others: readonly Statement[],
  text: string,
): boolean {
  const { statements, unreadable } = parseEnv(dialect, made)
  if (unreadable.length > 0 || find(statements, name)?.value !== value) return false
  const rest = statements.filter(one => one.name !== name)
  const isKept = (one: Statement, i: number): boolean =>
    one.name === others[i]!.name &&
    made.slice(one.rawStart, one.rawEnd) === text.slice(others[i]!.rawStart, others[i]!.rawEnd)
  return statements.length === rest.length + 1 && rest.length === others.length && rest.every(isKept)
}

function refusal({ dialect, path }: Place, name: string) {
  return problem(
    'E_ENV_FILE',
    `${path}: the value of ${name} cannot be written so that ${dialect} reads it back`,
    {
      hint: 'choose a value of letters, digits, - and _; or name another dialect if another program reads the file',
    },
  )
}

/** Removes names with their lines. */
export function removeNames(place: Place, text: string, names: readonly string[]): string {
  const statements = requireEnv(place.dialect, text, place.path)
  let edited = text
  for (const one of statements.filter(({ name }) => names.includes(name)).reverse())
    edited = edited.slice(0, one.start) + edited.slice(one.end)
  return edited
}

/** The other dialects that read one of the names differently than `dialect` does. */
export function disagreeing(text: string, names: readonly string[], dialect: Dialect): readonly Dialect[] {
  const read = (one: Dialect): string => {
    const { statements, unreadable } = parseEnv(one, text)
    if (unreadable.length > 0) return ''
    return JSON.stringify(names.map(name => find(statements, name)?.value ?? null))
  }
  const wanted = read(dialect)
  return dialects.filter(one => one !== dialect && read(one) !== wanted)
}
