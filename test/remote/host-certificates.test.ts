// Host certificates against a real sshd, with ssh-keygen as the authority and the system's ssh as the oracle.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Address } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { extendClient, SSH2_VERSION, ssh2Version } from '../../src/remote/ssh2-internals.ts'
import { addressFor, type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { text } from './session-suite.ts'

it('knows the ssh2 that it reaches into: another version needs ssh2-internals.ts to be read anew', () => {
  const client = new ssh2.Client()
  client.on('error', () => {})
  client.connect({ host: '127.0.0.1', port: 1, username: 'x' })
  expect(ssh2Version(client)).toBe(SSH2_VERSION)
  const protocol = { _identRaw: Buffer.from('SSH-2.0-ssh2js1.18.0') }
  const other = Object.assign(new ssh2.Client(), { _protocol: protocol })
  expect(() => extendClient(other, [])).toThrow('rota needs ssh2 1.17.0, this is 1.18.0')
  client.destroy()
})

const hostKeyTypes = ['ed25519', 'ecdsa', 'rsa'] as const

describe.skipIf(whyNoSshd())('host certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-ca-'))
  const ca = (name: string): string => join(folder, name)
  const publicKey = (path: string): string =>
    readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
  const keygen = (...args: string[]): void => {
    execFileSync('ssh-keygen', ['-q', ...args])
  }
  let server: Sshd
  beforeAll(async () => {
    for (const [name, type] of [
      ['ca', 'ed25519'],
      ['other', 'ed25519'],
      ['ecdsa_ca', 'ecdsa'],
      ['rsa_ca', 'rsa'],
    ] as const)
      keygen('-t', type, '-N', '', '-f', ca(name))
    server = await startSshd({
      hostKeyTypes,
      config: hostKeyTypes.map(type => `HostCertificate ${folder}/${type}-cert.pub`),
    })
  })
  afterAll(async () => {
    await server?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Signs the host's keys and puts the certificates where sshd reads them for each connection. */
  function certify(types: readonly string[], ...args: string[]): void {
    for (const type of hostKeyTypes) rmSync(join(folder, `${type}-cert.pub`), { force: true })
    for (const type of types) {
      const copy = join(folder, type)
      writeFileSync(`${copy}.pub`, readFileSync(join(server.folder, `host_${type}.pub`)))
      keygen('-s', ca('ca'), '-I', 'the host', ...args, `${copy}.pub`)
    }
  }
  const authority = (name = 'ca'): string => `@cert-authority *.example ${publicKey(ca(name))}`
  let count = 0
  function known(...lines: string[]): string {
    const file = join(folder, `known-${count++}`)
    writeFileSync(file, lines.map(line => `${line}\n`).join(''))
    return file
  }
  const alias = ['-F', 'none', '-o', 'HostKeyAlias=Web1.example']
  const addressOf = (file: string, more: Partial<Address> = {}): Address =>
    addressFor(server, { knownHostsFiles: [file], sshArgs: alias, ...more })
  async function open(file: string, more?: Partial<Address>): Promise<string> {
    const pool = createConnections({ redactor: createRedactor() })
    try {
      const session = await pool.open(addressOf(file, more), undefined)
      return text(await session.run({ script: sh`id -un` }))
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint?: string }
      return `${code}: ${message} | ${hint ?? ''}`
    } finally {
      await pool.close()
    }
  }
  /** What the system's ssh makes of it. */
  function isTakenBySsh(file: string, config: readonly string[] = alias): boolean {
    const options = [
      'BatchMode=yes',
      'StrictHostKeyChecking=yes',
      `UserKnownHostsFile=${file}`,
      'GlobalKnownHostsFile=none',
    ]
    const { status } = spawnSync('ssh', [
      ...config,
      ...options.flatMap(option => ['-o', option]),
      ...['-i', server.identity, '-p', String(server.port), 'alice@127.0.0.1', 'true'],
    ])
    return status === 0
  }

  it('takes a certificate of the authority that is known, of every type of key', async () => {
    for (const type of hostKeyTypes) {
      certify([type], '-h', '-n', 'web1.example,other')
      const file = known(authority())
      expect([type, await open(file), isTakenBySsh(file)]).toEqual([type, 'alice\n', true])
    }
  })

  it('takes it with every way to exchange keys', async () => {
    const methods = ['ecdh-sha2-nistp256', 'diffie-hellman-group-exchange-sha256']
    for (const method of methods) {
      const other = await startSshd({
        config: [`KexAlgorithms ${method}`, `HostCertificate ${folder}/elsewhere-cert.pub`],
      })
      writeFileSync(`${folder}/elsewhere.pub`, readFileSync(join(other.folder, 'host_ed25519.pub')))
      keygen('-s', ca('ca'), '-I', 'elsewhere', '-h', `${folder}/elsewhere.pub`)
      const at = { port: other.port, identityFiles: [other.identity] }
      expect([method, await open(known(authority()), at)]).toEqual([method, 'alice\n'])
      await other.close()
    }
  })

  it('takes authorities of every type', async () => {
    certify(['ed25519'], '-h', '-n', 'web1.example')
    for (const name of ['rsa_ca', 'ecdsa_ca'] as const) {
      keygen('-s', ca(name), '-I', 'x', '-h', '-n', 'web1.example', join(folder, 'ed25519.pub'))
      const lines = [authority(), authority(name)]
      expect([name, await open(known(...lines))]).toEqual([name, 'alice\n'])
    }
  })

  it('takes it by a name with a port, hashed too, and by the bare name', async () => {
    certify(['ed25519'], '-h', '-n', '127.0.0.1')
    const name = `[127.0.0.1]:${server.port}`
    const hashed = known(`${name} ${publicKey(ca('ca'))}`)
    execFileSync('ssh-keygen', ['-H', '-f', hashed], { stdio: 'ignore' })
    writeFileSync(hashed, readFileSync(hashed, 'utf8').replace(/^/, '@cert-authority '))
    const lines = [name, '[127.*]:*', '127.0.0.1', '*']
    const files = [hashed, ...lines.map(hosts => known(`@cert-authority ${hosts} ${publicKey(ca('ca'))}`))]
    const config = ['-F', 'none']
    for (const file of files)
      expect([
        readFileSync(file, 'utf8'),
        await open(file, { sshArgs: config }),
        isTakenBySsh(file, config),
      ]).toEqual([readFileSync(file, 'utf8'), 'alice\n', true])
  })

  it('survives that the server asks for new keys', async () => {
    const other = await startSshd({
      config: ['RekeyLimit 1M', `HostCertificate ${folder}/rekey-cert.pub`],
    })
    writeFileSync(`${folder}/rekey.pub`, readFileSync(join(other.folder, 'host_ed25519.pub')))
    keygen('-s', ca('ca'), '-I', 'rekey', '-h', `${folder}/rekey.pub`)
    const pool = createConnections({ redactor: createRedactor() })
    const at = { port: other.port, identityFiles: [other.identity] }
    const session = await pool.open(addressOf(known(authority()), at), undefined)
    for (let round = 0; round < 3; round++) {
      const done = await session.run({ script: sh`head -c 2000000 /dev/zero` })
      expect(done.status === 'ran' && done.stdout.length).toBe(2_000_000)
    }
    await pool.close()
    await other.close()
  })

  const day = (offset: number): string => {
    const date = new Date(Date.now() + offset * 86_400_000)
    return date.toISOString().slice(0, 10).replaceAll('-', '')
  }
  const refusals: readonly [string, readonly string[], RegExp][] = [
    [
      'expired',
      ['-h', '-n', 'web1.example', '-V', `${day(-9)}:${day(-2)}`],
      /: it has expired on \d{4}-.*sign the host’s key anew: ssh-keygen -s CA_KEY -h .* -n web1.example/,
    ],
    [
      'not yet valid',
      ['-h', '-n', 'web1.example', '-V', `${day(2)}:${day(9)}`],
      /: it is not valid before \d{4}-/,
    ],
    [
      'for another name',
      ['-h', '-n', 'web2.example,web3.example'],
      /: it is for web2.example, web3.example, not for web1.example; .*HostKeyAlias/,
    ],
    ['for users', ['-n', 'web1.example'], /: it is a certificate for users, not for hosts;/],
    [
      'with a critical option',
      ['-h', '-n', 'web1.example', '-O', 'critical:no-such@x=1'],
      /: it has a critical option: no-such@x;/,
    ],
  ]
  it.each(refusals)('refuses one that is %s, as ssh does', async (_, args, message) => {
    certify(['ed25519'], ...args)
    const file = known('# comment', authority())
    const said = await open(file)
    // sshd itself does not load a certificate that is for users: then the host shows its plain key.
    if (said.includes('without a certificate')) expect(args).not.toContain('-h')
    else expect(said).toMatch(/^E_HOST_KEY: web1: the host certificate of web1.example does not hold: /)
    if (args.includes('-h')) expect(said).toMatch(message)
    expect(said).toMatch(/ssh-ed25519 SHA256:/)
    expect(isTakenBySsh(file)).toBe(false)
    expect(await open(file, { hostKeyChecking: 'accept-new' })).toBe(said)
    expect(readFileSync(file, 'utf8')).toBe(`# comment\n${authority()}\n`)
  })

  it('refuses that of another authority; takes its key when that is known for itself', async () => {
    certify(['ed25519'], '-h', '-n', 'web1.example')
    const file = known(authority('other'))
    const said = await open(file)
    expect(said).toMatch(/it is signed by SHA256:\S+, and known_hosts trusts SHA256:\S+; .*@cert-authority/)
    expect(isTakenBySsh(file)).toBe(false)
    const both = known(authority('other'), `web1.example ${server.hostKeys[0]}`)
    expect([await open(both), isTakenBySsh(both)]).toEqual(['alice\n', true])
  })

  it('refuses a revoked authority, a revoked key and a revoked certificate, wherever they are revoked', async () => {
    certify(['ed25519'], '-h', '-n', 'web1.example')
    const certificate = readFileSync(join(folder, 'ed25519-cert.pub'), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ')
    for (const [key, what] of [
      [publicKey(ca('ca')), /the authority that has signed the certificate of web1.example is revoked; /],
      [server.hostKeys[0]!, /the key of web1.example is revoked; it shows ssh-ed25519 /],
      [certificate, /the key of web1.example is revoked; /],
    ] as const) {
      const file = known(authority(), `@revoked * ${key}`)
      expect(await open(file)).toMatch(what)
      expect(isTakenBySsh(file)).toBe(false)
      expect(await open(file, { hostKeyChecking: 'accept-new' })).toMatch(what)
    }
  })

  it('refuses a host without a certificate where only an authority is known', async () => {
    certify([])
    const file = known(authority())
    const said = await open(file)
    expect(said).toMatch(/is known by a certificate authority only, and shows a key without a certificate/)
    expect(await open(file, { hostKeyChecking: 'accept-new' })).toBe(said)
    expect(isTakenBySsh(file)).toBe(false)
    const plain = known(authority(), `web1.example ${server.hostKeys[1]}`)
    expect([await open(plain), isTakenBySsh(plain)]).toEqual(['alice\n', true])
  })

  it('heeds RevokedHostKeys: a list of keys, a KRL with a serial number, and one that is not there', async () => {
    certify(['ed25519'], '-h', '-n', 'web1.example', '-z', '42')
    const list = join(folder, 'revoked')
    const verdict = async (path = list): Promise<string> => {
      const config = [...alias, '-o', `RevokedHostKeys=${path}`]
      const file = known(authority())
      const said = await open(file, { sshArgs: config })
      expect(isTakenBySsh(file, config)).toBe(said === 'alice\n')
      return said
    }
    const revoked =
      /^E_HOST_KEY: web1: it shows ssh-ed25519 SHA256:\S+ with certificate "the host" serial 42, which .* revokes/
    writeFileSync(list, `${publicKey(ca('other'))}\n`)
    expect(await verdict()).toBe('alice\n')
    for (const key of [publicKey(ca('ca')), server.hostKeys[0]]) {
      writeFileSync(list, `${key}\n`)
      expect(await verdict()).toMatch(revoked)
    }
    for (const [serial, message] of [
      ['41', /^alice\n$/],
      ['42', revoked],
    ] as const) {
      writeFileSync(`${list}.spec`, `serial: ${serial}\n`)
      keygen('-k', '-f', list, '-s', `${ca('ca')}.pub`, `${list}.spec`)
      expect(await verdict()).toMatch(message)
    }
    expect(await verdict(`${list}.gone`)).toMatch(revoked)
  })

  it('hashes the name of a new host when HashKnownHosts says so', async () => {
    for (const [hashing, line] of [
      ['yes', /^\|1\|\S+\|\S+ ssh-ed25519 \S+\n$/],
      ['no', /^web1.example ssh-ed25519 \S+\n$/],
    ] as const) {
      const file = known()
      const more = {
        sshArgs: [...alias, '-o', `HashKnownHosts=${hashing}`],
        hostKeyChecking: 'accept-new',
      } as const
      expect([await open(file, more), await open(file)]).toEqual(['alice\n', 'alice\n'])
      expect(readFileSync(file, 'utf8')).toMatch(line)
      expect(isTakenBySsh(file)).toBe(true)
    }
  })

  it('says how to add a host that is known by an alias', async () => {
    const file = known()
    const command = /\| .*then: (.*)$/.exec(await open(file))?.[1] ?? ''
    execFileSync('/bin/sh', ['-c', command])
    expect([await open(file), isTakenBySsh(file)]).toEqual(['alice\n', true])
  })
})
