import { defineState } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import type { PackageManager, PackageState } from '../resources/package.ts'
import { commonPackageParams, createPackageModule, type Particular } from './package-module.ts'
import { refuseAll } from './refused.ts'

const params = {
  ...commonPackageParams,
  enablerepo: { type: 'list', default: [], doc: 'Repositories to use for this.' },
  disablerepo: { type: 'list', default: [], doc: 'Repositories not to use for this.' },
  exclude: { type: 'list', default: [], doc: 'Packages to leave out.' },
  conf_file: { type: 'path', doc: 'Configuration file to use.' },
  releasever: { type: 'string', doc: 'Release to take packages from.' },
  disable_gpg_check: { type: 'bool', default: false, doc: 'Do not check signatures.' },
  skip_broken: { type: 'bool', default: false, doc: 'Leave out packages that cannot be installed.' },
  nobest: {
    type: 'bool',
    default: false,
    doc: 'Take an older version where the newest cannot be installed.',
  },
  allowerasing: { type: 'bool', default: false, doc: 'Remove installed packages that are in the way.' },
  install_weak_deps: { type: 'bool', default: true, doc: 'Install what a package recommends too.' },
  autoremove: { type: 'bool', default: false, doc: 'Remove packages that nothing needs any more.' },
  allow_downgrade: {
    type: 'bool',
    default: false,
    doc: 'A version that is asked for may be older than the installed one; without it the newer one stays.',
  },
  update_only: { type: 'bool', default: false, doc: 'Do not install what is not there.' },
  cacheonly: {
    type: 'bool',
    default: false,
    doc: 'Use the package lists that the host has, whatever their age.',
  },
  enable_plugin: { type: 'list', default: [], doc: 'Plugins to use for this.' },
  disable_plugin: { type: 'list', default: [], doc: 'Plugins not to use for this.' },
  disable_excludes: { type: 'string', doc: '`all`, `main` or a repository: ignore what is excluded there.' },
  sslverify: { type: 'bool', default: true, doc: 'Check the certificates of repositories.' },
  validate_certs: { type: 'bool', default: true, doc: 'Check the certificates of repositories.' },
  installroot: { type: 'path', default: '/', doc: 'Folder that is the root of the system that is changed.' },
  bugfix: { type: 'bool', default: false, doc: 'With `latest`: only what mends a fault.' },
  security: { type: 'bool', default: false, doc: 'With `latest`: only what mends a hole in security.' },
  use_backend: {
    type: 'string',
    aliases: ['use'],
    choices: ['auto', 'dnf', 'dnf4', 'yum', 'yum4'],
    default: 'auto',
    doc: 'Taken for compatibility: the program of that name on the host decides.',
  },
} as const

/** Options of dnf(8) and yum(8), by those of the module. */
function optionsOf(args: Args<typeof params>): readonly string[] {
  return [
    ...args.enablerepo.map(name => `--enablerepo=${name}`),
    ...args.disablerepo.map(name => `--disablerepo=${name}`),
    ...args.exclude.map(name => `--exclude=${name}`),
    ...(args.conf_file === undefined ? [] : [`--config=${args.conf_file}`]),
    ...(args.releasever === undefined ? [] : [`--releasever=${args.releasever}`]),
    ...(args.disable_gpg_check ? ['--nogpgcheck'] : []),
    ...(args.skip_broken ? ['--skip-broken'] : []),
    ...(args.nobest ? ['--nobest'] : []),
    ...(args.allowerasing ? ['--allowerasing'] : []),
    ...(args.install_weak_deps ? [] : ['--setopt=install_weak_deps=False']),
    ...(args.cacheonly ? ['--cacheonly'] : []),
    ...args.enable_plugin.map(name => `--enableplugin=${name}`),
    ...args.disable_plugin.map(name => `--disableplugin=${name}`),
    ...(args.disable_excludes === undefined ? [] : [`--disableexcludes=${args.disable_excludes}`]),
    ...(args.installroot === '/' ? [] : [`--installroot=${args.installroot}`]),
    ...(args.bugfix ? ['--bugfix'] : []),
    ...(args.security ? ['--security'] : []),
    ...(args.sslverify && args.validate_certs ? [] : ['--setopt=sslverify=False']),
  ]
}

function particular(use: PackageManager) {
  return (args: Args<typeof params>): Particular => ({
    use,
    options: optionsOf(args),
    root: args.installroot === '/' ? undefined : args.installroot,
    isUpgrade: args.name.includes('*') && args.state === 'latest',
    isAutoremoved: args.autoremove,
    isOnlyUpgraded: args.update_only,
    isNewerKept: !args.allow_downgrade,
  })
}

const examples = (name: string): string => `
- name: What the panel needs
  ${name}: { name: [nodejs, postgresql], state: present }
`
const notes = [
  '`name: nginx-1.20` asks for a version; `name: "*"` with `state: latest` upgrades everything, which cannot be undone.',
  'Undoing an installation removes the packages named, not those that came along.',
  '`@group` is a group or an environment by id or name (of dnf, not yum 3); a name that ends with .rpm is a file of the target or a URL.',
  'In the change phase of a rotation groups are refused: what came with one is not known beforehand.',
]
const refused = refuseAll(
  'use the module command: dnf …',
  'download_dir download_only install_repoquery list lock_timeout',
)

export const dnf = defineState<typeof params, PackageState>(
  createPackageModule<typeof params>(
    {
      name: 'dnf',
      summary: 'Install, upgrade or remove packages with dnf.',
      notes,
      params,
      refused,
      examples: examples('dnf'),
    },
    particular('dnf'),
  ),
)

export const yum = defineState<typeof params, PackageState>(
  createPackageModule<typeof params>(
    {
      name: 'yum',
      summary: 'Install, upgrade or remove packages with yum.',
      notes,
      params,
      refused,
      examples: examples('yum'),
    },
    particular('yum'),
  ),
)
