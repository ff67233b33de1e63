import type { Target, Told } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'
import { lookParams, type PackageState, type PackageTerms, rereadPackages, withoutEpoch } from './package.ts'
import { writePackages } from './package-script.ts'

/** Throws E_CONFLICT when the packages are no longer `before`, E_TASK with what the package manager says. */
export async function writePackageState(t: Target, before: PackageState, after: PackageState): Promise<Told> {
  await requireUnchanged('what is installed', before, () => rereadPackages(t, before))
  return runManager(t, before, after, { refresh: after.isFetched ?? false })
}

/** What apt-get says it would do; the others have no such thing. */
export async function foretellPackages(t: Target, before: PackageState, after: PackageState): Promise<Told> {
  return after.terms.manager === 'apt' ? runManager(t, before, after, { simulate: true }) : {}
}

async function runManager(
  t: Target,
  before: PackageState,
  after: PackageState,
  how: ScriptParams,
): Promise<Told> {
  const { terms } = after
  const names = Object.keys(after.packages).filter(name => after.packages[name] !== before.packages[name])
  const remove = names.filter(name => after.packages[name] === null)
  const install = names.filter(name => after.packages[name] !== null)
  const ran = await t.run(writePackages, {
    ...lookParams(terms, [], terms.manager),
    ...how,
    remove: remove.join('\n'),
    install: install.map(name => renderSpec(terms, name, after.packages[name]!)).join('\n'),
    downgrade: install.some(name => before.packages[name] !== null),
    purge: terms.isPurged,
    upgrade: after.pending !== undefined && (before.pending ?? []).length > 0 ? terms.upgrade : '',
    autoremove: terms.isAutoremoved && (before.orphans ?? []).length > 0,
    clean: (before.stale ?? []).length > 0 ? terms.cleaning : '',
  })
  const [stdout, stderr] = [accept(t, ran).stdout.toString(), ran.stderr.toString()]
  const { listed } = ran.values
  if (listed !== undefined) return { cache_update_time: Number(listed || 0) }
  if (terms.manager !== 'apt' || stdout === '') return {}
  return { stdout, stderr, ...(t.diff ? { diff: { prepared: partOf(stdout) } } : {}) }
}

/** The lines of apt-get's output that say what changes: those that Ansible calls the prepared diff. */
function partOf(stdout: string): string {
  const lines = stdout.split('\n')
  const start = lines.findIndex(line => line.startsWith('Reading state information...')) + 1
  const end = lines.findIndex(line => /^\d+ upgraded/.test(line))
  return lines.slice(start, end < 0 ? undefined : end + 1).join('\n')
}

/** Name and version as the manager takes them. The newest needs no version: some repositories hold no other. */
function renderSpec(
  { manager, files, versions, newest }: PackageTerms,
  name: string,
  version: string,
): string {
  if (files[name] !== undefined && versions[name] === version) return files[name]
  if (name.startsWith('@')) return name
  if (manager === 'apt') return `${name}=${version}`
  if (manager === 'apk') return newest[name] === version ? name : `${name}=${version}`
  return `${name}-${withoutEpoch(version)}`
}
