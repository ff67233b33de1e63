import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRedactor, type Redactor } from '../../src/core/redact.ts'
import type { AcceptedLogin, Address, Become, Connections } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { Secret } from '../../src/core/secret.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { addressFor, kill, passwords, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { ran, testSession, text, until } from './session-suite.ts'

const secret = (value: string): Secret => new Secret(value, 'password')
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => `${error.code}: ${error.message} | ${error.hint ?? ''}`,
  )

describe.skipIf(whyNoSshd())('a real sshd', () => {
  let server: Sshd
  const pools: Connections[] = []
  const connections = (redactor: Redactor = createRedactor()): Connections => {
    const pool = createConnections({ redactor, keepaliveIntervalMs: 200 })
    pools.push(pool)
    return pool
  }
  beforeAll(async () => {
    server = await startSshd({ hostKeyTypes: ['ed25519', 'rsa', 'ecdsa'], config: ['MaxSessions 4'] })
  })
  afterEach(() => Promise.all(pools.splice(0).map(pool => pool.close())))
  afterAll(() => server.close())

  const suitePools: Connections[] = []
  const suiteSession = async (redactor: Redactor, address: Address, become?: Become) => {
    const pool = createConnections({ redactor })
    suitePools.push(pool)
    return await pool.open(address, become)
  }
  afterAll(() => Promise.all(suitePools.map(pool => pool.close())))
  testSession('a session over ssh2', redactor => suiteSession(redactor, addressFor(server)), { isHere: true })
  testSession(
    'a session over ssh2 as root by sudo with a password',
    redactor =>
      suiteSession(redactor, addressFor(server, { user: 'carol' }), {
        method: 'sudo',
        user: 'root',
        password: secret(passwords.carol),
      }),
    { isHere: true },
  )

  const whoami = sh`id -un; pwd; printf '%s\n' "$HOME"`
  const runAs = async (address: Address, become?: Become): Promise<string> =>
    text(await (await connections().open(address, become)).run({ script: whoami }))

  it('runs as the login user in its home', async () => {
    const home = `${server.folder}/home/alice`
    expect(await runAs(addressFor(server))).toBe(`alice\n${home}\n${home}\n`)
  })

  it('gives one connection to all users of a host, and one shell to each', async () => {
    const pool = connections()
    const address = addressFor(server)
    const before = server.sessions().length
    const opened = await Promise.all([
      pool.open(address, undefined),
      pool.open(address, undefined),
      pool.open(address, { method: 'sudo', user: 'root' }),
    ])
    expect(opened[0]).toBe(opened[1])
    expect(opened[0]).not.toBe(opened[2])
    // sshd has two processes a connection: the monitor and the user's.
    expect(server.sessions().length - before).toBe(2)
  })

  it('more pipes at once than MaxSessions wait for their turn', async () => {
    const session = await connections().open(addressFor(server), undefined)
    const pipes = Array.from({ length: 12 }, (_, i) =>
      session.pipe({ script: sh`exit "$p_i"`, params: { i } }, {}),
    )
    expect((await Promise.all(pipes)).map(done => ran(done).exit)).toEqual(
      Array.from({ length: 12 }, (_, i) => i),
    )
  })

  it('forwards to a port and says why when it cannot', async () => {
    const echo = createServer(socket => socket.end('hello'))
    await new Promise<void>(resolve => echo.listen(0, '127.0.0.1', resolve))
    const { port } = echo.address() as { port: number }
    const session = await connections().open(addressFor(server), undefined)
    const channel = await session.forward({ host: '127.0.0.1', port })
    let heard = ''
    for await (const chunk of channel) heard += chunk
    expect(heard).toBe('hello')
    // Its other half is open until it is destroyed, and the server waits for that.
    channel.destroy()
    await new Promise(resolve => echo.close(resolve))
    expect(await codeOf(session.forward({ host: '127.0.0.1', port }))).toMatch(
      /^E_UNREACHABLE: web1 .*refused/,
    )
    expect(await codeOf(session.forward({ socket: '/nonexistent' }))).toMatch(/^E_UNREACHABLE: web1/)
  })

  describe('host keys', () => {
    const known = (...lines: string[]): string => {
      const file = join(server.folder, `known-${Math.random().toString(36).slice(2)}`)
      writeFileSync(file, lines.map(line => `${line}\n`).join(''))
      return file
    }
    const name = (): string => `[127.0.0.1]:${server.port}`
    const open = (file: string, more: Partial<Address> = {}): Promise<string> =>
      codeOf(connections().open(addressFor(server, { knownHostsFiles: [file], ...more }), undefined))

    it('asks for the type of key that is known', async () => {
      for (const key of server.hostKeys) expect(await open(known(`${name()} ${key}`))).toBe('no error')
    })

    it('refuses a new host when strict; accept-new records it once', async () => {
      const file = known()
      expect(await open(file)).toMatch(
        /^E_HOST_KEY: web1: no key of .* is known; it shows ssh-ed25519 SHA256:.*ssh-keyscan/,
      )
      expect(await open(file, { hostKeyChecking: 'accept-new' })).toBe('no error')
      expect(readFileSync(file, 'utf8')).toBe(`${name()} ${server.hostKeys[0]}\n`)
      expect(await open(file)).toBe('no error')
    })

    it('refuses a changed key in both modes, with both fingerprints, the place and the command', async () => {
      const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqHvCwS3Gv0nXy7vT0xM0dB0bq5bPq1p0v0ZtWb0b0b'
      const file = known('# comment', `${name()} ${other}`)
      for (const hostKeyChecking of ['strict', 'accept-new'] as const) {
        const said = await open(file, { hostKeyChecking })
        expect(said).toMatch(
          /^E_HOST_KEY: .*has changed: it shows ssh-ed25519 SHA256:\S+, known is ssh-ed25519 SHA256:/,
        )
        expect(said).toContain(`ssh-keygen -f '${file}' -R '${name()}'`)
      }
      const error = await connections()
        .open(addressFor(server, { knownHostsFiles: [file] }), undefined)
        .catch(caught => caught)
      expect(error.at).toEqual({ file, line: 2, col: 1 })
    })

    it('refuses a revoked key, and a host that only a certificate authority vouches for', async () => {
      const [key] = server.hostKeys
      expect(await open(known(`${name()} ${key}`, `@revoked * ${key}`))).toMatch(/^E_HOST_KEY: .*revoked/)
      expect(await open(known(`@cert-authority * ${key}`))).toMatch(
        /^E_HOST_KEY: .*certificate authority only, and shows a key without/,
      )
    })
  })

  describe('logging in', () => {
    it('takes a password', async () => {
      const address = addressFor(server, {
        identityFiles: [],
        password: secret(passwords.carol),
        user: 'carol',
      })
      expect(await runAs(address)).toMatch(/^carol\n/)
    })

    it('tells of each login: who, by which key, and which key the host showed', async () => {
      const seen: AcceptedLogin[] = []
      const pool = createConnections({ redactor: createRedactor(), onLogin: login => seen.push(login) })
      pools.push(pool)
      await pool.open(addressFor(server), undefined)
      await pool.open(addressFor(server), { method: 'sudo', user: 'root' }).catch(() => {})
      const print = (file: string): string =>
        execFileSync('ssh-keygen', ['-lf', file], { encoding: 'utf8' }).split(' ')[1]!
      const shown = execFileSync('ssh-keygen', ['-lf', server.knownHosts], { encoding: 'utf8' })
      expect(seen).toMatchObject([
        {
          name: 'web1',
          address: `127.0.0.1:${server.port}`,
          user: 'alice',
          by: `key ${server.identity} (${print(server.identity)})`,
        },
      ])
      expect(shown).toContain(seen[0]!.hostKey)
    })

    it('says what was tried when it is refused', async () => {
      const address = addressFor(server, { identityFiles: ['/nonexistent/key'], password: secret('wrong') })
      const said = await codeOf(connections().open(address, undefined))
      expect(said).toMatch(/^E_AUTH: web1: alice@127.0.0.1:\d+ refused the login: tried password/)
      expect(said).toMatch(/the server takes .*publickey.*\/nonexistent\/key: ENOENT/)
      expect(said).not.toContain('wrong')
    })

    it('opens an encrypted key with its passphrase, and says so when it has none', async () => {
      const identity = join(server.folder, `encrypted-${Math.random().toString(36).slice(2)}`)
      const { execFileSync } = await import('node:child_process')
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '1', '-N', 'open sesame', '-f', identity])
      appendFileSync(join(server.folder, 'authorized_keys'), readFileSync(`${identity}.pub`))
      const address = addressFor(server, { identityFiles: [identity] })
      expect(await codeOf(connections().open(address, undefined))).toMatch(/^E_AUTH: .*needs a passphrase/)
      expect(await codeOf(connections().open({ ...address, passphrase: secret('no') }, undefined))).toMatch(
        /passphrase is wrong/,
      )
      expect(await runAs({ ...address, passphrase: secret('open sesame') })).toMatch(/^alice\n/)
    })

    it('says so when nothing listens, and when the shell is not there', async () => {
      expect(await codeOf(connections().open(addressFor(server, { port: 1 }), undefined))).toMatch(
        /^E_UNREACHABLE: web1: cannot connect to alice@127.0.0.1:1.*ECONNREFUSED.*ssh -v -i .*-p 1/,
      )
      const session = await connections().open(addressFor(server, { shell: '/bin/no-such-sh' }), undefined)
      expect(await codeOf(session.run({ script: sh`:` }))).toMatch(
        /^E_UNREACHABLE: \/bin\/no-such-sh did not start on web1: .*127.*no-such-sh/,
      )
    })
  })

  describe('become', () => {
    const open = (user: string, become: Become): Promise<string> =>
      runAs(addressFor(server, { user }), become)
    const refused = (user: string, become: Become): Promise<string> => codeOf(open(user, become))

    it('sudo without and with a password, to root and to a user who cannot log in', async () => {
      expect(await open('alice', { method: 'sudo', user: 'root' })).toMatch(/^root\n.*\n\/root\n/)
      expect(await open('alice', { method: 'sudo', user: 'bob', password: secret('not needed') })).toMatch(
        /^bob\n/,
      )
      expect(
        await open('carol', { method: 'sudo', user: 'root', password: secret(passwords.carol) }),
      ).toMatch(/^root\n/)
    })

    it('su asks for the password of the other user', async () => {
      expect(await open('dave', { method: 'su', user: 'root', password: secret(passwords.root) })).toMatch(
        /^root\n/,
      )
    })

    it('tells apart a wrong password, a missing one, a user who may not, and a missing program', async () => {
      expect(await refused('carol', { method: 'sudo', user: 'root', password: secret('wrong-pw') })).toMatch(
        /^E_BECOME: web1: the password for sudo to root is wrong \| .*-K/,
      )
      expect(await refused('carol', { method: 'sudo', user: 'root' })).toMatch(
        /^E_BECOME: web1: sudo to root needs a password.*-K/,
      )
      expect(
        await refused('dave', { method: 'sudo', user: 'root', password: secret(passwords.dave) }),
      ).toMatch(/^E_BECOME: web1: sudo to root is not allowed.*sudoers/)
      expect(await refused('dave', { method: 'su', user: 'root', password: secret('wrong-pw') })).toMatch(
        /^E_BECOME: web1: su to root failed: the password is wrong/,
      )
      expect(await refused('dave', { method: 'su', user: 'root' })).toMatch(
        /^E_BECOME: web1: su to root needs a password/,
      )
      expect(await refused('alice', { method: 'doas', user: 'root' })).toMatch(
        /^E_BECOME: web1: there is no doas on the host/,
      )
      expect(await refused('alice', { method: 'sudo', user: 'x; id' })).toMatch(
        /^E_BECOME: "x; id" is not the name of a user/,
      )
      expect(await refused('alice', { method: 'sudo', user: 'nobody-such' })).toMatch(
        /^E_BECOME: .*nobody-such/,
      )
    })
  })

  it('a killed sshd makes the call unknown; nothing new starts; open connects anew', async () => {
    const pool = connections()
    const session = await pool.open(addressFor(server), undefined)
    let started = ''
    const calls = [
      session.run({
        script: sh`printf started; sleep 30`,
        onText: part => {
          started += part
        },
      }),
      session.run({ script: sh`printf never` }),
    ]
    await until('it runs', () => started === 'started')
    for (const pid of server.sessions()) kill(pid)
    expect((await Promise.all(calls)).map(done => done.status)).toEqual(['unknown', 'unknown'])
    expect(await codeOf(session.run({ script: sh`:` }))).toMatch(
      /^E_UNREACHABLE: the connection to web1 is lost/,
    )
    const again = await pool.open(addressFor(server), undefined)
    expect(text(await again.run({ script: sh`printf back` }))).toBe('back')
  })
})
