import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { PackageState } from './package.ts'

/** Whether a version is plainly older: compared number by number, as far as both have the same form. */
export function isOlderVersion(a: string, b: string): boolean {
  const [old, other] = [a, b].map(one => (/^\d+:/.test(one) ? one : `0:${one}`))
  return old!.localeCompare(other!, 'en', { numeric: true }) < 0
}

export interface PackagesWanted {
  readonly state: 'present' | 'latest' | 'absent'
  /** Nothing is installed that is not there. */
  readonly isOnlyUpgraded?: boolean
  /** A version that is older than what is there counts as there. */
  readonly isNewerKept?: boolean
}

/** The packages as asked for. Throws E_TASK for one that the host cannot get. */
export function wantPackages(
  { state, isOnlyUpgraded, isNewerKept }: PackagesWanted,
  before: PackageState,
): PackageState {
  const { terms } = before
  const packages = Object.entries(before.packages).map(([name, version]) => {
    if (state === 'absent') return [name, null] as const
    if (version === null && isOnlyUpgraded === true) return [name, null] as const
    const asked = terms.versions[name]
    if (asked !== undefined && version !== null && isNewerKept && isOlderVersion(asked, version))
      return [name, version] as const
    if (asked !== undefined) return [name, matchesVersion(version, asked) ? version : asked] as const
    if (version !== null && state === 'present') return [name, version] as const
    const newest = terms.newest[name] ?? version
    if (newest !== null) return [name, newest] as const
    throw problem('E_TASK', `No package matching '${name}' is available`, {
      hint: 'check the name, or set update_cache: true so that the package lists are fetched first',
    })
  })
  return {
    ...before,
    packages: Object.fromEntries(packages),
    ...(before.pending === undefined ? {} : { pending: [] }),
    ...(before.orphans === undefined ? {} : { orphans: [] }),
    ...(before.stale === undefined ? {} : { stale: [] }),
  }
}

/** Whether an installed version is the one asked for, which may end with `*`. */
function matchesVersion(version: string | null, asked: string): boolean {
  if (version === null) return false
  return asked.endsWith('*') ? version.startsWith(asked.slice(0, -1)) : version === asked
}

/** Throws E_TASK for what cannot be undone, in the change phase of a rotation. */
export function requireNoUpgrade(t: Target, module: string, isUpgrade: boolean): void {
  if (!t.undoable || !isUpgrade) return
  throw problem('E_TASK', `${module}: upgrade, build-dep, autoremove, autoclean and clean cannot be undone`, {
    hint: 'do this outside the change phase of the rotation',
  })
}
