import { problem } from '../core/error.ts'
import type { Shown, Target } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'
import { accept } from './file.ts'
import { readPackages } from './package-script.ts'

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
  /** Folder that rpm takes for the root; '': none. */
  readonly root: string
  /** What /usr/sbin/policy-rc.d answers meanwhile; '': it is left alone. */
  readonly policy: string
  readonly isPurged: boolean
  /** Words of apt-get, a line each; of the others anything but ''. */
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
  /** Names, with a version behind = for apt and apk, behind - for dnf; of dnf also @group; package files. */
  readonly names: readonly string[]
  /** A package file of apt's. */
  readonly file?: string | undefined
  readonly use?: PackageManager | undefined
  readonly options?: readonly string[]
  readonly release?: string | undefined
  readonly root?: string | undefined
  readonly policy?: number | undefined
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

/** A package file of the target or its URL; as names `apt` and `package` take only those of rpm. */
const isFile = (asked: string): boolean => /^(?:\/|[a-z]+:\/\/)[^;|&*?\s]+\.rpm$/.test(asked)

const SEPARATOR = /^([^=]+)=(.+)$/

/** Throws E_PARAMS for what is no name of a package. */
function parseName(asked: string): { readonly name: string; readonly version?: string | undefined } {
  if (/^@[^;|&*?]+$/.test(asked) || isFile(asked)) return { name: asked }
  const isPattern = asked.includes('>=') || /=.*\*$/.test(asked)
  const [, name = asked, version] = isPattern ? [undefined, asked] : (SEPARATOR.exec(asked) ?? [])
  if (
    /^(?:[a-z]+:\/\/|\/|@|\.)|[*?\s;|&]|^-|\.(?:deb|rpm|apk)$/.test(name.replace(/>?=.*/, '')) ||
    /[\s;|&]/.test(name) ||
    name === ''
  )
    throw problem('E_PARAMS', `${JSON.stringify(asked)} is no name of a package`, {
      hint: 'a file or URL has to end with .rpm, or to be given as deb: (apt); patterns are not supported: use command',
    })
  return { name, version }
}

/** Reads which of the packages are installed. Throws E_TASK where the host has no package manager that is known. */
export async function readPackageState(t: Target, asked: PackagesAsked): Promise<PackageState> {
  const files = asked.file === undefined ? [] : [{ name: asked.file, version: undefined }]
  const parsed = [...asked.names.map(parseName), ...files]
  if (t.undoable && parsed.some(({ name }) => name.startsWith('@')))
    throw problem('E_TASK', 'the installation of a group cannot be undone', {
      hint: 'name its packages, or do this outside the change phase of the rotation',
    })
  const terms = {
    options: asked.options ?? [],
    versions: Object.fromEntries(
      parsed.flatMap(({ name, version }) => (version === undefined ? [] : [[name, version]])),
    ),
    release: asked.release ?? '',
    root: asked.root ?? '',
    policy: String(asked.policy ?? ''),
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
      files: Object.fromEntries(
        rows.flatMap(([name, , , from]) => (from.includes('/') ? [[name, from]] : [])),
      ),
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
  | 'options'
  | 'release'
  | 'root'
  | 'policy'
  | 'upgrade'
  | 'isAutoremoved'
  | 'cleaning'
  | 'retries'
  | 'retryDelaySeconds'
>

/** What reading and writing are told alike. */
export function lookParams(
  terms: Looked,
  names: readonly string[],
  use: PackageManager | undefined,
): ScriptParams {
  return {
    use: use ?? '',
    names: names.join('\n'),
    options: terms.options.join('\n'),
    release: terms.release,
    root: terms.root,
    policy: terms.policy,
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

/** A version of rpm as the tools of dnf take it. */
export const withoutEpoch = (version: string): string => version.replace(/^\d+:/, '')

/**
 * What the repositories or the host have of versions that were asked for by a pattern: `nginx-1.20` of dnf, `nginx=1.20*` and
 * `nginx>=1.20` of apt.
 */
function versionsOf(rows: readonly Row[]): Readonly<Record<string, string>> {
  const versions = rows.flatMap(([name, version, newest, asked]) => {
    if (/^[^=]+=/.test(asked) || asked.includes('/')) return newest === '' ? [] : [[name, newest]]
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
