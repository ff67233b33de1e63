import { defineState } from '../core/module.ts'
import type { PackageState } from '../resources/package.ts'
import { commonPackageParams, createPackageModule } from './package-module.ts'
import { refuseAll } from './refused.ts'

const params = {
  ...commonPackageParams,
  upgrade: { type: 'bool', default: false, doc: 'Bring all packages to their newest versions.' },
  available: {
    type: 'bool',
    default: false,
    doc: 'With `upgrade`: also go back to versions that the repositories still have.',
  },
  no_cache: { type: 'bool', default: false, doc: 'Use no local cache of the package lists.' },
  repository: { type: 'list', default: [], doc: 'Repositories to use besides those of the host.' },
} as const

export const apk = defineState<typeof params, PackageState>(
  createPackageModule<typeof params>(
    {
      name: 'apk',
      summary: 'Install, upgrade or remove packages of Alpine.',
      params,
      refused: refuseAll('name the packages one by one', 'world'),
      examples: `
- name: What the panel needs
  community.general.apk: { name: [nodejs, postgresql-client], update_cache: true }
`,
    },
    args => ({
      use: 'apk',
      options: [
        ...(args.no_cache ? ['--no-cache'] : []),
        ...(args.available ? ['--available'] : []),
        ...args.repository.flatMap(url => ['--repository', url]),
      ],
      isUpgrade: args.upgrade,
      isAutoremoved: false,
    }),
  ),
)
