import { problem } from '../core/error.ts'
import { defineState, type Shown } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { readUserState, rereadUser, type UserState, writeUserState } from '../resources/account.ts'
import { mapText } from '../resources/secret-text.ts'
import { refuseAll } from './refused.ts'

const params = {
  name: { type: 'string', required: true, aliases: ['user'], doc: 'The user.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether it is to be there.',
  },
  uid: { type: 'int', doc: 'Its number. Default: as it is; of a new one the next that is free.' },
  local: {
    type: 'bool',
    default: false,
    doc: 'Mean the user of /etc/passwd, also where a directory service has one of that name.',
  },
  non_unique: { type: 'bool', default: false, doc: '`uid` may be that of another user too.' },
  comment: { type: 'string', doc: 'The full name or a description (GECOS).' },
  group: {
    type: 'string',
    doc: 'Its primary group, by name or number. A new user gets a group of its own name.',
  },
  groups: { type: 'list', doc: 'Its further groups; an empty list: none. With `append` these are added.' },
  append: { type: 'bool', default: false, doc: 'Keep groups that are not among `groups`.' },
  shell: { type: 'path', doc: 'Its login shell. A new user gets the default of the host.' },
  home: { type: 'path', doc: 'Its home folder. A new user gets one of its name in the folder of the host.' },
  create_home: {
    type: 'bool',
    default: true,
    aliases: ['createhome'],
    doc: 'Make the home folder when it is missing.',
  },
  move_home: { type: 'bool', default: false, doc: 'Move what is in the old home folder to the new.' },
  skeleton: { type: 'path', default: '/etc/skel', doc: 'What a new home folder is filled with.' },
  password: {
    type: 'secret',
    doc: "The password's hash as in /etc/shadow (`password_hash('sha512')`), or `*` or `!`: none.",
  },
  update_password: {
    type: 'string',
    choices: ['always', 'on_create'],
    default: 'always',
    doc: 'Whether to set the password of a user that is there already.',
  },
  password_lock: { type: 'bool', doc: 'Lock the password (`!` before the hash), or unlock it.' },
  password_expire_max: { type: 'int', doc: 'Days after which the password has to be changed.' },
  password_expire_min: { type: 'int', doc: 'Days before it may be changed again.' },
  expires: { type: 'float', doc: 'When the account ends, in seconds since 1970; below 0: never.' },
  system: { type: 'bool', default: false, doc: 'A new one gets a number from the range of system users.' },
  remove: { type: 'bool', default: false, doc: 'With `absent`: remove its home folder too.' },
  force: { type: 'bool', default: false, doc: 'With `absent`: remove it while it is logged in too.' },
} as const
type UserArgs = Args<typeof params>

/** The group that has the user's own name: wanted for a new user without another primary group. */
function wantOwnGroup({ group }: UserArgs, before: UserState): Pick<UserState, 'gid' | 'ownGid'> {
  const { terms, ownGid } = before
  if (group !== undefined) return { gid: terms.group, ownGid }
  if (before.kind === 'present') return { gid: before.gid, ownGid }
  // As useradd -N: a group of that name that is there is not taken over.
  if (ownGid !== undefined) return { gid: 100, ownGid }
  return { gid: terms.freeGid, ownGid: terms.freeGid }
}

function wantGroups({ groups, append }: UserArgs, before: UserState): readonly string[] {
  const now = before.groups ?? []
  if (groups === undefined) return now
  const { groups: asked } = before.terms
  return [...new Set(append ? [...now, ...asked] : asked)].sort()
}

/** What a new account has until it gets a password. */
const noPassword = new Secret('!', 'password hash')

const withLock = (hash: Secret): Secret =>
  mapText([hash], text => (text.startsWith('!') ? text : `!${text}`)) as Secret
const withoutLock = (hash: Secret): Secret => mapText([hash], text => text.replace(/^!/, '')) as Secret

function wantPassword(args: UserArgs, before: UserState): Secret | undefined {
  const isNew = before.kind === 'absent'
  const isSet = args.password !== undefined && (isNew || args.update_password === 'always')
  if ((isSet || args.password_lock !== undefined) && !before.terms.isShadowKnown)
    throw problem('E_TASK', 'the password needs /etc/shadow, which this login may not read', {
      hint: 'set become: true on the task',
    })
  const hash = isSet ? args.password : isNew ? noPassword : before.password
  if (hash === undefined || args.password_lock === undefined) return hash
  return args.password_lock ? withLock(hash) : withoutLock(hash)
}

const DAY_SECONDS = 86_400

function wantAging(args: UserArgs, before: UserState): Partial<UserState> {
  const { expires } = args
  const isNew = before.kind === 'absent'
  const days = (asked: number | undefined, now: string | undefined) =>
    asked === undefined ? now : asked < 0 ? '' : String(asked)
  return {
    minDays: days(args.password_expire_min, before.minDays ?? (isNew ? '0' : undefined)),
    maxDays: days(args.password_expire_max, before.maxDays ?? (isNew ? '99999' : undefined)),
    expires: days(
      expires === undefined ? undefined : Math.floor(expires / DAY_SECONDS),
      before.expires ?? (isNew ? '' : undefined),
    ),
  }
}

function want(args: UserArgs, before: UserState): UserState {
  const { name, terms } = before
  if (args.state === 'absent') return wantAbsent(args, before)
  if (terms.uidOf !== undefined && terms.uidOf !== name && !args.non_unique)
    throw problem('E_TASK', `UID ${args.uid} already exists with user ${terms.uidOf}`, {
      hint: 'choose another uid, or set non_unique: true',
    })
  const uid = args.uid ?? before.uid ?? terms.freeUid
  const home = args.home ?? before.home
  return {
    name,
    kind: 'present',
    uid,
    ...wantOwnGroup(args, before),
    comment: args.comment ?? before.comment ?? '',
    shell: args.shell ?? before.shell ?? terms.shell,
    home,
    isHomeThere: isHomeWanted(args, before, home),
    groups: wantGroups(args, before),
    password: wantPassword(args, before),
    ...wantAging(args, before),
    terms,
  }
}

function isHomeWanted(args: UserArgs, { home, isHomeThere, terms }: UserState, wanted: string): boolean {
  if (args.create_home) return true
  if (home === wanted) return isHomeThere
  return terms.nextHome?.isThere === true || (args.move_home && isHomeThere)
}

function wantAbsent({ remove }: UserArgs, before: UserState): UserState {
  const { name, home, isHomeThere, ownGid, gid, terms } = before
  if (before.kind === 'absent') return before
  return {
    name,
    kind: 'absent',
    home,
    isHomeThere: isHomeThere && !remove,
    // userdel takes the user's own group along.
    ...(ownGid === undefined || ownGid === gid ? {} : { ownGid }),
    terms,
  }
}

function result(args: UserArgs, _before: UserState, after: UserState): Readonly<Record<string, unknown>> {
  const { name, state, force, remove, append, create_home, move_home, system, groups, password } = args
  if (after.kind === 'absent') return { name, state, force, remove }
  return {
    name,
    state,
    append,
    create_home,
    move_home,
    system,
    uid: after.uid,
    group: after.gid,
    comment: after.comment,
    home: after.home,
    shell: after.shell,
    ...(groups === undefined ? {} : { groups: groups.join(',') }),
    ...(password === undefined ? {} : { password: 'NOT_LOGGING_PASSWORD' }),
  }
}

function showUser(state: UserState): Shown {
  const { name, kind, uid, gid, comment, home, shell, groups = [], expires, isHomeThere } = state
  if (kind === 'absent') return { header: `user ${name}`, text: '(absent)\n' }
  const rows = {
    uid,
    gid,
    comment,
    home: `${home}${isHomeThere ? '' : ' (missing)'}`,
    shell,
    groups: groups.join(' '),
    expires,
  }
  const text = Object.entries(rows)
    .map(([key, value]) => `${key} ${value ?? ''}\n`)
    .join('')
  return { header: `user ${name}`, text }
}

export const user = defineState<typeof params, UserState>({
  name: 'user',
  summary: 'Make, change or remove a user account.',
  notes: [
    'Uses useradd, usermod, userdel and chpasswd; where those are missing (Alpine, busybox) the files are edited under their lock.',
    'A password hash never stands in an argument list, and is a secret for the rest of the run.',
    'In the change phase of a rotation `remove: true` is refused: a home folder cannot be put back.',
    'SSH keys of the user: see authorized_key; make a key pair with `command: ssh-keygen …` and `creates`.',
  ],
  params,
  refused: refuseAll(
    'it is of the BSDs',
    'authorization profile role hidden login_class seuser ssh_key_passphrase',
  ),
  rules: { requiredIf: [['non_unique', true, ['uid']]] },
  returns: {
    name: { doc: 'The user.' },
    state: { doc: '`present` or `absent`.' },
    uid: { doc: 'Its number.' },
    group: { doc: 'Number of its primary group.' },
    groups: { doc: 'The groups asked for, with commas.' },
    append: { doc: 'As asked for.' },
    comment: { doc: 'Its description.' },
    home: { doc: 'Its home folder.' },
    shell: { doc: 'Its login shell.' },
    create_home: { doc: 'As asked for.' },
    move_home: { doc: 'As asked for.' },
    system: { doc: 'As asked for.' },
    password: { doc: '`NOT_LOGGING_PASSWORD` when one was given.' },
    force: { doc: 'With absent: as asked for.' },
    remove: { doc: 'With absent: as asked for.' },
  },
  examples: `
- name: The account that the panel runs as
  user: { name: panel, system: true, shell: /usr/sbin/nologin, home: /opt/panel, create_home: false }
- name: Somebody who may administer
  user: { name: ada, groups: [sudo], append: true, password: "{{ ada_password | password_hash('sha512') }}" }
`,
  prepare(t, args) {
    if (t.undoable && args.state === 'absent' && args.remove)
      throw problem('E_TASK', `user ${args.name}: remove: true cannot be undone`, {
        hint: 'do this outside the change phase of the rotation, or leave out remove',
      })
    return args
  },
  read: (t, args) =>
    readUserState(t, {
      name: args.name,
      uid: args.uid,
      group: args.group,
      groups: args.groups?.filter(name => name !== ''),
      home: args.home,
      isSystem: args.system,
      isNonUnique: args.non_unique,
      isLocal: args.local,
      isForced: args.force,
      isHomeMoved: args.move_home,
      skeleton: args.skeleton,
      homeMode: '0755',
    }),
  reread: rereadUser,
  want,
  write: writeUserState,
  result,
  show: showUser,
})
