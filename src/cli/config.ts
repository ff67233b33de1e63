import { existsSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { problem, type RotaError } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { loadText } from '../load/text-file.ts'
import { type ConfigEntry, parseConfigFile } from './config-file.ts'
import { refusals, type Setting, type SettingName, settings } from './config-settings.ts'

interface TypeOf {
  text: string
  int: number
  bool: boolean
  path: string
  paths: readonly string[]
  list: readonly string[]
  sources: readonly string[]
}
/** What ansible.cfg and ANSIBLE_* variables say; what they do not say is undefined. Paths are absolute. */
export type ConfigValues = {
  readonly [K in SettingName]?: TypeOf[(typeof settings)[K]['type']]
}

export interface Config {
  /** The ansible.cfg that was read. */
  readonly file: string | undefined
  readonly values: ConfigValues
  /**
   * For `-v`: the file that was read, a line for each of its settings that was taken, `forks = 20 (ansible.cfg:3)`, and one for each
   * that is not heeded; for `-vv` the same of variables.
   */
  readonly notes: readonly string[]
  readonly variableNotes: readonly string[]
  /** For everyone: why a file was passed over. */
  readonly warnings: readonly string[]
}

/** What is said of the configuration. */
export function selectNotes({ notes, variableNotes }: Config, verbosity = 0): readonly string[] {
  return [...(verbosity > 0 ? notes : []), ...(verbosity > 1 ? variableNotes : [])]
}

type Environment = Readonly<Record<string, string | undefined>>

/** The text of one setting, and where it came from. */
interface Found {
  readonly value: string
  /** Where it stands, for messages. */
  readonly from: string
  readonly at?: Source
  /** What relative paths start from. */
  readonly base: string
}

/**
 * Reads the configuration as Ansible finds it: ANSIBLE_CONFIG, ./ansible.cfg unless everyone may write to the folder,
 * ~/.ansible.cfg, /etc/ansible/ansible.cfg: the first that exists, and that one only. ANSIBLE_* variables win over it. Throws
 * E_FILE, and E_CONFIG for what makes no sense and for settings that rota would have to ignore although they change a run.
 */
export function loadConfig(env: Environment, cwd: string): Config {
  const { file, warnings } = findConfigFile(env, cwd)
  const entries = file === undefined ? [] : parseConfigFile(loadText(file), file)
  const find = createFinder(entries, env, cwd)
  refuse(find)
  const names = Object.keys(settings) as SettingName[]
  const found = names.flatMap(name => {
    const one = find(settings[name])
    return one ? [{ name, one, value: parseSetting(settings[name].type, one) }] : []
  })
  const taken = (isOfFile: boolean): string[] =>
    found.filter(({ one }) => (one.at !== undefined) === isOfFile).map(({ one }) => `${one.from}: taken`)
  const left = (from: string): string => `${from}: not heeded`
  return {
    file,
    values: Object.fromEntries(found.map(({ name, value }) => [name, value])),
    notes: [
      file === undefined ? 'No config file found; using defaults' : `Using ${file} as config file`,
      ...taken(true),
      ...unheededEntries(entries).map(left),
    ],
    variableNotes: [...taken(false), ...unheededVariables(env).map(left)],
    warnings,
  }
}

function findConfigFile(
  env: Environment,
  cwd: string,
): { readonly file: string | undefined; readonly warnings: readonly string[] } {
  const warnings: string[] = []
  const given = env['ANSIBLE_CONFIG'] && resolve(cwd, expandPath(env['ANSIBLE_CONFIG'], env))
  const isHereOpen = ((statSync(cwd, { throwIfNoEntry: false })?.mode ?? 0) & 0o002) !== 0
  const here = join(cwd, 'ansible.cfg')
  if (!given && isHereOpen && existsSync(here))
    warnings.push(
      `everyone may write to ${cwd}: its ansible.cfg is passed over (chmod o-w, or set ANSIBLE_CONFIG)`,
    )
  const candidates = [
    ...(given
      ? [statSync(given, { throwIfNoEntry: false })?.isDirectory() ? join(given, 'ansible.cfg') : given]
      : []),
    ...(isHereOpen ? [] : [here]),
    join(homedir(), '.ansible.cfg'),
    '/etc/ansible/ansible.cfg',
  ]
  return { file: candidates.find(candidate => existsSync(candidate)), warnings }
}

type Find = (setting: Pick<Setting, 'ini' | 'env'>) => Found | undefined

function createFinder(entries: readonly ConfigEntry[], env: Environment, cwd: string): Find {
  const byName = new Map(entries.map(entry => [`${entry.section}.${entry.key}`, entry]))
  return ({ ini, env: variables }) => {
    const variable = variables.find(name => env[name])
    if (variable !== undefined)
      return { value: env[variable]!, from: `${variable}=${env[variable]}`, base: cwd }
    const entry = ini.map(name => byName.get(name)).find(each => each !== undefined && each.value !== '')
    if (!entry) return undefined
    const { section, key, value, at } = entry
    const from = `[${section}] ${key} = ${value.replaceAll('\n', ' ')} (${at.file}:${at.line})`
    return { value: unquote(value), from, at, base: dirname(at.file) }
  }
}

function refuse(find: Find): void {
  for (const refusal of refusals) {
    const found = find(refusal)
    const words = found?.value.toLowerCase().split(',') ?? []
    if (found && !words.every(word => refusal.fine.includes(word.trim())))
      throw problem('E_CONFIG', `rota cannot follow ${found.from}`, { at: found.at, hint: refusal.hint })
  }
}

function parseSetting(type: Setting['type'], found: Found): TypeOf[Setting['type']] {
  const { value, base } = found
  const toPath = (text: string): string => resolve(base, expandPath(text.trim(), process.env))
  switch (type) {
    case 'text':
      return value
    case 'int':
      if (!/^\s*[0-9]+\s*$/.test(value)) throw wrong(found, 'a whole number')
      return Number(value)
    case 'bool':
      if (/^(yes|true|on|1|y|t)$/i.test(value)) return true
      if (/^(no|false|off|0|n|f)$/i.test(value)) return false
      throw wrong(found, 'true or false')
    case 'path':
      return toPath(value)
    case 'paths':
      return splitAt(value, ':').map(toPath)
    case 'list':
      return splitAt(value, ',')
    case 'sources':
      return parseSources(value, toPath)
  }
}

/** Paths at commas; a list of hosts, which names no path that exists, stays one source. */
function parseSources(value: string, toPath: (text: string) => string): readonly string[] {
  const paths = splitAt(value, ',').map(toPath)
  const isHostList = value.includes(',') && !paths.some(path => existsSync(path))
  return isHostList ? [value] : paths
}

function splitAt(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map(part => unquote(part.trim()))
    .filter(part => part !== '')
}

function unquote(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text
}

/** `~`, `$NAME` and Ansible's `{{CWD}}`. */
function expandPath(text: string, env: Environment): string {
  const expanded = text
    .replaceAll(/\{\{\s*CWD\s*\}\}/g, process.cwd())
    .replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (whole, a?: string, b?: string) => env[a ?? b ?? ''] ?? whole)
  if (isAbsolute(expanded)) return expanded
  return expanded.replace(/^~(?=\/|$)/, homedir())
}

function wrong(found: Found, what: string): RotaError {
  return problem('E_CONFIG', `this must be ${what}: ${found.from}`, {
    at: found.at,
    hint: 'correct it, or remove it',
  })
}

const known = [...Object.values<Setting>(settings), ...refusals]
const knownKeys = new Set(known.flatMap(({ ini }) => ini))
const knownVariables = new Set([...known.flatMap(({ env }) => env), 'ANSIBLE_CONFIG'])

function unheededEntries(entries: readonly ConfigEntry[]): string[] {
  return entries
    .filter(({ section, key }) => !knownKeys.has(`${section}.${key}`))
    .map(({ section, key, at }) => `[${section}] ${key} (${at.file}:${at.line})`)
}

function unheededVariables(env: Environment): string[] {
  return Object.keys(env)
    .filter(name => name.startsWith('ANSIBLE_') && !knownVariables.has(name) && env[name] !== '')
    .sort()
}
