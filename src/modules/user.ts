import { problem } from '../core/error.ts'
import { defineState, type Shown, type Target } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import { readUserState, rereadUser, type UserState, writeUserState } from '../resources/account.ts'
import { type KeyState, readKey, rereadKey, wantKey, writeKey } from '../resources/account-key.ts'
import { renderMode, wantMode } from '../resources/mode.ts'
import { editText, mapText } from '../resources/secret-text.ts'
import { refuseAll } from './refused.ts'
import { type UserArgs, userParams } from './user-params.ts'

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

/** How long the last part of a hash of crypt(3) is, by its method. */
const hashLengths: Readonly<Record<string, number>> = { '1': 22, '5': 43, '6': 86 }

/** Whether a text may stand in /etc/shadow: a hash, or what no password leads to. */
function isHash(text: string): boolean {
  if (/^(?:|\*+|!+)$/.test(text)) return true
  const [, method, , ...rest] = text.replace(/^!/, '').split('$')
  const last = rest.at(-1) ?? ''
  if (method === undefined || !/^[./0-9A-Za-z]+$/.test(last)) return false
  return hashLengths[method] === undefined || last.length === hashLengths[method]
}

function warnOfPassword(t: Target, password: Secret | undefined): void {
  if (password === undefined) return
  const { value } = editText([password], text => ({ text: '', value: isHash(text) }))
  if (!value)
    t.warn(
      'The input password appears not to have been hashed: write password: "{{ … | password_hash(\'sha512\') }}"',
    )
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

/** A user and, when it was asked for, its key. */
type UserWithKey = UserState & { readonly key?: KeyState }

function readUserKey(t: Target, args: UserArgs, home: string): Promise<KeyState> {
  const file = args.ssh_key_file ?? `.ssh/id_${args.ssh_key_type}`
  return readKey(t, file.startsWith('/') ? file : `${home}/${file}`, {
    type: args.ssh_key_type,
    bits: args.ssh_key_bits,
    comment: args.ssh_key_comment ?? `ansible-generated on ${t.name}`,
    passphrase: args.ssh_key_passphrase,
  })
}

function wantUser(args: UserArgs, { key, ...before }: UserWithKey): UserWithKey {
  const after = want(args, before)
  return key === undefined ? after : { ...after, key: after.kind === 'present' ? wantKey(key) : key }
}

function keyResult(key: KeyState | undefined): Readonly<Record<string, unknown>> {
  if (key === undefined) return {}
  const { publicKey, fingerprint } = key.told
  return { ssh_key_file: key.path, ssh_public_key: publicKey, ssh_fingerprint: fingerprint }
}

function result(args: UserArgs, _before: UserState, after: UserWithKey): Readonly<Record<string, unknown>> {
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
    ...keyResult(after.key),
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

export const user = defineState<typeof userParams, UserWithKey>({
  name: 'user',
  summary: 'Make, change or remove a user account.',
  notes: [
    'Uses useradd, usermod, userdel and chpasswd; where those are missing (Alpine, busybox) the files are edited under their lock.',
    'A password hash never stands in an argument list, and is a secret for the rest of the run.',
    'In the change phase of a rotation `remove: true` is refused: a home folder cannot be put back.',
    'Keys that may log in as the user: see authorized_key. A key pair that generate_ssh_key made is removed again when that is undone.',
  ],
  params: userParams,
  refused: {
    ...refuseAll('it is not of Linux', 'authorization profile role hidden login_class'),
    seuser: 'map the login with semanage, by the module command',
  },
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
    ssh_key_file: { doc: 'With generate_ssh_key: the private key.' },
    ssh_public_key: { doc: 'With generate_ssh_key: the public key, when it was there already.' },
    ssh_fingerprint: { doc: 'With generate_ssh_key: its fingerprint, when it was there already.' },
  },
  examples: `
- name: The account that the panel runs as
  user: { name: panel, system: true, shell: /usr/sbin/nologin, home: /opt/panel, create_home: false }
- name: Somebody who may administer
  user: { name: ada, groups: [sudo], append: true, password: "{{ ada_password | password_hash('sha512') }}" }
`,
  prepare(t, args) {
    warnOfPassword(t, args.password)
    if (args.append && args.groups === undefined)
      t.warn("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.")
    if (args.local && args.umask !== undefined)
      throw problem('E_TASK', "'umask' can not be used with 'local'", { hint: 'leave one of them out' })
    if (t.undoable && args.state === 'absent' && args.remove)
      throw problem('E_TASK', `user ${args.name}: remove: true cannot be undone`, {
        hint: 'do this outside the change phase of the rotation, or leave out remove',
      })
    return args
  },
  async read(t, args) {
    const found = await readUserState(t, {
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
      homeMode: renderMode(0o777 & ~wantMode(args.umask ?? '022', 0, true)),
    })
    if (args.local && args.state === 'present' && found.kind === 'absent')
      t.warn(
        `user ${args.name} is not in /etc/passwd, where local: true looks. The local user account may already exist if this host keeps its accounts elsewhere.`,
      )
    return args.generate_ssh_key ? { ...found, key: await readUserKey(t, args, found.home) } : found
  },
  async reread(t, { key, ...state }) {
    const found = await rereadUser(t, state)
    return key === undefined ? found : { ...found, key: await rereadKey(t, key) }
  },
  want: wantUser,
  async write(t, { key, ...before }, { key: wanted, ...after }) {
    if (!isSameState(before, after)) await writeUserState(t, before, after)
    if (key === undefined || wanted === undefined) return
    // With the account goes its home folder, and with that the key.
    if (after.kind === 'present') await writeKey(t, key, wanted, after)
  },
  result,
  show: showUser,
})
