// Logging in with certificates and security keys, against a real sshd; ssh-keygen is the authority.
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Address } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { wireString, wireUint32 } from '../../src/remote/wire.ts'
import { startSoftwareAgent } from '../support/software-agent.ts'
import { addressFor, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { text, until } from './session-suite.ts'

describe.skipIf(whyNoSshd())('user certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-user-ca-'))
  const keygen = (...args: string[]): void => {
    execFileSync('ssh-keygen', ['-q', ...args])
  }
  let server: Sshd
  beforeAll(async () => {
    keygen('-t', 'ed25519', '-N', '', '-f', join(folder, 'ca'))
    keygen('-t', 'ed25519', '-N', '', '-f', join(folder, 'other_ca'))
    server = await startSshd({ config: [`TrustedUserCAKeys ${folder}/ca.pub`] })
  })
  afterAll(async () => {
    await server?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  let count = 0
  /** A new key, and a certificate for it beside it. */
  function makeKey(type: string, ...args: string[]): string {
    const file = join(folder, `id-${count++}`)
    const size = type === 'rsa' ? ['-b', '2048'] : []
    keygen('-t', type, ...size, '-N', '', '-C', `comment-${type}`, '-f', file)
    if (args.length > 0) keygen('-s', join(folder, 'ca'), '-I', 'op', ...args, `${file}.pub`)
    return file
  }
  async function open(more: Partial<Address>, config = ''): Promise<string> {
    const pool = createConnections({ redactor: createRedactor() })
    const file = join(folder, `config-${count++}`)
    writeFileSync(file, config)
    try {
      const session = await pool.open(
        addressFor(server, { identityFiles: [], sshArgs: ['-F', file], ...more }),
        undefined,
      )
      return text(await session.run({ script: sh`id -un` }))
    } catch (error) {
      const { code, message } = error as { code: string; message: string }
      return `${code}: ${message}`
    } finally {
      await pool.close()
    }
  }

  it.each(['ed25519', 'ecdsa', 'rsa'])('logs in with the one beside a key of type %s', async type => {
    expect(await open({ identityFiles: [makeKey(type, '-n', 'alice')] })).toBe('alice\n')
  })

  it('signs every time: ECDSA’s numbers are of any length', async () => {
    const identity = makeKey('ecdsa', '-n', 'alice')
    for (let time = 0; time < 8; time++) expect(await open({ identityFiles: [identity] })).toBe('alice\n')
  })

  it('logs in with the CertificateFile of ssh_config', async () => {
    const identity = makeKey('ed25519', '-n', 'alice')
    const elsewhere = join(folder, 'elsewhere.pub')
    writeFileSync(elsewhere, readFileSync(`${identity}-cert.pub`))
    rmSync(`${identity}-cert.pub`)
    expect(await open({ identityFiles: [identity] })).toMatch(/^E_AUTH/)
    const config = `IdentityFile ${identity}\nCertificateFile ${elsewhere}\n`
    expect(await open({}, config)).toBe('alice\n')
    const missing = `IdentityFile ${identity}\nCertificateFile ${elsewhere}.gone\n`
    expect(await open({}, missing)).toMatch(/elsewhere.pub.gone: cannot be read as a certificate/)
  })

  it('opens an encrypted key for its certificate', async () => {
    const identity = makeKey('ed25519', '-n', 'alice')
    keygen('-p', '-a', '1', '-P', '', '-N', 'open sesame', '-f', identity)
    const { Secret } = await import('../../src/core/secret.ts')
    const passphrase = new Secret('open sesame', 'passphrase')
    expect(await open({ identityFiles: [identity], passphrase })).toBe('alice\n')
  })

  it.each([
    ['has expired', ['-n', 'alice', '-V', '20200101:20200202'], /-cert.pub: it has expired on 2020-02-0/],
    ['is for somebody else', ['-n', 'bob,carol'], /-cert.pub: it is for bob, carol$/],
    ['is a host’s', ['-h', '-n', 'alice'], /-cert.pub: is no certificate for users$/],
  ])('says what may be wrong when one that %s is refused', async (_, args, message) => {
    const said = await open({ identityFiles: [makeKey('ed25519', ...args)] })
    expect(said).toMatch(/^E_AUTH: web1: alice@.* refused the login: tried /)
    expect(said).toMatch(message)
  })

  it('is refused by a server that does not trust the authority; the plain key still helps', async () => {
    const identity = makeKey('ed25519')
    keygen('-s', join(folder, 'other_ca'), '-I', 'op', '-n', 'alice', `${identity}.pub`)
    expect(await open({ identityFiles: [identity] })).toMatch(
      /tried certificate .*-cert.pub, key .*id-\d+; the server takes publickey/,
    )
    appendFileSync(join(server.folder, 'authorized_keys'), readFileSync(`${identity}.pub`))
    expect(await open({ identityFiles: [identity] })).toBe('alice\n')
  })

  /** A new ssh-agent; `add` is ssh-add for it. */
  async function withAgent(
    use: (config: string, add: (...args: string[]) => void) => Promise<void>,
  ): Promise<void> {
    const socket = join(folder, `agent-${count++}`)
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    const env = { ...process.env, SSH_AUTH_SOCK: socket }
    const add = (...args: string[]): void => {
      execFileSync('ssh-add', ['-q', ...args], { env, stdio: 'ignore' })
    }
    await until('the agent runs', () => {
      try {
        add('-D')
        return true
      } catch {
        return false
      }
    })
    try {
      await use(`IdentityAgent ${socket}\n`, add)
    } finally {
      agent.kill()
    }
  }

  it.each(['ed25519', 'ecdsa', 'rsa'])('logs in with a certificate of type %s in an agent', type =>
    withAgent(async (config, add) => {
      const identity = makeKey(type, '-n', 'alice')
      add(identity)
      rmSync(identity)
      rmSync(`${identity}-cert.pub`)
      expect(await open({}, config)).toBe('alice\n')
    }),
  )

  it.each(['ed25519', 'rsa'])('logs in with a certificate in a file for a key of type %s in an agent', type =>
    withAgent(async (config, add) => {
      const identity = makeKey(type, '-n', 'alice')
      add('-k', identity)
      rmSync(identity)
      const only = `${config}IdentityFile ${identity}\nIdentitiesOnly yes\n`
      expect(await open({}, only)).toBe('alice\n')
      rmSync(`${identity}-cert.pub`)
      expect(await open({}, only)).toMatch(new RegExp(`tried agent key comment-${type}`))
    }),
  )

  it('logs in with a security key in an agent, and with a certificate for one', async () => {
    const agent = await startSoftwareAgent(join(folder, 'soft'))
    const config = `IdentityAgent ${agent.socket}\n`
    expect(await open({}, config)).toMatch(/^E_AUTH: .*tried agent key soft key/)
    // A server that would refuse the key is asked before a person has to touch it.
    expect(agent.signed).toBe(0)
    writeFileSync(join(folder, 'sk.pub'), `${agent.publicLine}\n`)
    keygen('-s', join(folder, 'ca'), '-I', 'op', '-n', 'alice', join(folder, 'sk.pub'))
    agent.certificate = Buffer.from(
      readFileSync(join(folder, 'sk-cert.pub'), 'utf8').split(' ')[1]!,
      'base64',
    )
    expect(await open({}, config)).toBe('alice\n')
    agent.certificate = undefined
    appendFileSync(join(server.folder, 'authorized_keys'), `${agent.publicLine}\n`)
    expect(await open({}, config)).toBe('alice\n')
    expect(agent.signed).toBe(2)
    agent.isUntouched = true
    expect(await open({}, config)).toMatch(/^E_AUTH: .*tried agent key soft key/)
    await agent.close()
  })

  it('says what to do with a file of a security key', async () => {
    // As ssh-keygen -t ed25519-sk writes it: OpenSSH's PROTOCOL.key and PROTOCOL.u2f.
    const type = 'sk-ssh-ed25519@openssh.com'
    const publicKey = Buffer.concat([type, Buffer.alloc(32), 'ssh:'].map(wireString))
    const handle = Buffer.concat([Buffer.from([1]), wireString('handle'), wireString('')])
    const secret = Buffer.concat([wireUint32(1), wireUint32(1), publicKey, handle, wireString('comment')])
    const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]).subarray(0, (8 - (secret.length % 8)) % 8)
    const bytes = Buffer.concat([
      Buffer.from('openssh-key-v1\0'),
      ...['none', 'none', ''].map(wireString),
      wireUint32(1),
      wireString(publicKey),
      wireString(Buffer.concat([secret, padding])),
    ])
    const lines = bytes.toString('base64').replace(/.{70}/g, '$&\n')
    const file = join(folder, 'id_sk')
    writeFileSync(
      file,
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`,
      {
        mode: 0o600,
      },
    )
    expect(execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' })).toContain(type)
    expect(await open({ identityFiles: [file] })).toMatch(
      /^E_AUTH: .*id_sk: is a security key’s: add it to ssh-agent, or set ansible_connection: openssh/,
    )
  })
})
