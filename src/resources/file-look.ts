// What stat(1) says of a path, and the accounts of the target.
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { renderMode } from './mode.ts'

/** A user or group; one without a name has its number as the name. */
export type Account = { readonly name: string; readonly id: number }
const kinds = {
  '1': 'fifo',
  '2': 'character',
  '4': 'directory',
  '6': 'block',
  '8': 'file',
  a: 'link',
  c: 'socket',
} as const
/** `hard`: a file that is the same inode as `terms.sameAs`. */
export type FileKind = 'absent' | 'hard' | (typeof kinds)[keyof typeof kinds]
/** What something new gets. */
export type Fresh = { readonly owner: Account; readonly group: Account; readonly isSetGroupId: boolean }

/** A line of `stat -c '%f|%u|%g|%s|%Y|%U|%G'`. */
export function parseLook(line: string) {
  const [hex = '', uid = '', gid = '', size, , user, groupName] = line.split('|')
  const raw = Number.parseInt(hex, 16)
  const named = (name: string | undefined, id: string): Account => ({
    name: name === undefined || name === 'UNKNOWN' ? id : name,
    id: Number(id),
  })
  const kind = kinds[(raw >> 12).toString(16) as keyof typeof kinds]
  return {
    kind,
    mode: renderMode(raw),
    owner: named(user, uid),
    group: named(groupName, gid),
    sizeBytes: Number(size),
  }
}

/** Two lines: the folder above, whose group is inherited when it is set-group-id, and the session's own process. */
export function parseFresh(lines: string | undefined): Fresh | undefined {
  if (lines === undefined) return undefined
  const [above, self] = lines.split('\n').map(parseLook)
  if (above === undefined || self === undefined) return undefined
  const isSetGroupId = (Number.parseInt(above.mode, 8) & 0o2000) !== 0
  return { owner: self.owner, group: isSetGroupId ? above.group : self.group, isSetGroupId }
}

/**
 * An account asked for, as the target knows it. Throws E_TASK for a name that does not exist; in check mode warns of it where the file
 * is to be made yet.
 */
export function parseWanted(
  t: Target,
  entry: string | undefined,
  what: 'owner' | 'group',
  asked: string | undefined,
  exists: boolean,
): Account | undefined {
  if (asked === undefined) return undefined
  const [name, id] = (entry ?? '').split('|')
  if (name && id) return { name, id: Number(id) }
  if (/^\d+$/.test(asked)) {
    const [kind, id] = what === 'owner' ? ['user', 'uid'] : ['group', 'gid']
    if (t.check)
      t.warn(`failed to look up ${kind} with ${id} ${asked}. Create ${kind} up to this point in real play`)
    return { name: asked, id: Number(asked) }
  }
  const [verb, kind] = what === 'owner' ? ['chown', 'user'] : ['chgrp', 'group']
  // An earlier task that only pretends in check mode may be the one that makes the account, as of the file.
  if (t.check) t.warn(`failed to look up ${kind} ${asked}. Create ${kind} up to this point in real play`)
  if (t.check && !exists) return { name: asked, id: -1 }
  throw problem('E_TASK', `${verb} failed: failed to look up ${kind} ${asked}`, {
    hint: `make the ${kind} on the host first, or give its number`,
  })
}
