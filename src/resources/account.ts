import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'
import { Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import { readUser, writeUser } from './account-script.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'

/** A name that every account tool takes (useradd(8), without its local variations) and that no file format breaks at. */
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/

/** What is fixed when a user is first read: what the host would give a new one, and how to write. */
export type UserTerms = {
  readonly freeUid: number
  readonly freeGid: number
  /** Number of the group asked for. */
  readonly group?: number | undefined
  /** Names of the groups asked for. */
  readonly groups: readonly string[]
  /** Who has the number that was asked for. */
  readonly uidOf?: string | undefined
  /** That of a new user, by /etc/default/useradd. */
  readonly shell: string
  /** The home folder asked for, when it is another. */
  readonly nextHome?: { readonly path: string; readonly isThere: boolean } | undefined
  readonly isSystem: boolean
  readonly isNonUnique: boolean
  readonly isLocal: boolean
  readonly isForced: boolean
  readonly isHomeMoved: boolean
  readonly skeleton: string
  readonly homeMode: string
  /** /etc/shadow can be read. */
  readonly isShadowKnown: boolean
}

/** A user of the account files. Plain data; `home` stands in an absent one too, since its folder may be there. */
export type UserState = {
  readonly name: string
  readonly kind: 'absent' | 'present'
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly comment?: string | undefined
  readonly shell?: string | undefined
  readonly home: string
  readonly isHomeThere: boolean
  /** Further groups, sorted. */
  readonly groups?: readonly string[] | undefined
  /** Number of the group that has the user's own name. */
  readonly ownGid?: number | undefined
  /** The hash; undefined where /etc/shadow cannot be read. */
  readonly password?: Secret | undefined
  /** Days: between changes at least and at most, and since 1970 when the account ends. */
  readonly minDays?: string | undefined
  readonly maxDays?: string | undefined
  readonly expires?: string | undefined
  readonly terms: UserTerms
}

export interface UserAsked {
  readonly name: string
  readonly uid?: number | undefined
  readonly group?: string | undefined
  readonly groups?: readonly string[] | undefined
  readonly home?: string | undefined
  readonly isSystem: boolean
  readonly isNonUnique: boolean
  readonly isLocal: boolean
  readonly isForced: boolean
  readonly isHomeMoved: boolean
  readonly skeleton: string
  readonly homeMode: string
}

/** Throws E_PARAMS. */
export function requireName(name: string, what: string): void {
  if (NAME.test(name)) return
  throw problem('E_PARAMS', `${JSON.stringify(name)} is no name that a ${what} can have`, {
    hint: 'use letters, digits, _, . and -, beginning with a letter or _',
  })
}

/** Reads one user: one round trip. Throws E_TASK for a group that does not exist. */
export async function readUserState(t: Target, asked: UserAsked): Promise<UserState> {
  requireName(asked.name, 'user')
  const ran = accept(
    t,
    await t.run(readUser, {
      name: asked.name,
      uid: asked.uid,
      group: asked.group,
      groups: asked.groups?.join(' '),
      home: asked.home,
      system: asked.isSystem,
      local: asked.isLocal,
    }),
  )
  const { values } = ran
  const defaults = new Map(
    [...(values['defaults'] ?? '').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(row => [row[1], row[2]!.trim()]),
  )
  const terms = {
    freeUid: Number(values['uid']),
    freeGid: Number(values['gid']),
    group: asked.group === undefined ? undefined : numberOfGroup(t, asked.group, values['group']),
    groups: namesOfGroups(t, values['asked'] ?? ''),
    uidOf: values['uid_of']?.split(':')[0] || undefined,
    shell: defaults.get('SHELL') || '/bin/sh',
    nextHome:
      asked.home === undefined ? undefined : { path: asked.home, isThere: values['next_home'] !== undefined },
    isSystem: asked.isSystem,
    isNonUnique: asked.isNonUnique,
    isLocal: asked.isLocal,
    isForced: asked.isForced,
    isHomeMoved: asked.isHomeMoved,
    skeleton: asked.skeleton,
    homeMode: asked.homeMode,
    isShadowKnown: values['unreadable'] === undefined,
  }
  return parseUser(asked.name, values, terms, asked.home)
}

function missingGroup(t: Target, group: string): never {
  throw problem('E_TASK', `Group ${group} does not exist`, {
    hint: t.check ? 'an earlier task may be the one that makes it' : 'make it first, with the group module',
  })
}

function numberOfGroup(t: Target, asked: string, row: string | undefined): number {
  const id = row?.split(':')[2]
  // In check mode an earlier task that only pretended may be the one that makes it.
  if (!id) return t.check ? -1 : missingGroup(t, asked)
  return Number(id)
}

function namesOfGroups(t: Target, rows: string): readonly string[] {
  return rows
    .split('\n')
    .filter(row => row !== '')
    .map(row => {
      const [asked = '', name] = row.split(':')
      return name || (t.check ? asked : missingGroup(t, asked))
    })
    .sort()
}

type Values = Readonly<Record<string, string>>

function parseUser(name: string, values: Values, terms: UserTerms, asked: string | undefined): UserState {
  const [, , uid, gid, comment, home, shell] = values['passwd']?.split(':') ?? []
  const ownGid = values['own'] ? { ownGid: Number(values['own'].split(':')[2]) } : {}
  const isThere = values['home'] === '1'
  if (uid === undefined)
    return {
      name,
      kind: 'absent',
      home: asked ?? `/home/${name}`,
      isHomeThere: isThere,
      ...ownGid,
      terms,
    }
  return {
    name,
    kind: 'present',
    uid: Number(uid),
    gid: Number(gid),
    comment: comment ?? '',
    shell: shell ?? '',
    home: home ?? '',
    isHomeThere: isThere,
    groups: (values['groups'] ?? '')
      .split('\n')
      .filter(group => group !== '')
      .sort(),
    ...ownGid,
    ...parseShadow(values['shadow']),
    terms,
  }
}

function parseShadow(row: string | undefined): Partial<UserState> {
  if (!row) return {}
  const [, password = '', , minDays = '', maxDays = '', , , expires = ''] = row.split(':')
  return { password: new Secret(password, 'password hash'), minDays, maxDays, expires }
}

/** What the host has now of that user, in the same terms; whether the home folder of that state is there. */
export async function rereadUser(t: Target, state: UserState): Promise<UserState> {
  const ran = accept(
    t,
    await t.run(readUser, {
      name: state.name,
      home: state.home,
      system: state.terms.isSystem,
      local: state.terms.isLocal,
    }),
  )
  return parseUser(state.name, ran.values, state.terms, state.home)
}

/** Throws E_CONFLICT when the host no longer holds `before`, E_TASK with what its tools say. */
export async function writeUserState(t: Target, before: UserState, after: UserState): Promise<void> {
  await requireUnchanged(`user ${before.name}`, before, () => rereadUser(t, before))
  if (after.kind === 'absent' && before.kind === 'absent') return
  const params = writeParams(before, after)
  const ran = await t.run(writeUser, params)
  if (ran.exit !== USER_HAS_PROCESSES) return void accept(t, ran)
  // It may be this run's own shell, of a task that became the user.
  await t.reconnect()
  accept(t, await t.run(writeUser, params))
}

/** Exit status of userdel(8): the user has processes. Nothing was done. */
const USER_HAS_PROCESSES = 8

function writeParams(before: UserState, after: UserState): ScriptParams {
  const { terms } = after
  const same = (...names: (keyof UserState)[]) => names.every(name => isSameState(before[name], after[name]))
  return {
    name: after.name,
    was: before.kind,
    kind: after.kind,
    entry: !same('uid', 'gid', 'home', 'shell', 'comment'),
    uid: after.uid,
    gid: after.gid,
    home: after.home,
    was_home: before.home,
    shell: after.shell,
    comment: after.comment,
    own_gid: after.ownGid,
    was_own_gid: before.ownGid,
    set_groups: before.kind === 'absent' ? (after.groups ?? []).length > 0 : !same('groups'),
    groups: after.groups?.join('\n') ?? '',
    groups_list: after.groups?.join(',') ?? '',
    set_password: after.password !== undefined && !same('password'),
    password: after.password,
    set_aging: !same('minDays', 'maxDays', 'expires') && after.minDays !== undefined,
    min: after.minDays,
    max: after.maxDays,
    expires: after.expires,
    non_unique: terms.isNonUnique,
    force: terms.isForced,
    ...homeParams(before, after),
    skeleton: terms.skeleton,
    home_mode: terms.homeMode,
    system: terms.isSystem,
  }
}

/** What is to become of the home folders: only one that was made by this change is removed when it is undone. */
function homeParams(before: UserState, after: UserState): ScriptParams {
  const { isHomeMoved, nextHome } = after.terms
  const nothing = { move_home: false, make_home: false, drop_home: false }
  if (before.home === after.home)
    return {
      ...nothing,
      make_home: after.isHomeThere && !before.isHomeThere,
      drop_home: before.isHomeThere && !after.isHomeThere,
    }
  const isMade = ({ home, isHomeThere }: UserState) =>
    isHomeThere && nextHome?.path === home && !nextHome.isThere
  if (isHomeMoved && before.isHomeThere) return { ...nothing, move_home: true }
  return { ...nothing, make_home: isMade(after), drop_home: isMade(before) }
}
