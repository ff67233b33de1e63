import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { isSameSecret, type Secret } from '../core/secret.ts'
import {
  type RedisUserState,
  readRedisUser,
  redisHash,
  rereadRedisUser,
  writeRedisUser,
} from '../resources/redis-user.ts'
import type { RedisVia } from '../resources/redis-via.ts'
import { redisLoginParams, redisViaOf } from './redis-login.ts'

const params = {
  name: {
    type: 'string',
    default: 'default',
    aliases: ['user'],
    doc: 'The user; `default` is the one of `requirepass`.',
  },
  password: { type: 'secret', doc: 'Its password. The server stores a SHA-256 of it.' },
  exclusive: {
    type: 'bool',
    default: true,
    doc: 'Other passwords of the user end. With false the new one is added and the old ones still let in: a window of grace.',
  },
  rules: {
    type: 'list',
    default: [],
    doc: 'What a new user may do, in the words of ACL SETUSER: `~panel:*`, `+@read`. A user that is there keeps its rules.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether the user is there.',
  },
  persist: {
    type: 'bool',
    default: true,
    doc: 'Write the change to the server’s ACL file, or to its configuration file.',
  },
  ...redisLoginParams,
} as const
type UserArgs = Args<typeof params>
interface Input {
  readonly args: UserArgs
  readonly via: RedisVia
  readonly hash: Secret | undefined
}
/** The rules of a new user go with the state, so that recovery can make it. */
type NamedState = RedisUserState & { readonly make: readonly string[] }

function prepare(t: Target, args: UserArgs): Input {
  const bad = [args.name, ...args.rules].find(word => word === '' || /[\s\0]/.test(word))
  if (bad !== undefined)
    throw problem('E_PARAMS', `redis_user: ${JSON.stringify(bad)} is no name or rule of an access list`, {
      hint: 'write one rule an item: ["~panel:*", "+@read"]',
    })
  if (args.rules.some(rule => /^[#>!<]|^(?:no|reset)pass$|^reset$/.test(rule)))
    throw problem('E_PARAMS', 'redis_user: rules hold a password', { hint: 'give it as password' })
  if (args.state === 'absent' && args.name === 'default')
    throw problem('E_PARAMS', 'redis_user: the user default cannot be removed', { hint: 'name another user' })
  if (args.password !== undefined) t.redactor.add(args.password)
  const hash = args.password === undefined ? undefined : redisHash(args.password)
  if (hash !== undefined) t.redactor.add(hash)
  const isOwn = (args.login_user || 'default') === args.name
  return { args, via: redisViaOf(args, isOwn ? args.password : undefined), hash }
}

function want({ args, hash }: Input, before: NamedState): NamedState {
  if (args.state === 'absent')
    return before.exists ? { ...before, exists: false, hashes: [], rules: [] } : before
  const has = hash !== undefined && before.hashes.some(one => isSameSecret(one, hash))
  const isRight = hash === undefined || (has && (!args.exclusive || before.hashes.length === 1))
  if (before.exists && isRight) return before
  if (!before.exists)
    return { ...before, exists: true, hashes: hash === undefined ? [] : [hash], rules: null }
  const others = args.exclusive || has ? before.hashes.filter(() => !args.exclusive) : before.hashes
  return {
    ...before,
    hashes: [...others, hash!],
    rules: before.rules?.filter(rule => rule !== 'nopass') ?? null,
    requirepass: before.requirepass === null ? null : args.password!,
  }
}

export const redisUser = defineState<typeof params, NamedState, Input>({
  name: 'redis_user',
  summary: 'Manages a user of Redis (or Valkey) and its password.',
  notes: [
    'Undo sets the stored hashes of before again, without knowing a password. Only with `requirepass` in force is the old password itself kept for that, in the sealed journal.',
    'A server without ACL file and configuration file forgets the change when it ends: then the command line or environment that starts it has to hold the new password too.',
    'The server has no compare-and-set for users: it is read just before a change. Redis 6 or newer.',
  ],
  params,
  returns: {
    user: { doc: 'The user.' },
    persisted: { doc: 'Whether the server keeps it in a file.' },
  },
  examples: `
- name: The application's new password, the old one still valid
  redis_user:
    password: "{{ secrets.REDIS_PASSWORD }}"
    exclusive: false
    compose_project_dir: /opt/proxpanel
    compose_service: redis
`,
  prepare,
  async read(t, { args, via }) {
    const found = await readRedisUser(t, { via, user: args.name, isSaved: args.persist })
    return { ...found, make: args.rules }
  },
  reread: async (t, state) => ({ ...(await rereadRedisUser(t, state)), make: state.make }),
  want,
  write: (t, before, after) => {
    const { make, ...from } = before
    const { make: _, ...to } = after
    return writeRedisUser(t, from, to, make)
  },
  result: ({ args }, _before, after) => ({
    user: args.name,
    persisted: args.persist && after.storage !== 'memory',
  }),
  show: ({ user, exists, hashes, rules }) => ({
    header: `user ${user}`,
    text: exists ? `${(rules ?? []).join(' ')}\n${hashes.map(hash => `${hash.toJSON()}\n`).join('')}` : '',
  }),
})
