import { problem } from '../core/error.ts'
import { defineState } from '../core/module.ts'
import { type GroupState, readGroupState, rereadGroup, writeGroupState } from '../resources/account-group.ts'

const params = {
  name: { type: 'string', required: true, doc: 'The group.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether it is to be there.',
  },
  gid: { type: 'int', doc: 'Its number. Default: as it is; of a new one the next that is free.' },
  system: { type: 'bool', default: false, doc: 'A new one gets a number from the range of system groups.' },
  local: {
    type: 'bool',
    default: false,
    doc: 'Mean the group of /etc/group, also where a directory service has one of that name.',
  },
  non_unique: { type: 'bool', default: false, doc: '`gid` may be that of another group too.' },
} as const

export const group = defineState<typeof params, GroupState>({
  name: 'group',
  summary: 'Make or remove a group, and set its number.',
  notes: [
    'Uses groupadd, groupmod and groupdel; where those are missing (Alpine, busybox) the files are edited under their lock.',
  ],
  params,
  rules: { requiredIf: [['non_unique', true, ['gid']]] },
  returns: {
    name: { doc: 'The group.' },
    gid: { doc: 'Its number, when it is there.' },
    state: { doc: '`present` or `absent`.' },
    system: { doc: 'As asked for.' },
  },
  examples: `
- name: The group of the panel
  group: { name: panel, system: true }
`,
  read: (t, { name, gid, system, non_unique, local }) =>
    readGroupState(t, { name, gid, isSystem: system, isNonUnique: non_unique, isLocal: local }),
  reread: rereadGroup,
  want(args, before) {
    const { name, terms } = before
    if (args.state === 'absent') return { name, terms }
    if (terms.gidOf !== undefined && terms.gidOf !== name && !args.non_unique)
      throw problem('E_TASK', `GID '${args.gid}' already exists with group '${terms.gidOf}'`, {
        hint: 'choose another gid, or set non_unique: true',
      })
    return { ...before, gid: args.gid ?? before.gid ?? terms.freeGid, members: before.members ?? [] }
  },
  write: writeGroupState,
  result: (args, _before, after) => ({
    name: args.name,
    state: args.state,
    ...(after.gid === undefined ? {} : { gid: after.gid, system: args.system }),
  }),
  show: ({ name, gid, members = [] }) => ({
    header: `group ${name}`,
    text: gid === undefined ? '(absent)\n' : `gid ${gid}\nmembers ${members.join(' ')}\n`,
  }),
})
