import { defineState } from '../core/module.ts'
import { type PackageState, readPackageState, rereadPackages, showPackages } from '../resources/package.ts'
import { wantPackages } from '../resources/package-want.ts'
import { foretellPackages, writePackageState } from '../resources/package-write.ts'
import { packageReturns, packageStates, renderChange, stateOf } from './package-module.ts'

const params = {
  name: { type: 'list', required: true, doc: 'The packages, as the package manager of the host calls them.' },
  state: {
    type: 'string',
    choices: packageStates,
    default: 'present',
    doc: 'Whether they are to be there; `latest`: in the newest version that the host can get.',
  },
  use: {
    type: 'string',
    choices: ['auto', 'apt', 'apk', 'dnf', 'yum'],
    default: 'auto',
    doc: 'The package manager. Default: the first of these that the host has.',
  },
} as const

export const packageModule = defineState<typeof params, PackageState>({
  name: 'package',
  summary: 'Install or remove packages with whatever package manager the host has.',
  notes: ['Undoing an installation removes the packages named, not those that came along.'],
  params,
  returns: packageReturns,
  examples: `
- package: { name: [curl, rsync], state: present }
`,
  read: (t, { name, state, use }) =>
    readPackageState(t, {
      names: name,
      use: use === 'auto' ? undefined : use,
      isNewest: state === 'latest',
      isWanted: stateOf(state) !== 'absent',
    }),
  reread: rereadPackages,
  want: ({ state }, before) => wantPackages({ state: stateOf(state) }, before),
  write: writePackageState,
  foretell: foretellPackages,
  result: (_args, before, after) => ({ packages: after.packages, msg: renderChange(before, after) }),
  show: showPackages,
})
