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
  ]
}

function particular(use: PackageManager) {
  return (args: Args<typeof params>): Particular => ({
    use,
    options: optionsOf(args),
    isUpgrade: false,
    isAutoremoved: args.autoremove,
  })
}

const examples = (name: string): string => `
- name: What the panel needs
  ${name}: { name: [nodejs, postgresql], state: present }
`
const notes = ['`name: "*"`, groups, files and URLs are refused by name: use command for them.']

export const dnf = defineState<typeof params, PackageState>(
  createPackageModule<typeof params>(
    {
      name: 'dnf',
      summary: 'Install, upgrade or remove packages with dnf.',
      notes,
      params,
      refused: refuseAll(
        'use the module command: dnf …',
        'allow_downgrade bugfix cacheonly disable_excludes disable_plugin download_dir download_only enable_plugin install_repoquery installroot list lock_timeout security sslverify update_only use_backend validate_certs',
      ),
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
      refused: refuseAll(
        'use the module command: dnf …',
        'allow_downgrade bugfix cacheonly disable_excludes disable_plugin download_dir download_only enable_plugin install_repoquery installroot list lock_timeout security sslverify update_only use_backend validate_certs',
      ),
      examples: examples('yum'),
    },
    particular('yum'),
  ),
)
