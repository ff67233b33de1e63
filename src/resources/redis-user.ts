import { createHash } from 'node:crypto'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { reveal, Secret } from '../core/secret.ts'
import { isSameState } from '../core/value.ts'
import { type Command, type RedisVia, runRedis, textOfReply, textsOfReply } from './redis-via.ts'

/** A user of the server's access list as it is stored: SHA-256 of passwords, never a password. */
export type RedisUserState = {
  readonly via: RedisVia
  readonly user: string
  readonly exists: boolean
  /** Each `#` and hex. Several: every one of them lets in. */
  readonly hashes: readonly Secret[]
  /** What else the access list says, in the server's words and order; null: as made here, and not compared. */
  readonly rules: readonly string[] | null
  /** The server's `requirepass`, which a restart would set for the user default again; null: not in use. */
  readonly requirepass: Secret | null
  /** Where the server keeps the access list; `memory`: until it ends. */
  readonly storage: 'aclfile' | 'config' | 'memory'
  /** Write it there after a change. */
  readonly isSaved: boolean
}

/** What Redis stores of a password (redis.io/commands/acl-setuser). */
export function redisHash(password: Secret): Secret {
  return new Secret(
    `#${createHash('sha256').update(reveal(password)).digest('hex')}`,
    `stored ${password.label}`,
  )
}

interface Found extends Pick<RedisUserState, 'exists' | 'hashes' | 'requirepass' | 'storage'> {
  readonly rules: readonly string[]
}

async function look(t: Target, via: RedisVia, user: string): Promise<Found> {
  const commands = [
    ['ACL', 'LIST'],
    ['CONFIG', 'GET', 'requirepass'],
    ['CONFIG', 'GET', 'aclfile'],
    ['INFO', 'server'],
  ]
  const [list, requirepass, aclfile, info] = await runRedis(t, via, commands, false)
  const doing = `reading the user ${user}`
  const lines = textsOfReply(t, list, doing).map(line => line.split(' '))
  const [, , ...words] = lines.find(([, name]) => name === user) ?? []
  const hashes = words
    .filter(word => word.startsWith('#'))
    .map(word => new Secret(word, `stored password of ${user}`))
  const setting = textsOfReply(t, requirepass, doing)[1] ?? ''
  const secrets = user === 'default' && setting !== '' ? new Secret(setting, 'requirepass') : null
  for (const secret of [...hashes, ...(secrets === null ? [] : [secrets])]) t.redactor.add(secret)
  const hasAclFile = (textsOfReply(t, aclfile, doing)[1] ?? '') !== ''
  const hasConfig = /^config_file:\S/m.test(textOfReply(t, info, doing))
  return {
    exists: words.length > 0,
    hashes,
    rules: words.filter(word => !word.startsWith('#')),
    requirepass: secrets,
    storage: hasAclFile ? 'aclfile' : hasConfig ? 'config' : 'memory',
  }
}

/** Reads a user. Throws E_TASK: a server before version 6 has no access list. */
export async function readRedisUser(
  t: Target,
  { via, user, isSaved }: Pick<RedisUserState, 'via' | 'user' | 'isSaved'>,
): Promise<RedisUserState> {
  return { via, user, isSaved, ...(await look(t, via, user)) }
}

/** What the server holds now, as far as that state tells of it. */
export async function rereadRedisUser(t: Target, state: RedisUserState): Promise<RedisUserState> {
  const found = await readRedisUser(t, state)
  return state.rules === null && found.exists ? { ...found, rules: null } : found
}

/** `make`: the rules of a user that is new, in the operator's words. */
function redisUserCommands(
  before: RedisUserState,
  after: RedisUserState,
  make: readonly string[],
): readonly Command[] {
  const name = after.user
  if (!after.exists) return [['ACL', 'DELUSER', name]]
  const setting: readonly Command[] =
    after.requirepass === null || isSameState(before.requirepass, after.requirepass)
      ? []
      : [['CONFIG', 'SET', 'requirepass', after.requirepass]]
  if (!before.exists)
    return [['ACL', 'SETUSER', name, 'reset', ...(after.rules ?? ['on', ...make]), ...after.hashes]]
  const hasNoPassword = after.rules?.includes('nopass') ?? false
  return [
    ...setting,
    ['ACL', 'SETUSER', name, 'resetpass', ...(hasNoPassword ? ['nopass'] : []), ...after.hashes],
  ]
}

/**
 * Changes a user that is still `before`; writing `after` over `after` does nothing. The server has no compare-and-set for its access list:
 * it is read just before. Throws E_CONFLICT, E_TASK, E_UNKNOWN.
 */
export async function writeRedisUser(
  t: Target,
  before: RedisUserState,
  after: RedisUserState,
  make: readonly string[],
): Promise<void> {
  if (isSameState(await rereadRedisUser(t, after), after)) return
  if (!isSameState(await rereadRedisUser(t, before), before))
    throw problem(
      'E_CONFLICT',
      `the user ${after.user} is no longer as it was read: somebody else changed it`,
      {
        hint: 'run again to start from how it is now',
      },
    )
  const save = { aclfile: [['ACL', 'SAVE']], config: [['CONFIG', 'REWRITE']], memory: [] }
  const commands = [...redisUserCommands(before, after, make), ...(after.isSaved ? save[after.storage] : [])]
  const replies = await runRedis(t, after.via, commands, true)
  for (const reply of replies) textOfReply(t, reply, `changing the user ${after.user}`)
}
