import { defineState, type StateModule } from '../core/module.ts'
import {
  readServiceState,
  requireUndoable,
  rereadService,
  type ServiceState,
  showService,
  wantService,
  writeServiceState,
} from '../resources/service.ts'
import { serviceStates } from './service.ts'

const params = {
  name: { type: 'string', aliases: ['service', 'unit'], doc: 'The unit; without an ending a service.' },
  state: {
    type: 'string',
    choices: serviceStates,
    doc: '`started` and `stopped` do nothing when it is so; `restarted` always restarts it; `reloaded` starts it when it does not run.',
  },
  enabled: { type: 'bool', doc: 'Whether it starts when the host does.' },
  masked: { type: 'bool', doc: 'Whether it cannot be started at all.' },
  force: { type: 'bool', default: false, doc: 'Overwrite links that are in the way of enabling it.' },
  daemon_reload: {
    type: 'bool',
    default: false,
    aliases: ['daemon-reload'],
    doc: 'Read all unit files again first. Does not count as a change.',
  },
  daemon_reexec: {
    type: 'bool',
    default: false,
    aliases: ['daemon-reexec'],
    doc: 'Execute systemd itself again first. Does not count as a change.',
  },
  scope: {
    type: 'string',
    choices: ['system', 'user', 'global'],
    default: 'system',
    doc: 'The manager of the system, or that of the login; `global`: of all users (only enabling).',
  },
  no_block: { type: 'bool', default: false, doc: 'Do not wait until it has started or stopped.' },
} as const

type Systemd = Omit<StateModule<typeof params, ServiceState>, 'kind' | 'name'>

const module: Systemd = {
  summary: 'Start, stop, restart, enable or mask a unit of systemd.',
  notes: [
    'Where the host is not run by systemd this fails by name; use the service module there.',
    'In the change phase of a rotation `restarted` and `reloaded` are refused: they cannot be undone.',
  ],
  params,
  rules: {
    requiredOneOf: [['state', 'enabled', 'masked', 'daemon_reload', 'daemon_reexec']],
    requiredIf: [
      ['state', 'started', ['name']],
      ['state', 'stopped', ['name']],
      ['state', 'restarted', ['name']],
      ['state', 'reloaded', ['name']],
      ['enabled', true, ['name']],
      ['enabled', false, ['name']],
      ['masked', true, ['name']],
      ['masked', false, ['name']],
    ],
  },
  returns: {
    name: { doc: 'The unit.' },
    state: { doc: '`started` or `stopped`, when a state was asked for.' },
    enabled: { doc: 'As asked for.' },
    masked: { doc: 'As asked for.' },
    status: { doc: 'Some of what `systemctl show` said at first.' },
  },
  examples: `
- name: A unit file that was just written
  systemd: { name: panel, state: restarted, enabled: true, daemon_reload: true }
`,
  prepare(t, args) {
    requireUndoable(t, args.name ?? '', args.state)
    return args
  },
  // A unit file that was just written is only known after a reload, so that has to come before the look.
  read: (t, args) =>
    readServiceState(t, {
      name: args.name ?? '',
      use: 'systemd',
      scope: args.scope,
      isForced: args.force,
      isNotAwaited: args.no_block,
      isReloaded: args.daemon_reload && !t.check,
      isReexecuted: args.daemon_reexec && !t.check,
    }),
  reread: rereadService,
  want: wantService,
  write: writeServiceState,
  result: ({ name, state, enabled, masked }, _before, after) => ({
    name,
    ...(state === undefined ? {} : { state: after.isActive ? 'started' : 'stopped' }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(masked === undefined ? {} : { masked }),
    status: after.terms.status,
  }),
  show: showService,
}

export const systemd = defineState<typeof params, ServiceState>({ name: 'systemd', ...module })

/** The newer name of the same module. */
export const systemdService = defineState<typeof params, ServiceState>({ name: 'systemd_service', ...module })
