// Users and settings of a real Redis, over a forwarded connection, by redis-cli, and in a compose service.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../demo/free-port.ts'
import { Secret } from '../../src/core/secret.ts'
import { redis } from '../../src/modules/redis.ts'
import { redisUser } from '../../src/modules/redis-user.ts'
import { converse, parseReply, renderCommand } from '../../src/resources/resp.ts'
import { applyState, makeTarget, runAction, shells } from './target.ts'

// Debian's redis-tools holds the server under the name of its checker: it goes by the name it is called by.
const program = '/usr/bin/redis-check-rdb'
const missing = existsSync(program) ? undefined : 'redis-tools is not installed'
if (missing !== undefined) {
  if (process.env['CI']) throw new Error(missing)
  console.log(`skipped: ${missing}`)
}

interface Server {
  readonly port: number
  readonly folder: string
  /** The reply to a command as text, on a connection of its own. */
  ask(...words: string[]): Promise<string>
  /** Does the server let the user in? */
  accepts(user: string, password: string): Promise<boolean>
  stop(): Promise<void>
}

async function startRedis(...lines: string[]): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-redis-'))
  const port = await freePort()
  writeFileSync(
    join(folder, 'redis.conf'),
    [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, 'save ""', ...lines, ''].join('\n'),
  )
  const server: ChildProcess = spawn(program, [join(folder, 'redis.conf')], {
    argv0: 'redis-server',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise<void>((resolve, reject) => {
    server.once('exit', code => reject(new Error(`redis-server ended with ${code}`)))
    server.stdout!.on('data', (text: Buffer) => String(text).includes('Ready to accept') && resolve())
  })
  const talk = async (commands: string[][]) => {
    const channel = connect(port, '127.0.0.1')
    try {
      return await converse(channel, commands, 5000)
    } finally {
      channel.destroy()
    }
  }
  return {
    port,
    folder,
    ask: async (...words) => JSON.stringify((await talk([['AUTH', 'root', 'root-password'], words]))[1]),
    accepts: async (user, password) => (await talk([['AUTH', user, password]]))[0]!.kind === 'value',
    async stop() {
      const ended = new Promise(resolve => server.once('exit', resolve))
      server.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const root = 'user root on >root-password ~* &* +@all'
const secret = (text: string) => new Secret(text, 'password')
const path = process.env['PATH']
let plain: Server
let locked: Server
beforeAll(async () => {
  if (missing !== undefined) return
  plain = await startRedis(root, 'user app on >old-password >older-password ~app:* -@all +get')
  locked = await startRedis(root, 'requirepass old-password')
})
afterAll(async () => {
  process.env['PATH'] = path
  await plain?.stop()
  await locked?.stop()
})
const login = (server: Server) => ({
  login_port: server.port,
  login_user: 'root',
  login_password: secret('root-password'),
})

/** A `docker` that answers like compose v2 and runs what it is told to exec right here. */
function fakeDocker(port: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'rota-docker-'))
  writeFileSync(
    join(folder, 'docker'),
    `#!/bin/sh
[ "$1" = compose ] || exit 1
[ "$2" != version ] || exit 0
while [ "$1" != exec ]; do shift; done
shift 3
[ "$4" != sh ] || { script=$3; shift 4; exec sh -c "$script" sh -p ${port} "$@"; }
exec "$@"
`,
  )
  chmodSync(join(folder, 'docker'), 0o755)
  return folder
}

describe.skipIf(missing !== undefined)('redis', () => {
  describe.each(['forward', 'dash', 'busybox', 'bash', 'compose'])('users by %s', way => {
    let more: object = { via: way === 'forward' ? 'forward' : 'cli' }
    beforeAll(() => {
      if (way !== 'compose') return
      const folder = fakeDocker(plain.port)
      process.env['PATH'] = `${folder}:${path}`
      more = { compose_service: 'redis', compose_project_dir: folder }
    })
    const target = () => makeTarget({ shell: shells[way] ?? shells['dash']! })

    it('changes a password; again is no change; replay is harmless; undo brings the old ones back', async () => {
      const odd = `new "pass'word\\ ü\n$x`
      const args = { name: 'app', password: secret(odd), ...login(plain), ...more }
      const start = await plain.ask('ACL', 'LIST')
      const done = await applyState(target(), redisUser, args)
      expect(done.changed).toBe(true)
      const accepted = async () =>
        Promise.all(['old-password', 'older-password', odd].map(one => plain.accepts('app', one)))
      expect(await accepted()).toEqual([false, false, true])
      expect((await applyState(target(), redisUser, args)).changed).toBe(false)
      await done.replay()
      await done.undo()
      expect(await accepted()).toEqual([true, true, false])
      expect(await plain.ask('ACL', 'LIST')).toBe(start)
      const grace = { ...args, exclusive: false }
      const both = await applyState(target(), redisUser, grace)
      expect(await accepted()).toEqual([true, true, true])
      expect((await applyState(target(), redisUser, grace)).changed).toBe(false)
      await both.undo()
      expect(await plain.ask('ACL', 'LIST')).toBe(start)
      await plain.ask('ACL', 'SETUSER', 'app', '>third')
      await expect(both.replay()).rejects.toMatchObject({ code: 'E_CONFLICT' })
      await plain.ask('ACL', 'SETUSER', 'app', '<third')
    })

    it('makes a user, takes one away, and both are undone', async () => {
      const start = await plain.ask('ACL', 'LIST')
      const args = {
        name: 'made',
        password: secret('p1'),
        rules: ['~made:*', '+@read'],
        ...login(plain),
        ...more,
      }
      const made = await applyState(target(), redisUser, args)
      expect(await plain.accepts('made', 'p1')).toBe(true)
      expect(await plain.ask('ACL', 'LIST')).toContain('~made:*')
      expect((await applyState(target(), redisUser, args)).changed).toBe(false)
      await made.replay()
      const gone = await applyState(target(), redisUser, { ...args, state: 'absent' })
      expect(await plain.ask('ACL', 'LIST')).toBe(start)
      await gone.undo()
      expect(await plain.accepts('made', 'p1')).toBe(true)
      await made.undo()
      expect(await plain.ask('ACL', 'LIST')).toBe(start)
    })
  })

  it('keeps changes over a restart of the server', async () => {
    await applyState(makeTarget(), redisUser, { name: 'kept', password: secret('k'), ...login(plain) })
    expect(readFileSync(join(plain.folder, 'redis.conf'), 'utf8')).toContain('user kept')
    const aclfile = join(plain.folder, 'users.acl')
    writeFileSync(aclfile, `${root}\n`)
    const server = await startRedis(`aclfile ${aclfile}`)
    await applyState(makeTarget(), redisUser, { name: 'kept', password: secret('k'), ...login(server) })
    expect(readFileSync(aclfile, 'utf8')).toContain('user kept')
    await server.stop()
  })

  it('the user default with requirepass may change its own password, and undo that', async () => {
    const args = {
      password: secret('new-password'),
      login_password: secret('old-password'),
      login_port: locked.port,
    }
    const config = () => readFileSync(join(locked.folder, 'redis.conf'), 'utf8')
    const done = await applyState(makeTarget(), redisUser, args)
    expect([
      await locked.accepts('default', 'old-password'),
      await locked.accepts('default', 'new-password'),
    ]).toEqual([false, true])
    expect(config()).toMatch(/requirepass "?new-password/)
    expect((await applyState(makeTarget(), redisUser, args)).changed).toBe(false)
    await done.undo()
    expect(await locked.accepts('default', 'old-password')).toBe(true)
    expect(config()).toMatch(/requirepass "?old-password/)
    const wrong = applyState(makeTarget(), redisUser, {
      ...args,
      password: secret('x'),
      login_password: secret('wrong'),
    })
    await expect(wrong).rejects.toMatchObject({
      code: 'E_TASK',
      message: expect.stringContaining('refuses the login'),
    })
  })

  it('a user default without a password gets one, and loses it', async () => {
    const open = await startRedis(root)
    const done = await applyState(makeTarget(), redisUser, {
      password: secret('first'),
      login_port: open.port,
    })
    expect([await open.accepts('default', 'any'), await open.accepts('default', 'first')]).toEqual([
      false,
      true,
    ])
    await done.undo()
    expect(await open.accepts('default', 'any')).toBe(true)
    await open.stop()
  })

  it.each(['forward', 'cli'])('settings, emptying, replicas by %s', async via => {
    const run = (args: object, check = false) =>
      runAction({ ...makeTarget(), check }, redis, { via, ...login(plain), ...args })
    const memory = { command: 'config', name: 'maxmemory', value: '20MB' }
    await plain.ask('CONFIG', 'SET', 'maxmemory', '0')
    expect((await run(memory, true)).changed).toBe(true)
    expect((await run(memory)).changed).toBe(true)
    expect((await run(memory)).changed).toBe(false)
    expect(await plain.ask('CONFIG', 'GET', 'maxmemory')).toContain('20971520')
    await expect(run({ ...memory, name: 'nothing' })).rejects.toThrow(/no setting nothing/)
    await expect(run({ ...memory, value: 'much' })).rejects.toMatchObject({ code: 'E_TASK' })
    await plain.ask('SET', 'a', '1')
    expect((await run({ command: 'flush', flush_mode: 'db', db: 1 })).changed).toBe(true)
    expect(await plain.ask('DBSIZE')).toContain('1')
    await run({ command: 'flush' })
    expect(await plain.ask('DBSIZE')).toContain('0')
    const follow = { command: 'replica', master_host: '127.0.0.1', master_port: locked.port }
    expect((await run(follow)).changed).toBe(true)
    expect((await run(follow)).changed).toBe(false)
    expect((await run({ command: 'replica', replica_mode: 'master' })).changed).toBe(true)
    expect((await run({ command: 'replica', replica_mode: 'master' })).changed).toBe(false)
  })

  it('tells nobody: no process has a secret in its words or environment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-spy-'))
    writeFileSync(
      join(folder, 'redis-cli'),
      `#!/bin/sh\n{ tr '\\0' ' ' </proc/$$/cmdline; tr '\\0' ' ' </proc/$$/environ; } >>${folder}/seen\nexec /usr/bin/redis-cli "$@"\n`,
    )
    chmodSync(join(folder, 'redis-cli'), 0o755)
    process.env['PATH'] = `${folder}:${path}`
    const args = { name: 'app', password: secret('canary-77'), via: 'cli', ...login(plain) }
    await (await applyState(makeTarget(), redisUser, args)).undo()
    process.env['PATH'] = path
    const seen = readFileSync(join(folder, 'seen'), 'utf8')
    expect(seen).toContain('--no-raw')
    expect(seen).not.toMatch(/canary-77|root-password|#[0-9a-f]{64}/)
  })

  it('says what is wrong', async () => {
    const refused = (args: object) =>
      expect(applyState(makeTarget(), redisUser, { ...login(plain), ...args })).rejects
    await refused({ name: 'a b' }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ name: 'x', rules: ['>plain'] }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ name: 'x', rules: ['+nonsense'] }).toMatchObject({ code: 'E_TASK' })
    await refused({ state: 'absent' }).toMatchObject({ code: 'E_PARAMS' })
    await refused({ via: 'forward', tls: true }).toMatchObject({ code: 'E_PARAMS' })
    for (const via of ['forward', 'cli']) await refused({ via, login_port: 1 }).toThrow(/cannot be reached/)
  })
})

it('replies are read the same, wherever the chunks end', () => {
  const reply: fc.Arbitrary<string> = fc.oneof(
    fc.constantFrom('+OK\r\n', '-ERR no\r\n', ':42\r\n', '$-1\r\n', '*0\r\n'),
    fc.string({ unit: 'binary' }).map(text => `$${Buffer.byteLength(text)}\r\n${text}\r\n`),
  )
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 4 }), items => {
      const bytes = Buffer.from(`*${items.length}\r\n${items.join('')}`)
      const whole = parseReply(bytes, 0)
      expect(whole?.end).toBe(bytes.length)
      for (let size = 1; size < bytes.length; size++)
        expect(parseReply(bytes.subarray(0, size), 0)).toBeUndefined()
    }),
    { numRuns: 30 },
  )
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), words => {
      const parsed = parseReply(renderCommand(words), 0)!.reply
      expect(parsed).toEqual({ kind: 'list', items: words.map(value => ({ kind: 'value', value })) })
    }),
  )
})
