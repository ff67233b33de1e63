import { problem } from '../core/error.ts'
import type { Shown, Target } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'
import { readPackages, writePackages } from './package-script.ts'

export type PackageManager = 'apt' | 'apk' | 'dnf' | 'yum'

export type PackageTerms = {
  readonly manager: PackageManager
  /** Options of the manager's own, each a word. */
  readonly options: readonly string[]
  /** The newest version of each package that the host can get, where it was asked for. */
  readonly newest: Readonly<Record<string, string>>
  /** Versions asked for, by name. */
  readonly versions: Readonly<Record<string, string>>
  /** Package files of the target, by the name of the package. */
  readonly files: Readonly<Record<string, string>>
  readonly release: string
  readonly isPurged: boolean
  readonly upgrade: string
  readonly isAutoremoved: boolean
  /** What is done with package files that were fetched: '', `autoclean` or `clean`; only of apt. */
  readonly cleaning: string
  /** How often the package lists are tried to be fetched, and the seconds between two tries at most. */
  readonly retries: number
  readonly retryDelaySeconds: number
  readonly isRefreshed: boolean
  /** Seconds since 1970 when the package lists were fetched, and how old they are. */
  readonly listedAt: number
  readonly listedSeconds: number
}

/** Packages of a host. Plain data. */
export type PackageState = {
  /** Versions by name; null: not installed. */
  readonly packages: Readonly<Record<string, string | null>>
  /** What an upgrade would change, when one was asked for. */
  readonly pending?: readonly string[] | undefined
  /** What nothing needs any more, when that was asked for. */
  readonly orphans?: readonly string[] | undefined
  /** Package files that would be removed, when that was asked for. */
  readonly stale?: readonly string[] | undefined
  /** The package lists are to be fetched, and nothing else: no state that could be read again. */
  readonly isFetched?: boolean | undefined
  readonly terms: PackageTerms
}

export interface PackagesAsked {
  /** Names, with a version behind = for apt and apk, behind - for dnf. */
  readonly names: readonly string[]
  /** Package files of the target, by the name of the package, whose version stands in `names`. */
  readonly files?: Readonly<Record<string, string>>
  readonly use?: PackageManager | undefined
  readonly options?: readonly string[]
  readonly release?: string | undefined
  readonly isPurged?: boolean
  /** Fetch the package lists before looking. */
  readonly isRefreshed?: boolean
  readonly isNewest?: boolean
  readonly isWanted?: boolean
  readonly upgrade?: string
  readonly isAutoremoved?: boolean
  readonly cleaning?: string
  readonly retries?: number
  readonly retryDelaySeconds?: number
}

const SEPARATOR = /^([^=]+)=(.+)$/

/** Throws E_PARAMS for what is no name of a package. */
function parseName(asked: string): { readonly name: string; readonly version?: string | undefined } {
  const isPattern = asked.includes('>=') || /=.*\*$/.test(asked)
  const [, name = asked, version] = isPattern ? [undefined, asked] : (SEPARATOR.exec(asked) ?? [])
  if (
    /^(?:[a-z]+:\/\/|\/|@|\.)|[*?\s;|&]|^-|\.(?:deb|rpm|apk)$/.test(name.replace(/>?=.*/, '')) ||
    /[\s;|&]/.test(name) ||
    name === ''
  )
    throw problem('E_PARAMS', `${JSON.stringify(asked)} is no name of a package`, {
      hint: 'files, URLs, groups and patterns are not supported here: fetch the file first and use deb: (apt), or command',
    })
  return { name, version }
}

/** Reads which of the packages are installed. Throws E_TASK where the host has no package manager that is known. */
export async function readPackageState(t: Target, asked: PackagesAsked): Promise<PackageState> {
  const parsed = asked.names.map(parseName)
  const terms = {
    options: asked.options ?? [],
    versions: Object.fromEntries(
      parsed.flatMap(({ name, version }) => (version === undefined ? [] : [[name, version]])),
    ),
    files: asked.files ?? {},
    release: asked.release ?? '',
    isPurged: asked.isPurged ?? false,
    upgrade: asked.upgrade ?? '',
    isAutoremoved: asked.isAutoremoved ?? false,
    cleaning: asked.cleaning ?? '',
    retries: asked.retries ?? 1,
    retryDelaySeconds: asked.retryDelaySeconds ?? 1,
  }
  const ran = await t.run(readPackages, {
    ...lookParams(
      terms,
      parsed.map(one => one.name),
      asked.use,
    ),
    refresh: asked.isRefreshed ?? false,
    newest: asked.isNewest ?? false,
    wanted: asked.isWanted ?? false,
  })
  const { values, stdout } = accept(t, ran)
  const rows = parseRows(stdout)
  const newest = Object.fromEntries(rows.flatMap(([name, , version]) => (version ? [[name, version]] : [])))
  return {
    ...parseState(rows, values, terms),
    terms: {
      ...terms,
      newest,
      versions: { ...terms.versions, ...versionsOf(rows) },
      manager: values['manager'] as PackageManager,
      isRefreshed: values['refreshed'] === '1',
      listedAt: Number(values['listed'] || 0),
      listedSeconds: Number(values['now'] || 0) - Number(values['listed'] || 0),
    },
  }
}

type Looked = Pick<
  PackageTerms,
  'options' | 'release' | 'upgrade' | 'isAutoremoved' | 'cleaning' | 'retries' | 'retryDelaySeconds'
>

function lookParams(terms: Looked, names: readonly string[], use: PackageManager | undefined): ScriptParams {
  return {
    use: use ?? '',
    names: names.join('\n'),
    options: terms.options.join('\n'),
    release: terms.release,
    upgrade: terms.upgrade,
    autoremove: terms.isAutoremoved,
    clean: terms.cleaning,
    retries: terms.retries,
    max_delay: terms.retryDelaySeconds,
  }
}

/** Name, installed version, newest version, name as asked for. */
type Row = readonly [string, string, string, string]

function parseRows(stdout: Buffer): readonly Row[] {
  return stdout
    .toString()
    .split('\n')
    .filter(line => line.includes('\t'))
    .map(line => {
      const [name = '', version = '', newest = '', asked = ''] = line.split('\t')
      return [name, version, newest, asked]
    })
}

const withoutEpoch = (version: string): string => version.replace(/^\d+:/, '')

/**
 * What the repositories or the host have of versions that were asked for by a pattern: `nginx-1.20` of dnf, `nginx=1.20*` and
 * `nginx>=1.20` of apt.
 */
function versionsOf(rows: readonly Row[]): Readonly<Record<string, string>> {
  const versions = rows.flatMap(([name, version, newest, asked]) => {
    if (/^[^=]+=/.test(asked)) return newest === '' ? [] : [[name, newest]]
    const rest = asked.startsWith(`${name}-`) ? withoutEpoch(asked.slice(name.length + 1)) : ''
    const found = newest || version
    const isVersion =
      rest !== '' && (withoutEpoch(found).startsWith(rest) || rest.startsWith(withoutEpoch(found)))
    return isVersion && found !== '' ? [[name, found]] : []
  })
  return Object.fromEntries(versions)
}

function parseState(
  rows: readonly Row[],
  values: Readonly<Record<string, string>>,
  terms: Looked,
): Omit<PackageState, 'terms'> {
  const list = (text = ''): string[] =>
    text
      .split('\n')
      .filter(line => line !== '')
      .sort()
  return {
    packages: Object.fromEntries(rows.map(([name, version]) => [name, version === '' ? null : version])),
    ...(terms.upgrade === '' ? {} : { pending: list(values['pending']) }),
    ...(terms.isAutoremoved ? { orphans: list(values['orphans']) } : {}),
    ...(terms.cleaning === '' ? {} : { stale: list(values['stale']) }),
  }
}

export async function rereadPackages(t: Target, { packages, terms }: PackageState): Promise<PackageState> {
  const params = {
    ...lookParams(terms, Object.keys(packages), terms.manager),
    refresh: false,
    newest: false,
    wanted: false,
  }
  const { values, stdout } = accept(t, await t.run(readPackages, params))
  return { ...parseState(parseRows(stdout), values, terms), terms }
}

/** Throws E_CONFLICT when the packages are no longer `before`, E_TASK with what the package manager says. */
export async function writePackageState(t: Target, before: PackageState, after: PackageState): Promise<void> {
  const { terms } = after
  await requireUnchanged('what is installed', before, () => rereadPackages(t, before))
  const names = Object.keys(after.packages).filter(name => after.packages[name] !== before.packages[name])
  const remove = names.filter(name => after.packages[name] === null)
  const install = names.filter(name => after.packages[name] !== null)
  const ran = await t.run(writePackages, {
    ...lookParams(terms, [], terms.manager),
    refresh: after.isFetched ?? false,
    remove: remove.join('\n'),
    install: install.map(name => renderSpec(terms, name, after.packages[name]!)).join('\n'),
    downgrade: install.some(name => before.packages[name] !== null),
    purge: terms.isPurged,
    upgrade: after.pending !== undefined && (before.pending ?? []).length > 0 ? terms.upgrade : '',
    autoremove: terms.isAutoremoved && (before.orphans ?? []).length > 0,
    clean: (before.stale ?? []).length > 0 ? terms.cleaning : '',
  })
  accept(t, ran)
}

/** Name and version as the manager takes them. The newest needs no version: some repositories hold no other. */
function renderSpec(
  { manager, files, versions, newest }: PackageTerms,
  name: string,
  version: string,
): string {
  if (files[name] !== undefined && versions[name] === version) return files[name]
  if (manager === 'apt') return `${name}=${version}`
  if (manager === 'apk') return newest[name] === version ? name : `${name}=${version}`
  return `${name}-${withoutEpoch(version)}`
}

export function showPackages({
  packages,
  pending = [],
  orphans = [],
  stale = [],
  isFetched,
}: PackageState): Shown {
  const rows = Object.entries(packages).map(([name, version]) => `${name} ${version ?? '(not installed)'}\n`)
  const more = [
    ...pending.map(name => `to upgrade: ${name}\n`),
    ...orphans.map(name => `not needed: ${name}\n`),
    ...stale.map(name => `package file: ${name}\n`),
  ]
  return {
    header: 'packages',
    text: [...rows, ...more, ...(isFetched ? ['package lists fetched\n'] : [])].join(''),
  }
}
