import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import {
  readServiceState,
  requireUndoable,
  rereadService,
  type ServiceState,
  showService,
  wantService,
  writeServiceState,
} from '../resources/service.ts'

export const serviceStates = ['reloaded', 'restarted', 'started', 'stopped'] as const

/** `use` in Ansible's names. */
const managers = {
  auto: undefined,
  systemd: 'systemd',
  openrc: 'openrc',
  sysvinit: 'sysv',
  service: 'sysv',
} as const

const params = {
  name: { type: 'string', required: true, doc: 'The service.' },
  daemon_reload: {
    type: 'bool',
    default: false,
    aliases: ['daemon-reload'],
    doc: 'As for the module systemd, where the host runs that.',
  },
  state: {
    type: 'string',
    choices: serviceStates,
    doc: '`started` and `stopped` do nothing when it is so; `restarted` always restarts it; `reloaded` starts it when it does not run.',
  },
  enabled: { type: 'bool', doc: 'Whether it starts when the host does.' },
  sleep: { type: 'int', doc: 'Seconds between stop and start of a restart; only for init scripts.' },
  pattern: {
    type: 'string',
    doc: 'Text of the process list by which it is known to run; only for init scripts without `status`.',
  },
  runlevel: { type: 'string', default: 'default', doc: 'Run level to enable it in; only for OpenRC.' },
  use: {
    type: 'string',
    choices: ['auto', 'systemd', 'openrc', 'sysvinit', 'service'],
    default: 'auto',
    doc: 'The service manager. Default: the one that the host runs.',
  },
} as const

export const service = defineState<typeof params, ServiceState>({
  name: 'service',
  summary: 'Start, stop, restart, reload or enable a service, with systemd, OpenRC or init scripts.',
  notes: ['In the change phase of a rotation `restarted` and `reloaded` are refused: they cannot be undone.'],
  params,
  refused: {
    arguments: 'put them into the service’s own configuration',
    args: 'put them into the service’s own configuration',
  },
  rules: { requiredOneOf: [['state', 'enabled']] },
  returns: {
    name: { doc: 'The service.' },
    state: { doc: '`started` or `stopped`, when a state was asked for.' },
    enabled: { doc: 'As asked for.' },
    status: { doc: 'With systemd: some of what `systemctl show` said at first.' },
  },
  examples: `
- name: The panel runs, now and after a reboot
  service: { name: panel, state: started, enabled: true }
`,
  prepare(t, args) {
    requireUndoable(t, args.name, args.state)
    if (args.name.includes('*'))
      throw problem('E_PARAMS', `service: ${args.name}: one service at a time`, { hint: 'use a loop' })
    return args
  },
  read: (t, args) =>
    readServiceState(t, {
      name: args.name,
      use: managers[args.use],
      runlevel: args.runlevel,
      pattern: args.pattern,
      sleepSeconds: args.sleep,
      isReloaded: args.daemon_reload && !t.check,
    }),
  reread: rereadService,
  want: wantService,
  write: writeServiceState,
  result: ({ name, state, enabled }, _before, after) => ({
    name,
    ...(state === undefined ? {} : { state: after.isActive ? 'started' : 'stopped' }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(after.terms.manager === 'systemd' ? { status: after.terms.status } : {}),
  }),
  show: showService,
})
