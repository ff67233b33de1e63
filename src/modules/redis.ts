import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { type Command, type RedisVia, runRedis, textOfReply, textsOfReply } from '../resources/redis-via.ts'
import { redisLoginParams, redisViaOf } from './redis-login.ts'

const params = {
  command: {
    type: 'string',
    required: true,
    choices: ['config', 'flush', 'replica', 'slave'],
    doc: '`config` sets a setting, `flush` empties databases, `replica` makes the server follow another or none.',
  },
  name: { type: 'string', doc: 'With config: the setting.' },
  value: { type: 'text', doc: 'With config: its value; may be a secret. Sizes as 1KB, 2M.' },
  db: { type: 'int', doc: 'With flush: the database.' },
  flush_mode: {
    type: 'string',
    choices: ['all', 'db'],
    default: 'all',
    doc: 'With flush: all databases or one.',
  },
  replica_mode: {
    type: 'string',
    choices: ['master', 'replica', 'slave'],
    default: 'replica',
    aliases: ['slave_mode'],
    doc: 'With replica: what the server is to be.',
  },
  master_host: { type: 'string', doc: 'With replica: whom it follows.' },
  master_port: { type: 'int', doc: 'With replica: its port.' },
  ...redisLoginParams,
} as const
type RedisArgs = Args<typeof params>

const units: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
}

/** `2M` as the server tells it: bytes. */
function bytesOf(value: string): string {
  const [, digits, unit = ''] = /^(\d+)([a-z]*)$/i.exec(value) ?? []
  const factor = units[unit.toLowerCase()]
  return digits === undefined || factor === undefined ? value : String(Number(digits) * factor)
}

async function change(t: Target, via: RedisVia, command: Command): Promise<void> {
  if (t.check) return
  const [reply] = await runRedis(t, via, [command], true)
  textOfReply(t, reply, `redis ${String(command[0])}`)
}

async function config(t: Target, via: RedisVia, { name, value }: RedisArgs): Promise<Outcome> {
  const [reply] = await runRedis(t, via, [['CONFIG', 'GET', name!]], false)
  const now = textsOfReply(t, reply, `redis: reading ${name}`)[1]
  if (now === undefined)
    throw problem('E_TASK', `redis: the server has no setting ${name}`, {
      hint: 'see CONFIG GET * for their names',
    })
  const isSame = typeof value === 'string' && (now === value || now === bytesOf(value))
  if (!isSame) await change(t, via, ['CONFIG', 'SET', name!, value!])
  return { changed: !isSame, values: { name, value } }
}

async function replica(t: Target, via: RedisVia, args: RedisArgs): Promise<Outcome> {
  const isMaster = args.replica_mode === 'master'
  if (!isMaster && (args.master_host === undefined || args.master_port === undefined))
    throw problem('E_PARAMS', 'redis: a replica needs master_host and master_port', {
      hint: 'add them, or replica_mode: master',
    })
  const [reply] = await runRedis(t, via, [['INFO', 'replication']], false)
  const info = textOfReply(t, reply, 'redis: reading replication')
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
  const role = field('role')
  const isRight = isMaster
    ? role === 'master'
    : role === 'slave' &&
      field('master_host') === args.master_host &&
      field('master_port') === String(args.master_port)
  const to = isMaster ? ['NO', 'ONE'] : [args.master_host!, String(args.master_port)]
  if (!isRight) await change(t, via, ['REPLICAOF', ...to])
  const mode = { mode: isMaster ? 'master' : 'replica' }
  return { changed: !isRight, values: mode }
}

export const redis = defineAction({
  name: 'redis',
  summary: 'Sets a setting of a Redis server, empties it, or makes it a replica.',
  notes: [
    'Passwords of users are redis_user’s, which can be undone.',
    'A setting holds until the server ends; CONFIG REWRITE is not run, as with Ansible. A secret value is always set, since it is not compared.',
  ],
  params,
  rules: {
    requiredIf: [['command', 'config', ['name', 'value']]],
  },
  foresees: true,
  returns: {
    name: { doc: 'With config: the setting.' },
    value: { doc: 'With config: its value.' },
    mode: { doc: 'With replica: `master` or `replica`.' },
  },
  examples: `
- community.general.redis: { command: config, name: maxmemory, value: 200MB }
`,
  async run(t, args): Promise<Outcome> {
    const via = redisViaOf(args)
    if (args.command === 'config') return config(t, via, args)
    if (args.command !== 'flush') return replica(t, via, args)
    if (args.flush_mode === 'all') await change(t, via, ['FLUSHALL'])
    else {
      if (args.db === undefined)
        throw problem('E_PARAMS', 'redis: flush_mode: db needs db', { hint: 'add db: 0' })
      if (!t.check)
        for (const reply of await runRedis(t, via, [['SELECT', String(args.db)], ['FLUSHDB']], true))
          textOfReply(t, reply, 'redis: flush')
    }
    return { changed: true }
  },
})
