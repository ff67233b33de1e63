// The other transport (the system's ssh), the other server (dropbear), and keys that live in an agent.
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../demo/free-port.ts'
import { createRedactor, type Redactor } from '../../src/core/redact.ts'
import type { Address, Become, Connections, Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { Secret } from '../../src/core/secret.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { type EmbeddedHost, startEmbeddedHost } from '../support/embedded-host.ts'
import { addressFor, kill, passwords, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
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
  return pool.open(addressFor(server, { transport }), become)
}
/** Logs in anew: who one is there, or what went wrong. */
async function whoIs(address: Address): Promise<string> {
  const pool = createConnections({ redactor: createRedactor() })
  try {
    return text(await (await pool.open(address, undefined)).run({ script: sh`id -un` }))
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return `${code}: ${message}`
  } finally {
    await pool.close()
  }
}
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

  it('logs in with a password, and says so when it is wrong', async () => {
    const login = (password: string): Promise<string> =>
      whoIs(
        addressFor(server, {
          transport: 'openssh',
          user: 'carol',
          identityFiles: ['/nonexistent/key'],
          password: new Secret(password, 'PW'),
        }),
      )
    expect(await login(passwords.carol)).toBe('carol\n')
    const said = await login('wrong-pw')
    expect(said).toMatch(/^E_AUTH: .*Permission denied/)
    expect(said).not.toContain('wrong-pw')
  })

  it('opens an encrypted key with its passphrase', async () => {
    const identity = join(server.folder, 'encrypted')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '1', '-N', 'open sesame', '-f', identity])
    appendFileSync(join(server.folder, 'authorized_keys'), readFileSync(`${identity}.pub`))
    const address = addressFor(server, { transport: 'openssh', identityFiles: [identity] })
    const login = (passphrase: string): Promise<string> =>
      whoIs({ ...address, passphrase: new Secret(passphrase, 'PP') })
    expect(await login('open sesame')).toBe('alice\n')
    expect(await login('no')).toMatch(/^E_AUTH: .*asked again: Enter passphrase for key '.*encrypted'/)
    expect(await whoIs(address)).toMatch(/^E_AUTH: /)
  })
})

describe('what the system’s ssh asks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-ask-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const known = join(folder, 'known')
  const addressOf = (host: EmbeddedHost, more: Partial<Address> = {}): Address => ({
    name: 'box',
    transport: 'openssh',
    host: host.host,
    port: host.port,
    user: 'op',
    identityFiles: [],
    hostKeyChecking: 'strict',
    knownHostsFiles: [known],
    sshArgs: ['-F', 'none'],
    connectTimeoutMs: 20_000,
    shell: '/bin/sh',
    password: new Secret('pa55word', 'PW'),
    ...more,
  })
  const know = (...hosts: EmbeddedHost[]): void =>
    writeFileSync(known, hosts.map(host => `[${host.host}]:${host.port} ${host.hostKey}\n`).join(''))

  it('is answered when it is for a password, and else told in the message', async () => {
    const one = await startEmbeddedHost({ password: 'pa55word', questions: ['Mot de passe: '] })
    const two = await startEmbeddedHost({ password: 'pa55word', questions: ['Password: ', 'Code: '] })
    know(one, two)
    expect(await whoIs(addressOf(one))).toMatch(/^[a-z]+\n$/)
    const said = await whoIs(addressOf(two))
    expect(said).toMatch(/^E_AUTH: .*no answer to: \(op@127.0.0.1\) Code:/)
    await Promise.all([one.close(), two.close()])
  })

  it('is not answered to a jump host, though it has the same password', async () => {
    const target = await startEmbeddedHost({ password: 'pa55word' })
    const jump = await startEmbeddedHost({ password: 'pa55word' })
    know(target, jump)
    const config = join(folder, 'config')
    writeFileSync(
      config,
      `Host *\n UserKnownHostsFile ${known}\nHost 127.0.0.1\n ProxyJump op@localhost:${jump.port}\n` +
        `Host localhost\n HostName 127.0.0.1\n NumberOfPasswordPrompts 1\n ProxyJump none\n`,
    )
    const said = await whoIs(addressOf(target, { sshArgs: ['-F', config] }))
    expect(said).toMatch(/^E_AUTH: .*no answer to: op@127.0.0.1's password:/)
    expect([jump.logins, target.logins]).toEqual([expect.arrayContaining(['password']), []])
    await Promise.all([target.close(), jump.close()])
  })

  it('leaves the secret out of arguments, environment and files, and nothing behind', async () => {
    const host = await startEmbeddedHost({ password: 'pa55word' })
    know(host)
    const log = join(folder, 'log')
    const spy = join(folder, 'ssh')
    const real = execFileSync('/bin/sh', ['-c', 'command -v ssh'], { encoding: 'utf8' }).trim()
    writeFileSync(
      spy,
      `#!/bin/sh\n{ env; printf '%s\\n' "$@"; cat "$SSH_ASKPASS"; } >'${log}'\nexec ${real} "$@"\n`,
      { mode: 0o755 },
    )
    const path = process.env['PATH']
    process.env['PATH'] = `${folder}:${path}`
    expect(await whoIs(addressOf(host))).toMatch(/^[a-z]+\n$/)
    process.env['PATH'] = path
    const seen = readFileSync(log, 'utf8')
    const askpass = /^SSH_ASKPASS=(.*)$/m.exec(seen)?.[1] ?? ''
    expect(askpass).toMatch(/rota-askpass-/)
    expect(seen).toContain('require(')
    expect(seen).not.toContain('pa55word')
    await until('it is removed', () => !existsSync(askpass))
    await host.close()
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
    const address = addressFor(server, { identityFiles: [], password: new Secret(passwords.alice, 'PW') })
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
