import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Certificate,
  certificateAlgorithm,
  findHostFlaw,
  isCertificateType,
  parseCertificate,
  plainType,
} from '../../src/remote/certificate.ts'
import { decideCertificate, decideHostKey, parseKnownHosts } from '../../src/remote/known-hosts.ts'
import { isSignedBy, signData } from '../../src/remote/signature.ts'
import { WireReader, wireInteger, wireString, wireUint32 } from '../../src/remote/wire.ts'

const hasKeygen = (() => {
  try {
    execFileSync('ssh-keygen', ['-F', 'x', '-f', '/dev/null'], { stdio: 'ignore' })
  } catch (error) {
    return (error as { status: number | null }).status !== null
  }
  return true
})()
if (!hasKeygen) {
  if (process.env['CI']) throw new Error('ssh-keygen is missing')
  console.warn('skipped: certificates: ssh-keygen is not installed')
}

const folder = mkdtempSync(join(tmpdir(), 'rota-cert-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const keygen = (...args: string[]): string => execFileSync('ssh-keygen', args, { encoding: 'utf8' })
const publicKey = (path: string): Buffer =>
  Buffer.from(readFileSync(`${path}.pub`, 'utf8').split(' ')[1]!, 'base64')
let count = 0
function makeKey(type: string): string {
  const path = join(folder, `key-${count++}`)
  keygen('-q', '-t', type, '-N', '', '-f', path)
  return path
}
/** Makes one only: that takes a second. */
const rsaAuthority = (() => {
  let path: string | undefined
  return (): string => {
    path ??= makeKey('rsa')
    return path
  }
})()
function certify(authority: string, key: string, ...args: string[]): Certificate {
  keygen('-q', '-s', authority, '-I', 'the id', ...args, `${key}.pub`)
  const certificate = parseCertificate(publicKey(`${key}-cert`))
  if (certificate === undefined) throw new Error('not parsed')
  return certificate
}
const nowS = Date.now() / 1000

describe.skipIf(!hasKeygen)('a certificate that ssh-keygen has made', () => {
  let authority: string
  let key: string
  beforeAll(() => {
    authority = makeKey('ed25519')
    key = makeKey('ed25519')
  })

  it('is read as it was made', () => {
    for (const type of ['ed25519', 'ecdsa', 'rsa']) {
      const path = type === 'rsa' ? rsaAuthority() : makeKey(type)
      const certificate = certify(
        authority,
        path,
        '-h',
        '-n',
        'a,b',
        '-z',
        '77',
        '-V',
        '20200102000000Z:20300102000000Z',
      )
      expect(certificate).toMatchObject({
        kind: 'host',
        id: 'the id',
        serial: 77n,
        principals: ['a', 'b'],
        validAfterS: BigInt(Date.UTC(2020, 0, 2) / 1000),
        validBeforeS: BigInt(Date.UTC(2030, 0, 2) / 1000),
        criticalOptions: [],
      })
      expect(certificate.key.equals(publicKey(path))).toBe(true)
      expect(certificate.authority.equals(publicKey(authority))).toBe(true)
      expect(findHostFlaw(certificate, 'a', nowS)).toBeUndefined()
    }
  })

  it('holds when an authority of any type, and of any size, has signed it', () => {
    for (const args of [['ed25519'], ['ecdsa'], ['ecdsa', '-b', '384'], ['ecdsa', '-b', '521'], ['rsa']]) {
      const path = join(folder, `ca-${count++}`)
      keygen('-q', '-N', '', '-f', path, '-t', ...args)
      // ECDSA's numbers differ in length from one signature to the next.
      for (let time = 0; time < 4; time++)
        expect([args, findHostFlaw(certify(path, key, '-h', '-n', 'web'), 'web', nowS)]).toEqual([
          args,
          undefined,
        ])
    }
  })

  it('names its flaw: kind, time, name, critical option, SHA-1', () => {
    const why = (...args: string[]): string | undefined =>
      findHostFlaw(certify(authority, key, ...args), 'web', nowS)?.why
    expect(why('-n', 'web')).toBe('it is a certificate for users, not for hosts')
    expect(why('-h', '-n', 'web', '-V', '20200101000000Z:20200102000000Z')).toBe(
      'it has expired on 2020-01-02T00:00:00Z',
    )
    expect(why('-h', '-n', 'web', '-V', '29990101000000Z:forever')).toBe(
      'it is not valid before 2999-01-01T00:00:00Z',
    )
    expect(why('-h', '-n', 'db,webb,we')).toBe('it is for db, webb, we, not for web')
    expect(why('-h', '-n', 'web', '-O', 'critical:x@y=z')).toBe('it has a critical option: x@y')
    expect(why('-h', '-V', 'always:forever')).toBeUndefined()
    const old = certify(rsaAuthority(), key, '-h', '-n', 'web', '-t', 'rsa-sha2-256')
    expect(findHostFlaw(old, 'web', nowS)).toBeUndefined()
    const sha1 = { ...old, signatureAlgorithm: 'ssh-rsa' }
    expect(findHostFlaw(sha1, 'web', nowS)?.why).toMatch(/^its signature is of type ssh-rsa, which/)
  })

  it('is valid from its first second on, and not in its last', () => {
    const certificate = certify(authority, key, '-h', '-n', 'web', '-V', '20200102000000Z:20200103000000Z')
    const at = (seconds: number): string | undefined => findHostFlaw(certificate, 'web', seconds)?.why
    const [from, to] = [Number(certificate.validAfterS), Number(certificate.validBeforeS)]
    expect([at(from - 1), at(from), at(to - 1), at(to)].map(why => why !== undefined)).toEqual([
      true,
      false,
      false,
      true,
    ])
  })

  it('cannot be changed in any byte', () => {
    const { bytes } = certify(authority, key, '-h', '-n', 'web')
    const known = parseKnownHosts(
      `@cert-authority * ssh-ed25519 ${publicKey(authority).toString('base64')}`,
      'kh',
    )
    const isTaken = (shown: Buffer): boolean => {
      const certificate = parseCertificate(shown)
      const verdict = certificate
        ? decideCertificate(known, certificate, 'web', nowS)
        : decideHostKey(known, shown.toString('base64'))
      return verdict.kind === 'known' || verdict.kind === 'new'
    }
    expect(isTaken(bytes)).toBe(true)
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      expect([at, isTaken(changed)]).toEqual([at, false])
      expect([at, isTaken(bytes.subarray(0, at))]).toEqual([at, false])
    }
    expect(isTaken(Buffer.concat([bytes, Buffer.alloc(1)]))).toBe(false)
  })

  it('is not believed because its own key has signed it', () => {
    const self = certify(key, key, '-h', '-n', 'web')
    const known = parseKnownHosts(
      `@cert-authority * ssh-ed25519 ${publicKey(authority).toString('base64')}`,
      'kh',
    )
    expect(decideCertificate(known, self, 'web', nowS).kind).toBe('flawed')
    const plain = parseKnownHosts(`web ssh-ed25519 ${publicKey(authority).toString('base64')}`, 'kh')
    const signed = certify(authority, key, '-h', '-n', 'web')
    expect(decideCertificate(plain, signed, 'web', nowS).kind).toBe('flawed')
  })
})

describe.skipIf(!hasKeygen)('signatures', () => {
  it('of every algorithm verify, and no others do', () => {
    const keys = [
      ['ecdsa-sha2-nistp256', ['ecdsa']],
      ['ecdsa-sha2-nistp521', ['ecdsa', '-b', '521']],
      ['rsa-sha2-512', ['rsa', '-b', '2048']],
    ] as const
    for (const [algorithm, args] of keys) {
      const path = join(folder, `sign-${count++}`)
      keygen('-q', '-m', 'PEM', '-N', '', '-f', path, '-t', ...args)
      const pem = readFileSync(path, 'utf8')
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
          const data = Buffer.from(bytes)
          const signature = signData(pem, algorithm, data)
          expect(isSignedBy(publicKey(path), data, signature)).toBe(true)
          expect(isSignedBy(publicKey(path), Buffer.concat([data, data, Buffer.from('x')]), signature)).toBe(
            false,
          )
        }),
        { numRuns: 30 },
      )
    }
  })
})

it('never throws on noise, and takes none for a certificate', () => {
  const start = Buffer.concat([wireString('ssh-ed25519-cert-v01@openssh.com'), wireString('nonce')])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isStarted) => {
      const noise = isStarted ? Buffer.concat([start, bytes]) : Buffer.from(bytes)
      expect(parseCertificate(noise)).toBeUndefined()
      expect(isSignedBy(noise, noise, noise)).toBe(false)
    }),
  )
})

it('names algorithms and types both ways', () => {
  for (const algorithm of [
    'ssh-ed25519',
    'rsa-sha2-512',
    'ecdsa-sha2-nistp256',
    'sk-ssh-ed25519@openssh.com',
  ]) {
    const name = certificateAlgorithm(algorithm)
    expect([isCertificateType(name), plainType(name)]).toEqual([true, algorithm])
  }
  expect(certificateAlgorithm('sk-ssh-ed25519@openssh.com')).toBe('sk-ssh-ed25519-cert-v01@openssh.com')
})

it('writes integers as RFC 4251 shows them', () => {
  const hex = (text: string): string => wireInteger(Buffer.from(text, 'hex')).toString('hex')
  expect(hex('00')).toBe('00000000')
  expect(hex('09a378f9b2e332a7')).toBe('0000000809a378f9b2e332a7')
  expect(hex('80')).toBe('000000020080')
  expect(hex('000080')).toBe('000000020080')
})

it('reads what it writes, and not past the end', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.nat(), (strings, number) => {
      const bytes = Buffer.concat([wireUint32(number), ...strings.map(wireString)])
      const reader = new WireReader(bytes)
      expect(reader.uint32()).toBe(number)
      expect(reader.strings()).toEqual(strings.map(string => Buffer.from(string)))
      expect(() => reader.byte()).toThrow(RangeError)
    }),
  )
})
