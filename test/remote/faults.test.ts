// What a bad network and a bad server do to a session, with an SSH host inside this process.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Address, Connections, Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { Secret } from '../../src/core/secret.ts'
import { createConnections } from '../../src/remote/connections.ts'
import {
  type EmbeddedHost,
  type EmbeddedHostOptions,
  generateKey,
  startEmbeddedHost,
} from '../support/embedded-host.ts'
import { ran, testSession, text, until } from './session-suite.ts'

const key = generateKey()
const folder = mkdtempSync(join(tmpdir(), 'rota-faults-'))
const identity = join(folder, 'id')
writeFileSync(identity, key.private, { mode: 0o600 })

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(options: EmbeddedHostOptions = {}): Promise<EmbeddedHost> {
  const host = await startEmbeddedHost({ authorizedKey: key.public, ...options })
  opened.push(host)
  return host
}
function addressOf(host: EmbeddedHost, more: Partial<Address> = {}): Address {
  const knownHosts = join(folder, `known-${host.port}`)
  writeFileSync(knownHosts, `[${host.host}]:${host.port} ${host.hostKey}\n`)
  return {
    name: 'box',
    transport: 'ssh',
    host: host.host,
    port: host.port,
    user: 'op',
    identityFiles: [identity],
    hostKeyChecking: 'strict',
    knownHostsFiles: [knownHosts],
    sshArgs: ['-F', 'none'],
    connectTimeoutMs: 10_000,
    shell: '/bin/sh',
    ...more,
  }
}
function connections(keepaliveIntervalMs = 15_000): Connections {
  const pool = createConnections({ redactor: createRedactor(), keepaliveIntervalMs })
  opened.unshift(pool)
  return pool
}
const open = (host: EmbeddedHost, more?: Partial<Address>): Promise<Session> =>
  connections(100).open(addressOf(host, more), undefined)
const failure = (promise: Promise<unknown>): Promise<{ code: string; message: string }> =>
  promise.then(
    () => Promise.reject(new Error('no error')),
    error => error,
  )
/** A call that is surely running when this resolves; its fate is in the returned array. */
async function running(session: Session): Promise<[ReturnType<Session['run']>]> {
  let out = ''
  const call = session.run({
    script: sh`printf started; sleep 30`,
    onText: part => {
      out += part
    },
  })
  await until('the call runs', () => out === 'started')
  return [call]
}

let suiteHost: EmbeddedHost
const suitePools: Connections[] = []
beforeAll(async () => {
  suiteHost = await startEmbeddedHost({ authorizedKey: key.public })
})
afterAll(async () => {
  await Promise.all(suitePools.map(pool => pool.close()))
  await suiteHost.close()
})
testSession('a session with an embedded host', async redactor => {
  const pool = createConnections({ redactor })
  suitePools.push(pool)
  return await pool.open(addressOf(suiteHost), undefined)
})

it('logs in with one signed request, and runs nothing but the bootstrap', async () => {
  const host = await start()
  const session = await open(host)
  await session.run({ script: sh`printf '%s' "$p_x"`, params: { x: new Secret('not in a command', 'X') } })
  expect(host.logins).toEqual(['publickey'])
  expect(host.commands).toEqual([`exec /bin/sh -c 'IFS= read -r rt_line;eval "$rt_line"'`])
})

it('passes over what a login prints', async () => {
  const host = await start({ faults: { noise: 'Welcome!\nlast login: never\n' } })
  const session = await open(host)
  expect(text(await session.run({ script: sh`printf clean` }))).toBe('clean')
})

it('a reset in the middle of output makes the call unknown, and those behind it', async () => {
  const host = await start()
  const session = await open(host)
  await session.run({ script: sh`:` })
  host.faults.cutAfterBytes = 100_000
  const calls = [session.run({ script: sh`head -c 1000000 /dev/zero` }), session.run({ script: sh`:` })]
  const done = await Promise.all(calls)
  expect(done).toEqual([
    { status: 'unknown', why: expect.stringContaining('the link to box was lost') },
    { status: 'unknown', why: expect.stringContaining('the link to box was lost') },
  ])
})

it('a dropped connection in a pipe destroys the local stream instead of ending it', async () => {
  const { PassThrough } = await import('node:stream')
  const host = await start()
  const session = await open(host)
  const stdout = new PassThrough()
  stdout.once('data', () => host.dropAll())
  stdout.on('error', () => {})
  const done = await session.pipe({ script: sh`printf x; sleep 30` }, { stdout })
  expect([done.status, stdout.destroyed, stdout.writableFinished]).toEqual(['unknown', true, false])
})

it('silence is noticed by keepalives and makes the call unknown', async () => {
  const host = await start()
  const session = await open(host)
  const [call] = await running(session)
  host.freeze()
  expect(await call).toEqual({ status: 'unknown', why: expect.stringMatching(/Keepalive timeout/) })
  expect((await failure(session.run({ script: sh`:` }))).code).toBe('E_UNREACHABLE')
})

it('a host that accepts and says nothing runs into the connect time-out', async () => {
  const host = await start({ faults: { mute: true } })
  const error = await failure(open(host, { connectTimeoutMs: 300 }))
  expect([error.code, error.message]).toEqual([
    'E_UNREACHABLE',
    expect.stringMatching(/^box: cannot connect to op@127.0.0.1:\d+: no answer within 0.3 s$/),
  ])
})

it('a host that stays alive but opens no channel runs into the same time-out', async () => {
  const host = await start()
  const session = await open(host, { connectTimeoutMs: 300 })
  host.faults.silentChannels = true
  const silent = ['E_UNREACHABLE', 'box does not open a channel: no answer within 0.3 s']
  for (const asked of [
    session.forward({ host: '127.0.0.1', port: host.port }),
    session.pipe({ script: sh`:` }, {}),
  ]) {
    const error = await failure(asked)
    expect([error.code, error.message]).toEqual(silent)
  }
  host.faults.silentChannels = false
  expect(text(await session.run({ script: sh`printf here` }))).toBe('here')
})

it('connections that a busy sshd drops before the handshake are tried again', async () => {
  const host = await start({ faults: { dropConnections: 2 } })
  expect(text(await (await open(host)).run({ script: sh`printf in` }))).toBe('in')
})

it('a shell that ends without a status is unknown', async () => {
  const host = await start({ faults: { noExitStatus: true } })
  const session = await open(host)
  const done = await session.run({ script: sh`kill -KILL $$` })
  expect(done).toEqual({ status: 'unknown', why: expect.stringContaining('without an exit status') })
})

it('answers a question for the password, and no other', async () => {
  const password = new Secret('pa55word', 'PW')
  const one = await start({ password: 'pa55word', questions: ['Password: '] })
  expect(ran(await (await open(one, { password, identityFiles: [] })).run({ script: sh`:` })).exit).toBe(0)
  const two = await start({ password: 'pa55word', questions: ['Password: ', 'Verification code: '] })
  const error = await failure(open(two, { password, identityFiles: [] }))
  expect(error.code).toBe('E_AUTH')
  expect(error.message).toMatch(/asked for more than a password: Password:, Verification code:/)
  expect(error.message).not.toContain('pa55word')
})

it('goes through jump hosts, each verified under its own name, sharing one connection to them', async () => {
  const [first, second, target] = [await start(), await start(), await start()]
  const known = join(folder, 'known-jumps')
  const config = join(folder, 'config')
  writeFileSync(
    config,
    `Host first\n HostName 127.0.0.1\n Port ${first.port}\n User one\n IdentityFile ${identity}\n UserKnownHostsFile ${known}\n HostKeyAlias first\n` +
      `Host target\n HostName 127.0.0.1\n Port ${target.port}\n User three\n ProxyJump first,two@127.0.0.1:${second.port}\n HostKeyAlias target\nHost *\n IdentityFile ${identity}\n`,
  )
  const write = (firstKey: string): void =>
    writeFileSync(
      known,
      `first ${firstKey}\n[127.0.0.1]:${second.port} ${second.hostKey}\ntarget ${target.hostKey}\n`,
    )
  const address: Address = {
    ...addressOf(target, { knownHostsFiles: [known], sshArgs: ['-F', config], identityFiles: [] }),
    host: 'target',
    port: undefined,
    user: undefined,
  }
  write(first.hostKey)
  const pool = connections()
  const session = await pool.open(address, undefined)
  expect(text(await session.run({ script: sh`pwd` }))).toBe(`${target.root}\n`)
  await pool.open({ ...address, name: 'other' }, undefined)
  expect([first.logins.length, second.logins.length, target.logins.length]).toEqual([1, 1, 2])
  write(target.hostKey)
  expect((await failure(connections().open(address, undefined))).message).toMatch(
    /^first: the host key of first has changed/,
  )
})

it('a ProxyCommand carries the connection', async () => {
  const host = await start()
  const script = join(folder, 'proxy.mjs')
  writeFileSync(
    script,
    'import { connect } from "node:net"\nconst s = connect(process.argv[3], process.argv[2])\nprocess.stdin.pipe(s).pipe(process.stdout)\n',
  )
  const sshArgs = ['-F', 'none', '-o', `ProxyCommand=${process.execPath} ${script} %h %p`]
  const session = await open(host, { sshArgs })
  expect(text(await session.run({ script: sh`printf proxied` }))).toBe('proxied')
})

it('fifty hosts at once', async () => {
  const host = await start()
  const pool = connections()
  const address = addressOf(host)
  const names = Array.from({ length: 50 }, (_, i) => `h${i}`)
  const all = names.map(async name => {
    const session = await pool.open({ ...address, name }, undefined)
    return text(await session.run({ script: sh`printf '%s' "$p_n"`, params: { n: name } }))
  })
  expect(await Promise.all(all)).toEqual(names)
})
