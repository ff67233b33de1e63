import type { Target } from '../core/module.ts'
import { requireName } from './account.ts'
import { readGroup, writeGroup } from './account-script.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'

type Values = Readonly<Record<string, string>>

export type GroupState = {
  readonly name: string
  /** undefined: there is no such group. */
  readonly gid?: number | undefined
  readonly members?: readonly string[] | undefined
  readonly terms: {
    readonly freeGid: number
    readonly gidOf?: string | undefined
    readonly isSystem: boolean
    readonly isNonUnique: boolean
    readonly isLocal: boolean
  }
}

export interface GroupAsked {
  readonly name: string
  readonly gid?: number | undefined
  readonly isSystem: boolean
  readonly isNonUnique: boolean
  /** That of /etc/group, whatever a directory service says. */
  readonly isLocal: boolean
}

export async function readGroupState(t: Target, asked: GroupAsked): Promise<GroupState> {
  requireName(asked.name, 'group')
  const { name, gid, isSystem, isNonUnique, isLocal } = asked
  const { values } = accept(t, await t.run(readGroup, { name, gid, system: isSystem, local: isLocal }))
  const gidOf = values['gid_of']?.split(':')[0] || undefined
  return parseGroup(name, values, { freeGid: Number(values['gid']), gidOf, isSystem, isNonUnique, isLocal })
}

function parseGroup(name: string, values: Values, terms: GroupState['terms']): GroupState {
  const [, , gid, members = ''] = values['group']?.split(':') ?? []
  if (gid === undefined) return { name, terms }
  return { name, gid: Number(gid), members: members.split(',').filter(member => member !== ''), terms }
}

export async function rereadGroup(t: Target, { name, terms }: GroupState): Promise<GroupState> {
  const { values } = accept(t, await t.run(readGroup, { name, system: terms.isSystem, local: terms.isLocal }))
  return parseGroup(name, values, terms)
}

/** Throws E_CONFLICT when the host no longer holds `before`, E_TASK with what its tools say. */
export async function writeGroupState(t: Target, before: GroupState, after: GroupState): Promise<void> {
  await requireUnchanged(`group ${before.name}`, before, () => rereadGroup(t, before))
  const verb = after.gid === undefined ? 'remove' : before.gid === undefined ? 'make' : 'change'
  const { name, gid, members = [], terms } = after
  const params = {
    do: verb,
    name,
    gid,
    members: members.join(','),
    non_unique: terms.isNonUnique,
    system: false,
  }
  accept(t, await t.run(writeGroup, params))
}
