import type { defineState, Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import {
  type PackageManager,
  type PackageState,
  readPackageState,
  rereadPackages,
  showPackages,
} from '../resources/package.ts'
import { requireNoUpgrade, wantPackages } from '../resources/package-want.ts'
import { foretellPackages, writePackageState } from '../resources/package-write.ts'

/** `installed` and `removed` are the older words. */
export const packageStates = ['absent', 'installed', 'latest', 'present', 'removed'] as const
type Asked = (typeof packageStates)[number]

export function stateOf(asked: Asked): 'present' | 'latest' | 'absent' {
  if (asked === 'removed') return 'absent'
  return asked === 'installed' ? 'present' : asked
}

/** Options that the modules of dnf, yum and apk share. */
export const commonPackageParams = {
  name: { type: 'list', default: [], aliases: ['pkg'], doc: 'The packages.' },
  state: {
    type: 'string',
    choices: packageStates,
    default: 'present',
    doc: 'Whether they are to be there; `latest`: in the newest version that the host can get.',
  },
  update_cache: {
    type: 'bool',
    default: false,
    aliases: ['update-cache', 'expire-cache'],
    doc: 'Fetch the package lists first. Does not count as a change when packages are named.',
  },
} as const

export const packageReturns = {
  packages: { doc: 'Dict: the versions by name, null where it is not installed.' },
  msg: { doc: 'What was changed, in words.' },
} as const

/** In words: what became of which package. */
export function renderChange(before: PackageState, after: PackageState): string {
  const words = Object.keys(after.packages)
    .filter(name => before.packages[name] !== after.packages[name])
    .map(name => {
      const [was, is] = [before.packages[name], after.packages[name]]
      if (is === null || is === undefined) return `removed ${name} ${was}`
      return was === null ? `installed ${name} ${is}` : `${name} ${was} -> ${is}`
    })
  const upgraded = (before.pending ?? []).length
  const orphans = (before.orphans ?? []).length
  return [
    ...words,
    ...(upgraded > 0 ? [`upgraded ${upgraded} packages`] : []),
    ...((before.stale ?? []).length > 0 ? [`removed ${before.stale?.length} package files`] : []),
    ...(orphans > 0 ? [`removed ${orphans} packages that nothing needs`] : []),
  ].join('; ')
}

/** What became of which package, as dnf of Ansible lists it. */
function renderResults(before: PackageState, after: PackageState): readonly string[] {
  return Object.keys(after.packages).flatMap(name => {
    const [was, is] = [before.packages[name], after.packages[name]]
    if (was === is) return []
    return [is === null ? `Removed: ${name}-${was}` : `Installed: ${name}-${is}`]
  })
}

/** The lists are to be fetched, when that is all that is asked for. */
function withFetch(
  args: { readonly name: readonly string[]; readonly update_cache: boolean },
  state: PackageState,
): PackageState {
  return args.update_cache && args.name.length === 0 ? { ...state, isFetched: true } : state
}

/** What a run of dnf, yum or apk is asked besides the packages. */
export interface Particular {
  readonly use: PackageManager
  readonly options: readonly string[]
  readonly root?: string | undefined
  readonly isUpgrade: boolean
  readonly isAutoremoved: boolean
  readonly isOnlyUpgraded?: boolean
  readonly isNewerKept?: boolean
}

type CommonArgs = Args<typeof commonPackageParams>

/** A module over one package manager. `particular` makes its own options from the arguments. */
export function createPackageModule<P extends typeof commonPackageParams>(
  described: Pick<
    Parameters<typeof defineState<P, PackageState>>[0],
    'name' | 'summary' | 'params' | 'examples' | 'refused'
  > & {
    readonly notes?: readonly string[]
  },
  particular: (args: Args<P>) => Particular,
) {
  const common = (args: Args<P>): CommonArgs => args as unknown as CommonArgs
  return {
    ...described,
    returns: {
      ...packageReturns,
      rc: { doc: '0.' },
      results: { doc: 'List: `Installed: NAME-VERSION` and `Removed: NAME-VERSION` of what changed.' },
    },
    prepare(t: Target, args: Args<P>) {
      const { isUpgrade, isAutoremoved } = particular(args)
      requireNoUpgrade(t, described.name, isUpgrade || isAutoremoved)
      return args
    },
    read(t: Target, args: Args<P>) {
      const { use, options, root, isUpgrade, isAutoremoved } = particular(args)
      const { name, state, update_cache } = common(args)
      return readPackageState(t, {
        names: isUpgrade ? name.filter(one => one !== '*') : name,
        use,
        options,
        root,
        upgrade: isUpgrade ? 'upgrade' : '',
        isAutoremoved,
        isRefreshed: update_cache && name.length > 0 && !t.check,
        isNewest: state === 'latest',
        isWanted: stateOf(state) !== 'absent',
      })
    },
    reread: rereadPackages,
    want: (args: Args<P>, before: PackageState) =>
      withFetch(
        common(args),
        wantPackages({ ...particular(args), state: stateOf(common(args).state) }, before),
      ),
    write: writePackageState,
    foretell: foretellPackages,
    result: (_args: Args<P>, before: PackageState, after: PackageState) => ({
      packages: after.packages,
      msg: renderChange(before, after),
      rc: 0,
      results: renderResults(before, after),
    }),
    show: showPackages,
  }
}
