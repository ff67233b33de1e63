// Signatures of files by SSH keys: what rota signs, stock ssh-keygen verifies, and the other way round.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { parseAllowedSigners, selectSigners } from '../../src/remote/allowed-signers.ts'
import { openSigner } from '../../src/remote/signer.ts'
import { signMessage, verifyMessage } from '../../src/remote/sshsig.ts'
import { startSoftwareAgent } from '../support/software-agent.ts'

const namespace = 'test@rota'
const isThere = spawnSync('ssh-keygen', ['-?']).error === undefined
if (!isThere && process.env['CI']) throw new Error('ssh-keygen is missing')
if (!isThere) console.log('skipped: ssh-keygen is missing (Debian: openssh-client)')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-sshsig-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const never = async (): Promise<Secret> => {
  throw new Error('was asked for a passphrase')
}
function makeKey(name: string, type: string, bits: string, passphrase = ''): string {
  const file = join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', passphrase, '-C', name, '-f', file])
  return file
}
/** What stock ssh-keygen says of a signature. */
function keygenVerifies(publicLine: string, message: Buffer, armored: string): boolean {
  const signers = join(folder, 'signers')
  writeFileSync(signers, `bob@example.com ${publicLine}\n`)
  writeFileSync(join(folder, 'sig'), armored)
  const args = [
    '-Y',
    'verify',
    '-f',
    signers,
    '-I',
    'bob@example.com',
    '-n',
    namespace,
    '-s',
    join(folder, 'sig'),
  ]
  return spawnSync('ssh-keygen', args, { input: message }).status === 0
}
const publicLine = (file: string) => readFileSync(`${file}.pub`, 'utf8').trim()
const message = Buffer.from('a plan\n\u0000 with any bytes \u00ff')

describe.skipIf(!isThere)('with ssh-keygen', () => {
  it.each([
    ['ed25519', '256'],
    ['ecdsa', '256'],
    ['ecdsa', '384'],
    ['ecdsa', '521'],
    ['rsa', '2048'],
  ])('%s %s: both ways', async (type, bits) => {
    const file = makeKey(`${type}-${bits}`, type, bits)
    const signer = await openSigner({ file, agent: undefined, askPassphrase: never })
    const armored = await signMessage(signer, namespace, message)
    expect(keygenVerifies(publicLine(file), message, armored)).toBe(true)
    expect(keygenVerifies(publicLine(file), Buffer.from('another'), armored)).toBe(false)
    writeFileSync(join(folder, 'm'), message)
    execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', file, '-n', namespace, join(folder, 'm')], {
      stdio: 'ignore',
    })
    const theirs = readFileSync(join(folder, 'm.sig'), 'utf8')
    rmSync(join(folder, 'm.sig'))
    expect(verifyMessage(theirs, namespace, message)).toMatchObject({ fingerprint: signer.fingerprint })
    const listed = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' })
    expect(listed).toContain(signer.fingerprint)
    expect(verifyMessage(theirs, 'other', message)).toEqual({ why: expect.stringContaining('it is for') })
    expect(verifyMessage(theirs, namespace, Buffer.from('x'))).toEqual({
      why: 'the signature is not of this text',
    })
  })

  it('a key with a passphrase asks once; a wrong one is said; with the agent nobody is asked', async () => {
    const file = makeKey('locked', 'ed25519', '256', 'open sesame')
    let asked = 0
    const ask = (text: string) => async () => {
      asked++
      return new Secret(text, 'passphrase')
    }
    const signer = await openSigner({ file, agent: undefined, askPassphrase: ask('open sesame') })
    expect(keygenVerifies(publicLine(file), message, await signMessage(signer, namespace, message))).toBe(
      true,
    )
    expect(asked).toBe(1)
    await expect(openSigner({ file, agent: undefined, askPassphrase: ask('wrong') })).rejects.toMatchObject({
      code: 'E_FILE',
      message: expect.stringContaining('the passphrase is wrong'),
    })
    await expect(openSigner({ file: `${file}.pub`, agent: undefined, askPassphrase: never })).rejects.toThrow(
      /agent/,
    )

    const socket = join(folder, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    try {
      const env = {
        ...process.env,
        SSH_AUTH_SOCK: socket,
        SSH_ASKPASS: join(folder, 'ask'),
        SSH_ASKPASS_REQUIRE: 'force',
      }
      writeFileSync(join(folder, 'ask'), "#!/bin/sh\nprintf '%s\\n' 'open sesame'\n", { mode: 0o700 })
      const isAdded = () => spawnSync('ssh-add', ['-q', file], { env, stdio: 'ignore' }).status === 0
      await expect.poll(isAdded, { timeout: 20_000 }).toBe(true)
      for (const name of [file, `${file}.pub`]) {
        const held = await openSigner({ file: name, agent: socket, askPassphrase: never })
        expect(keygenVerifies(publicLine(file), message, await signMessage(held, namespace, message))).toBe(
          true,
        )
      }
      const rsa = makeKey('agent-rsa', 'rsa', '2048')
      spawnSync('ssh-add', ['-q', rsa], { env, stdio: 'ignore' })
      const held = await openSigner({ file: `${rsa}.pub`, agent: socket, askPassphrase: never })
      expect(keygenVerifies(publicLine(rsa), message, await signMessage(held, namespace, message))).toBe(true)
    } finally {
      agent.kill()
    }
  }, 60_000)

  it('a security key in the agent, touched', async () => {
    const agent = await startSoftwareAgent(join(folder, 'soft'))
    const file = join(folder, 'soft.pub')
    writeFileSync(file, `${agent.publicLine}\n`)
    try {
      const signer = await openSigner({ file, agent: agent.socket, askPassphrase: never })
      const armored = await signMessage(signer, namespace, message)
      expect(keygenVerifies(agent.publicLine, message, armored)).toBe(true)
      expect(verifyMessage(armored, namespace, message)).toMatchObject({ fingerprint: signer.fingerprint })
      expect(verifyMessage(armored, namespace, Buffer.from('x'))).toHaveProperty('why')
    } finally {
      await agent.close()
    }
  })

  it('no changed byte of a signature is taken for the same', async () => {
    const file = makeKey('fuzzed', 'ed25519', '256')
    const signer = await openSigner({ file, agent: undefined, askPassphrase: never })
    const blob = Buffer.from(
      (await signMessage(signer, namespace, message)).split('\n').slice(1, -2).join(''),
      'base64',
    )
    fc.assert(
      fc.property(fc.nat(blob.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Buffer.from(blob)
        changed[at]! ^= mask
        const armored = `-----BEGIN SSH SIGNATURE-----\n${changed.toString('base64')}\n-----END SSH SIGNATURE-----\n`
        const found = verifyMessage(armored, namespace, message)
        // The reserved field is empty; its length alone is no part of what is signed.
        if ('fingerprint' in found) expect(found.fingerprint).not.toBe(signer.fingerprint)
      }),
      { numRuns: 500 },
    )
  })

  it('allowed_signers: the same lines hold here and for ssh-keygen', async () => {
    const file = makeKey('listed', 'ed25519', '256')
    const [type, key] = publicLine(file).split(' ')
    const line = `bob@example.com,alice namespaces="git,test@*",valid-before="20990101Z" ${type} ${key} a comment`
    const signer = await openSigner({ file, agent: undefined, askPassphrase: never })
    const signers = parseAllowedSigners(`# who\n\n${line}\n`, 'signers')
    const select = (space: string, now: string) =>
      selectSigners(signers, signer.publicKey, space, new Date(now)).flatMap(({ principals }) => principals)
    expect(select(namespace, '2026-01-01')).toEqual(['bob@example.com', 'alice'])
    expect(select('other', '2026-01-01')).toEqual([])
    expect(select(namespace, '2099-06-01')).toEqual([])
    const list = join(folder, 'list')
    writeFileSync(list, `${line}\n`)
    writeFileSync(join(folder, 's'), await signMessage(signer, namespace, message))
    const verify = (space: string) =>
      spawnSync(
        'ssh-keygen',
        ['-Y', 'verify', '-f', list, '-I', 'alice', '-n', space, '-s', join(folder, 's')],
        { input: message },
      ).status
    expect([verify(namespace), verify('other') === 0]).toEqual([0, false])
    for (const bad of [
      'bob',
      'bob ssh-ed25519 AAAA',
      `bob cert-authority="" ${type} ${key}`,
      `bob no-such ${type} ${key}`,
      `bob valid-after="soon" ${type} ${key}`,
    ]) {
      expect(() => parseAllowedSigners(`\n${bad}\n`, 'signers')).toThrow(
        expect.objectContaining({ code: 'E_FILE', at: { file: 'signers', line: 2, col: 1 } }),
      )
    }
  })
})
