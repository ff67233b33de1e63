import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { type PackageState, readPackageState, rereadPackages, showPackages } from '../resources/package.ts'
import { isOlderVersion, requireNoUpgrade, wantPackages } from '../resources/package-want.ts'
import { foretellPackages, writePackageState } from '../resources/package-write.ts'
import { packageReturns, renderChange } from './package-module.ts'

const params = {
  name: {
    type: 'list',
    default: [],
    aliases: ['package', 'pkg'],
    doc: 'The packages; `name=1.2`, `name=1.*` or `name>=1.2` for a version; `*` with `latest`: all.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'build-dep', 'fixed', 'latest', 'present'],
    default: 'present',
    doc: '`latest`: the newest version that the host can get; `build-dep`: what is needed to build it; `fixed`: `present`, and broken dependencies are put right.',
  },
  update_cache: {
    type: 'bool',
    default: false,
    aliases: ['update-cache'],
    doc: 'Fetch the package lists first. Does not count as a change when packages are named.',
  },
  cache_valid_time: {
    type: 'int',
    default: 0,
    doc: 'Seconds for which the package lists that the host has are good enough. Means `update_cache`.',
  },
  upgrade: {
    type: 'string',
    choices: ['dist', 'full', 'no', 'safe', 'yes'],
    default: 'no',
    doc: 'Bring all packages to their newest versions; `dist` and `full` may remove some for that.',
  },
  deb: { type: 'path', doc: 'A package file of the target, or its URL.' },
  policy_rc_d: {
    type: 'int',
    doc: 'What /usr/sbin/policy-rc.d answers meanwhile: 101 keeps services from being started.',
  },
  default_release: { type: 'string', aliases: ['default-release'], doc: 'Release to take packages from.' },
  install_recommends: {
    type: 'bool',
    aliases: ['install-recommends'],
    doc: 'Install what a package recommends too. Default: as the host has it.',
  },
  only_upgrade: { type: 'bool', default: false, doc: 'Do not install what is not there.' },
  purge: { type: 'bool', default: false, doc: 'With `absent`: remove configuration files too.' },
  autoremove: { type: 'bool', default: false, doc: 'Remove packages that nothing needs any more.' },
  autoclean: {
    type: 'bool',
    default: false,
    doc: 'Remove package files that were fetched and are no longer to be had.',
  },
  clean: { type: 'bool', default: false, doc: 'Remove all package files that were fetched.' },
  fail_on_autoremove: {
    type: 'bool',
    default: false,
    doc: 'Fail rather than remove a package, as `--no-remove`.',
  },
  force: {
    type: 'bool',
    default: false,
    doc: 'As `--force-yes` once did: older, held and essential packages and bad signatures do not matter.',
  },
  update_cache_retries: { type: 'int', default: 5, doc: 'How often to try to fetch the package lists.' },
  update_cache_retry_max_delay: { type: 'int', default: 12, doc: 'Seconds between two tries, at most.' },
  allow_unauthenticated: {
    type: 'bool',
    default: false,
    aliases: ['allow-unauthenticated'],
    doc: 'Take packages without a good signature.',
  },
  allow_downgrade: {
    type: 'bool',
    default: false,
    aliases: ['allow-downgrade', 'allow_downgrades', 'allow-downgrades'],
    doc: 'A version that is asked for may be older than the installed one.',
  },
  allow_change_held_packages: { type: 'bool', default: false, doc: 'Change packages that are on hold too.' },
  dpkg_options: {
    type: 'string',
    default: 'force-confdef,force-confold',
    doc: 'Options of dpkg. Changed configuration files are always kept.',
  },
  lock_timeout: { type: 'int', default: 60, doc: 'Seconds to wait for another run of apt.' },
  force_apt_get: { type: 'bool', default: true, doc: 'Taken for compatibility: it is always apt-get.' },
} as const
type AptArgs = Args<typeof params>

function optionsOf(args: AptArgs): readonly string[] {
  const dpkg = args.dpkg_options.split(',').filter(word => word !== '')
  return [
    ...(args.install_recommends === undefined
      ? []
      : [args.install_recommends ? '--install-recommends' : '--no-install-recommends']),
    ...(args.allow_unauthenticated || args.force ? ['--allow-unauthenticated'] : []),
    ...(args.allow_change_held_packages || args.force ? ['--allow-change-held-packages'] : []),
    ...(args.state === 'fixed' ? ['-o', 'APT::Get::Fix-Broken=true'] : []),
    ...(args.force ? ['--allow-remove-essential'] : []),
    ...(args.fail_on_autoremove && args.state !== 'absent' ? ['--no-remove'] : []),
    ...dpkg.flatMap(word => ['-o', `Dpkg::Options::=--${word}`]),
    ...['-o', `DPkg::Lock::Timeout=${args.lock_timeout}`],
  ]
}

const isUpdating = (args: AptArgs): boolean => args.update_cache || args.cache_valid_time > 0
const isUpgrading = (args: AptArgs): boolean =>
  args.upgrade !== 'no' || args.state === 'build-dep' || (args.state === 'latest' && args.name.includes('*'))
/** Words of apt-get, a line each. */
function upgradeOf({ state, name, upgrade }: AptArgs): string {
  if (state === 'build-dep') return ['build-dep', ...name].join('\n')
  return upgrade === 'dist' || upgrade === 'full' ? 'dist-upgrade' : 'upgrade'
}
const cleaningOf = ({ clean, autoclean }: AptArgs): string => (clean ? 'clean' : autoclean ? 'autoclean' : '')

async function read(t: Target, args: AptArgs): Promise<PackageState> {
  const names = isUpgrading(args) ? args.name.filter(name => name !== '*') : args.name
  const asked = {
    names: args.state === 'build-dep' ? [] : names,
    file: args.deb === undefined || args.deb.includes('/') ? args.deb : `./${args.deb}`,
    use: 'apt' as const,
    options: optionsOf(args),
    release: args.default_release,
    isPurged: args.purge,
    isNewest: args.state === 'latest',
    policy: args.policy_rc_d,
    isWanted: args.state !== 'absent',
    upgrade: isUpgrading(args) ? upgradeOf(args) : '',
    isAutoremoved: args.autoremove,
    cleaning: cleaningOf(args),
    retries: args.update_cache_retries,
    retryDelaySeconds: args.update_cache_retry_max_delay,
  }
  const found = await readPackageState(t, asked)
  // Which versions there are is only known with new lists, so they have to be fetched before the look.
  const isRead = isUpdating(args) && (args.name.length > 0 || isUpgrading(args)) && !t.check
  return isRead && isStale(args, found) ? readPackageState(t, { ...asked, isRefreshed: true }) : found
}

const isStale = ({ cache_valid_time }: AptArgs, { terms }: PackageState): boolean =>
  terms.listedSeconds >= cache_valid_time || terms.listedAt === 0

function want(args: AptArgs, before: PackageState): PackageState {
  const state = args.state === 'absent' || args.state === 'latest' ? args.state : 'present'
  const after = wantPackages({ state, isOnlyUpgraded: args.only_upgrade }, before)
  const older = Object.entries(before.terms.versions).find(
    ([name]) => before.packages[name] !== null && after.packages[name] !== before.packages[name],
  )
  if (
    older !== undefined &&
    !args.allow_downgrade &&
    !args.force &&
    args.deb === undefined &&
    isOlderVersion(older[1], before.packages[older[0]]!)
  )
    throw problem(
      'E_TASK',
      `${older[0]} ${before.packages[older[0]]} is newer than ${older[1]}, which was asked for`,
      {
        hint: 'set allow_downgrade: true when that is meant',
      },
    )
  const isOnlyFetched =
    Object.keys(after.packages).length === 0 &&
    !isUpgrading(args) &&
    !args.autoremove &&
    cleaningOf(args) === ''
  return isUpdating(args) && isOnlyFetched && isStale(args, before) ? { ...after, isFetched: true } : after
}

export const apt = defineState<typeof params, PackageState>({
  name: 'apt',
  summary: 'Install, upgrade or remove packages of Debian and Ubuntu.',
  notes: [
    'Undoing an installation removes the packages named, not those that came along.',
    'In the change phase of a rotation `upgrade`, `build-dep`, `autoremove`, `autoclean` and `clean` are refused: they cannot be undone.',
  ],
  params,
  rules: {
    mutuallyExclusive: [
      ['deb', 'name'],
      ['deb', 'upgrade'],
    ],
  },
  returns: {
    ...packageReturns,
    cache_updated: { doc: 'Whether the package lists were fetched.' },
    cache_update_time: { doc: 'When that was last done, in seconds since 1970.' },
    stdout: { doc: 'What apt-get said, also in check mode; absent when nothing changes.' },
    stderr: { doc: 'What it said on its standard error.' },
    diff: { doc: 'With --diff: `prepared`, the lines of `stdout` that say what changes.' },
  },
  examples: `
- name: What the panel needs
  apt: { name: [nodejs, postgresql-client], update_cache: true, cache_valid_time: 3600 }
`,
  prepare(t, args) {
    requireNoUpgrade(t, 'apt', isUpgrading(args) || args.autoremove || cleaningOf(args) !== '')
    return args
  },
  read,
  reread: rereadPackages,
  want,
  write: writePackageState,
  foretell: foretellPackages,
  result: (_args, before, after) => ({
    packages: after.packages,
    msg: renderChange(before, after),
    cache_updated: before.terms.isRefreshed || after.isFetched === true,
    cache_update_time: before.terms.listedAt,
  }),
  show: showPackages,
})
