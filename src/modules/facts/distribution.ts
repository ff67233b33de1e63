/** Named values that the script returned. */
export type Raw = Readonly<Record<string, string>>
type Facts = Record<string, unknown>

/** `KEY="value"` lines of os-release and its like. */
function parseShellVars(text: string): Record<string, string> {
  const entries = [...text.matchAll(/^\s*([A-Za-z_]\w*)=(.*)$/gm)].map(([, name, value]) => [
    name!,
    value!.trim().replace(/^(["'])(.*)\1$/, '$2'),
  ])
  return Object.fromEntries(entries)
}

/** Ansible's names by the ID of os-release, where they are not simply its NAME's first word. */
const names: Readonly<Record<string, string>> = {
  almalinux: 'AlmaLinux',
  alpine: 'Alpine',
  amzn: 'Amazon',
  arch: 'Archlinux',
  centos: 'CentOS',
  debian: 'Debian',
  devuan: 'Devuan',
  fedora: 'Fedora',
  gentoo: 'Gentoo',
  kali: 'Kali',
  linuxmint: 'Linux Mint',
  manjaro: 'Manjaro',
  nixos: 'NixOS',
  ol: 'OracleLinux',
  'opensuse-leap': 'openSUSE Leap',
  'opensuse-tumbleweed': 'openSUSE Tumbleweed',
  raspbian: 'Debian',
  rhel: 'RedHat',
  rocky: 'Rocky',
  sles: 'SLES',
  ubuntu: 'Ubuntu',
  void: 'Void',
}
const families: Readonly<Record<string, readonly string[]>> = {
  RedHat: ['RedHat', 'AlmaLinux', 'Amazon', 'CentOS', 'Fedora', 'OracleLinux', 'Rocky'],
  Debian: ['Debian', 'Ubuntu', 'Devuan', 'Kali', 'Linux Mint', 'Pop!_OS'],
  Suse: ['SLES', 'openSUSE Leap', 'openSUSE Tumbleweed'],
  Archlinux: ['Archlinux', 'Manjaro'],
}

/** distribution*, os_family: what Ansible makes of os-release and the older release files. */
export function renderDistribution(raw: Raw, system: string): Facts {
  if (system !== 'Linux') return { distribution: system, os_family: system }
  const os = parseShellVars(raw['os_release'] ?? '')
  const id = os['ID'] ?? ''
  const distribution = names[id] ?? os['NAME']?.split(' ')[0] ?? 'Linux'
  const version = findVersion(raw, distribution, os['VERSION_ID'] ?? 'NA')
  const [major = 'NA', minor] = version.split('.')
  const family = Object.keys(families).find(name => families[name]!.includes(distribution)) ?? distribution
  const path = distribution === 'Alpine' ? '/etc/alpine-release' : raw['os_release_path']
  return {
    distribution,
    distribution_version: version,
    distribution_major_version: major,
    ...(minor !== undefined && distribution === 'Debian' ? { distribution_minor_version: minor } : {}),
    distribution_release: findRelease(os, distribution),
    ...(path === undefined
      ? {}
      : {
          distribution_file_path: path,
          distribution_file_variety: distribution,
          distribution_file_parsed: true,
        }),
    os_family: family,
  }
}

/** os-release has the major version only where another file has all of it. */
function findVersion(raw: Raw, distribution: string, version: string): string {
  const whole = (name: string, pattern: RegExp): string => pattern.exec(raw[name] ?? '')?.[0] ?? version
  if (distribution === 'Debian') return whole('debian_version', /^\d+(?:\.\d+)*/)
  if (distribution === 'Alpine') return whole('alpine_release', /^\S+/)
  if (distribution === 'CentOS') return whole('redhat_release', /\d+(?:\.\d+)+|\d+(?= )/)
  return version
}

function findRelease(os: Readonly<Record<string, string>>, distribution: string): string {
  if (os['VERSION_CODENAME']) return os['VERSION_CODENAME']
  if (distribution === 'Fedora') return ''
  return /\(([^)]+)\)/.exec(os['VERSION'] ?? '')?.[1] ?? 'NA'
}

/** lsb: from lsb_release, or from /etc/lsb-release. */
export function renderLsb(raw: Raw): Facts {
  const said = new Map(
    [...(raw['lsb'] ?? '').matchAll(/^([^:]+):\s*(.*)$/gm)].map(([, name, value]) => [name!, value!]),
  )
  const file = parseShellVars(raw['lsb_file'] ?? '')
  const lsb = {
    id: said.get('Distributor ID') ?? file['DISTRIB_ID'],
    description: said.get('Description') ?? file['DISTRIB_DESCRIPTION'],
    release: said.get('Release') ?? file['DISTRIB_RELEASE'],
    codename: said.get('Codename') ?? file['DISTRIB_CODENAME'],
  }
  return { lsb: lsb.release === undefined ? {} : { ...lsb, major_release: lsb.release.split('.')[0] } }
}

const managers: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  'xbps-install': 'xbps',
  emerge: 'portage',
  pkg: 'pkgng',
  brew: 'homebrew',
  'nix-env': 'nix_env',
  microdnf: 'dnf',
}

/** The package manager of the distribution's family when it is there, else the first one that was found. */
export function renderPackageManager(raw: Raw, family: unknown): Facts {
  const found = (raw['managers'] ?? '')
    .split(' ')
    .filter(path => path !== '')
    .map(path => path.slice(path.lastIndexOf('/') + 1))
    .map(name => managers[name] ?? name)
  const usual: Readonly<Record<string, readonly string[]>> = {
    Debian: ['apt'],
    RedHat: ['dnf5', 'dnf', 'yum'],
    Suse: ['zypper'],
    Alpine: ['apk'],
    Archlinux: ['pacman'],
  }
  return { pkg_mgr: usual[String(family)]?.find(name => found.includes(name)) ?? found[0] ?? 'unknown' }
}

/** What starts services: known by process 1, and where that says nothing by the folders it leaves. */
export function renderServiceManager(raw: Raw, system: string): Facts {
  const inits = (raw['inits'] ?? '').split(' ')
  const first = (raw['init'] ?? '').trim()
  if (system !== 'Linux') return { service_mgr: system === 'Darwin' ? 'launchd' : 'bsdinit' }
  const known: Readonly<Record<string, string>> = {
    'runit-init': 'runit',
    's6-svscan': 's6',
    svscan: 'svc',
    'openrc-init': 'openrc',
  }
  // In a container process 1 can be anything: it is what Ansible names then.
  if (first !== '' && first !== 'init' && !/sh$/.test(first)) return { service_mgr: known[first] ?? first }
  if (inits.some(path => path.includes('systemd'))) return { service_mgr: 'systemd' }
  if (inits.includes('/usr/sbin/initctl')) return { service_mgr: 'upstart' }
  if (inits.includes('/sbin/openrc')) return { service_mgr: 'openrc' }
  return { service_mgr: inits.includes('/etc/init.d') ? 'sysvinit' : 'service' }
}
