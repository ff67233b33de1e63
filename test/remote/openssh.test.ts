// The other transport (the system's ssh), the other server (dropbear), and keys that live in an agent.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedactor, type Redactor } from '../../src/core/redact.ts'
import type { Address, Become, Connections, Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { Secret } from '../../src/core/secret.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { startEmbeddedHost } from '../support/embedded-host.ts'
import { freePort, kill, passwords, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { testSession, text, until } from './session-suite.ts'

const pools: Connections[] = []
afterAll(() => Promise.all(pools.map(pool => pool.close())))
function open(
  server: Sshd,
  transport: Address['transport'],
  redactor?: Redactor,
  become?: Become,
): Promise<Session> {
  const pool = createConnections({ redactor: redactor ?? createRedactor() })
  pools.push(pool)
  return pool.open(addressFor(server, transport), become)
}
const addressFor = (server: Sshd, transport: Address['transport']): Address => ({
  name: 'web1',
  transport,
  host: server.host,
  port: server.port,
  user: 'alice',
  identityFiles: [server.identity],
  hostKeyChecking: 'strict',
  knownHostsFiles: [server.knownHosts],
  sshArgs: ['-F', 'none'],
  connectTimeoutMs: 20_000,
  shell: '/bin/sh',
})
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => `${error.code}: ${error.message}`,
  )

describe.skipIf(whyNoSshd())('the system’s ssh', () => {
  let server: Sshd
  beforeAll(async () => {
    server = await startSshd()
  })
  afterAll(() => server.close())

  testSession('a session over openssh', redactor => open(server, 'openssh', redactor), {
    isHere: true,
    isDeafToExit: true,
  })

  it('becomes another user', async () => {
    const session = await open(server, 'openssh', undefined, { method: 'sudo', user: 'root' })
    expect(text(await session.run({ script: sh`id -un` }))).toBe('root\n')
  })

  it('says what ssh says when it cannot connect, and that a lost link is unknown', async () => {
    expect(await failure(open({ ...server, port: await freePort() }, 'openssh'))).toMatch(
      /^E_UNREACHABLE: .*onnection refused/,
    )
    const unknown = join(server.folder, 'empty')
    writeFileSync(unknown, '')
    expect(await failure(open({ ...server, knownHosts: unknown }, 'openssh'))).toMatch(
      /^E_HOST_KEY: .*Host key verification failed/,
    )
    const busy = await open(server, 'openssh')
    let out = ''
    const call = busy.run({
      script: sh`printf started; sleep 30`,
      onText: part => {
        out += part
      },
    })
    await until('it runs', () => out === 'started')
    for (const pid of server.sessions()) kill(pid)
    expect((await call).status).toBe('unknown')
  })

  it('refuses a password by name', async () => {
    const pool = createConnections({ redactor: createRedactor() })
    const address = { ...addressFor(server, 'openssh'), password: new Secret('x', 'x') }
    expect(await failure(pool.open(address, undefined))).toMatch(
      /^E_AUTH: web1: the openssh transport takes no password/,
    )
  })
})

describe.skipIf(whyNoSshd('dropbear'))('dropbear', () => {
  let server: Sshd
  beforeAll(async () => {
    server = await startSshd({ program: 'dropbear' })
  })
  afterAll(() => server.close())
  testSession('a session with dropbear', redactor => open(server, 'ssh', redactor), { isHere: true })
  it('takes a password', async () => {
    const pool = createConnections({ redactor: createRedactor() })
    pools.push(pool)
    const address = {
      ...addressFor(server, 'ssh'),
      identityFiles: [],
      password: new Secret(passwords.alice, 'PW'),
    }
    expect(text(await (await pool.open(address, undefined)).run({ script: sh`id -un` }))).toBe('alice\n')
  })
})

it('tries an agent’s keys one at a time, those of IdentityFile first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-agent-'))
  const socket = join(folder, 'agent')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  const env = { ...process.env, SSH_AUTH_SOCK: socket }
  await until('the agent runs', () => {
    try {
      execFileSync('ssh-add', ['-l'], { env, stdio: 'ignore' })
      return true
    } catch (error) {
      return (error as { status: number }).status === 1
    }
  })
  for (const name of ['a', 'b', 'c']) {
    execFileSync('ssh-keygen', [
      '-q',
      '-t',
      name === 'c' ? 'rsa' : 'ed25519',
      '-N',
      '',
      '-C',
      `key-${name}`,
      '-f',
      join(folder, name),
    ])
    execFileSync('ssh-add', ['-q', join(folder, name)], { env })
    rmSync(join(folder, name))
  }
  const host = await startEmbeddedHost({ authorizedKey: readFileSync(join(folder, 'c.pub'), 'utf8') })
  const known = join(folder, 'known')
  writeFileSync(known, `[127.0.0.1]:${host.port} ${host.hostKey}\n`)
  const config = join(folder, 'config')
  const login = async (text: string): Promise<string> => {
    writeFileSync(config, `IdentityAgent ${socket}\n${text}`)
    const pool = createConnections({ redactor: createRedactor() })
    pools.push(pool)
    const address: Address = {
      name: 'box',
      transport: 'ssh',
      host: host.host,
      port: host.port,
      user: 'op',
      identityFiles: [],
      hostKeyChecking: 'strict',
      knownHostsFiles: [known],
      sshArgs: ['-F', config],
      connectTimeoutMs: 10_000,
      shell: '/bin/sh',
    }
    return await failure(pool.open(address, undefined))
  }
  expect(await login('')).toBe('no error')
  const attempts = host.logins.length
  // Two refusals, then a question and a signature.
  expect(attempts).toBe(4)
  expect(await login(`IdentityFile ${join(folder, 'c')}\n`)).toBe('no error')
  expect(host.logins.length - attempts).toBe(2)
  expect(await login(`IdentityFile ${join(folder, 'a')}\nIdentitiesOnly yes\n`)).toMatch(
    /^E_AUTH: .*tried agent key key-a;/,
  )
  agent.kill()
  await host.close()
  rmSync(folder, { recursive: true, force: true })
})
