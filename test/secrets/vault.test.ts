import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import { Secret } from '../../src/core/secret.ts'
import { decryptVault, encryptVault, parseVaultHeader } from '../../src/secrets/vault.ts'
import {
  createVaultOpener,
  filePassword,
  givenPassword,
  parseVaultId,
  type VaultPassword,
} from '../../src/secrets/vault-passwords.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-vault-'))
afterAll(() => rmSync(folder, { recursive: true }))

const secret = (text: string): Secret => new Secret(text, 'pw')
const seal = (text: string, password: string, label?: string): string =>
  encryptVault(Buffer.from(text), secret(password), { label, random: randomBytes })
const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name)
  writeFileSync(path, text, { mode })
  chmodSync(path, mode)
  return path
}
function saidBy(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof RotaError) return `${error.code} ${error.message}`
    throw error
  }
  return 'no error'
}

describe('the format', () => {
  it('gives back every sequence of bytes, and nothing to another password', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ minLength: 1 }), (bytes, password) => {
        const armored = encryptVault(bytes, secret(password), { random: randomBytes })
        expect(decryptVault(armored, secret(password), 'x')).toEqual(Buffer.from(bytes))
        expect(decryptVault(armored, secret(`${password}!`), 'x')).toBeUndefined()
      }),
      { numRuns: 25 },
    )
  })
  it('notices a changed digit, wherever it is', () => {
    const armored = seal('a value that nobody may change', 'pw')
    const digits = [...armored.matchAll(/[0-9]/g)].map(match => match.index).filter(index => index > 30)
    fc.assert(
      fc.property(fc.constantFrom(...digits), at => {
        const changed = armored.slice(0, at) + ((Number(armored[at]) + 1) % 10) + armored.slice(at + 1)
        let plain: Buffer | undefined
        try {
          plain = decryptVault(changed, secret('pw'), 'x')
        } catch (error) {
          expect(error).toBeInstanceOf(RotaError)
        }
        expect(plain).toBeUndefined()
      }),
      { numRuns: 40 },
    )
  })
  it('has the label in its header', () => {
    expect(parseVaultHeader(seal('x', 'pw', 'prod'), 'x').label).toBe('prod')
    expect(seal('x', 'pw', 'default')).toMatch(/^\$ANSIBLE_VAULT;1\.1;AES256\n/)
  })
  it.each([
    ['plain text', 'E_VAULT x is not a vault'],
    ['$ANSIBLE_VAULT;1.0;AES\n33', 'E_VAULT x has vault format 1.0'],
    ['$ANSIBLE_VAULT;1.1;AES\n33', 'E_VAULT x is encrypted with AES'],
    ['$ANSIBLE_VAULT;1.1;AES256', 'E_VAULT x is damaged'],
    [
      '$ANSIBLE_VAULT;1.1;AES256\nnot hex',
      'E_VAULT Vault format unhexlify error: Non-hexadecimal digit found; x is damaged',
    ],
    ['$ANSIBLE_VAULT;1.1;AES256\n3333', 'E_VAULT x is damaged'],
  ])('is refused when it is %j', (text, said) => {
    expect(saidBy(() => decryptVault(text, secret('pw'), 'x'))).toContain(said)
  })
})

describe('passwords', () => {
  it('come from files without the space around, from scripts, and from client scripts by id', () => {
    expect(
      createVaultOpener([filePassword('default', file('pw', ' hunter2 \n'))]).open(seal('x', 'hunter2'), 'v')
        .plain,
    ).toEqual(Buffer.from('x'))
    const script = file('script', '#!/bin/sh\nprintf "scripted\\n"\n', 0o700)
    expect(
      createVaultOpener([filePassword('a', script)])
        .open(seal('x', 'scripted'), 'v')
        .plain.toString(),
    ).toBe('x')
    const client = file('get-client.sh', '#!/bin/sh\nprintf "%s-%s" "$1" "$2"\n', 0o700)
    const opener = createVaultOpener([filePassword('prod', client)])
    expect(opener.open(seal('x', '--vault-id-prod'), 'v').plain.toString()).toBe('x')
  })
  it('are read once, and only when a vault is met', () => {
    const log = join(folder, 'log')
    const script = file('counting', `#!/bin/sh\nprintf x >> '${log}'\nprintf pw\n`, 0o700)
    writeFileSync(log, '')
    const opener = createVaultOpener([filePassword('default', script)])
    expect(readFileSync(log, 'utf8')).toBe('')
    opener.open(seal('a', 'pw'), 'v')
    opener.open(seal('b', 'pw'), 'v')
    expect(readFileSync(log, 'utf8')).toBe('x')
  })
  it('of the vault’s own id are tried first, then the others; not those with vault_id_match', () => {
    const passwords = [givenPassword('dev', secret('one')), givenPassword('prod', secret('two'))]
    const armored = seal('x', 'one', 'prod')
    expect(createVaultOpener(passwords).open(armored, 'v').plain.toString()).toBe('x')
    expect(saidBy(() => createVaultOpener(passwords, { isMatched: true }).open(armored, 'v'))).toBe(
      'E_VAULT Decryption failed (no vault secrets were found that could decrypt) on v (vault id prod); tried prod@prompt',
    )
    const other = seal('x', 'one', 'qa')
    expect(saidBy(() => createVaultOpener(passwords, { isMatched: true }).open(other, 'v'))).toContain(
      'no password has that id',
    )
    const without = (at?: { file: string; line: number; col: number }) =>
      saidBy(() => createVaultOpener([]).open(other, 'v', at))
    expect(without()).toContain('E_VAULT A vault password or secret must be specified to decrypt v')
    expect(without({ file: 'v', line: 1, col: 1 })).toContain(
      'Attempting to decrypt but no vault secrets found',
    )
  })
  it.each([
    ['missing', () => join(folder, 'nowhere'), 'there is no such file'],
    ['empty', () => file('empty', '\n'), 'it is empty'],
    ['a failing script', () => file('failing', '#!/bin/sh\nexit 3\n', 0o700), 'ended with 3'],
    ['itself a vault', () => file('vaulted', seal('x', 'y')), 'must be specified to decrypt'],
  ])('that are %s are refused', (_, path, said) => {
    expect(saidBy(() => filePassword('default', path()).read())).toContain(said)
  })
  it('that are themselves in a vault are opened with those before them', () => {
    const outer = givenPassword('default', secret('outer'))
    const inner = filePassword('default', file('inner', seal('inner\n', 'outer')), [outer])
    expect(createVaultOpener([inner]).open(seal('x', 'inner'), 'v').plain.toString()).toBe('x')
  })
  it('that cannot be read are warned of when another one is right, and an error when none is', () => {
    const lost = filePassword('default', join(folder, 'nowhere'))
    const heard: string[] = []
    const open = (passwords: readonly VaultPassword[]) =>
      createVaultOpener(passwords, { warn: error => heard.push(error.message) }).open(seal('x', 'one'), 'v')
    expect(open([lost, givenPassword('default', secret('one'))]).plain.toString()).toBe('x')
    expect(heard).toEqual([expect.stringContaining('there is no such file')])
    expect(saidBy(() => open([lost]))).toContain('there is no such file')
    expect(heard.length).toBe(1)
  })
  it('are named LABEL@SOURCE', () => {
    expect(parseVaultId('prod@a@b', 'default')).toEqual({ label: 'prod', source: 'a@b' })
    expect(parseVaultId('file', 'default')).toEqual({ label: 'default', source: 'file' })
  })
})

const hasAnsible = spawnSync('ansible-vault', ['--version']).status === 0
if (!hasAnsible && process.env['CI']) throw new Error('ansible-core is not installed')
if (!hasAnsible) console.log('skipped: ansible-core is not installed')

describe.skipIf(!hasAnsible)('against ansible-vault', () => {
  const texts = ['', 'x', 'exactly sixteen!', 'grüße ☂\n', 'two\nlines\n', 'long '.repeat(500)]
  it('opens what it made, with and without an id', () => {
    const password = file('their-pw', 'pässword\n')
    for (const [index, text] of texts.entries()) {
      const path = file(`theirs-${index}`, text)
      const id = index % 2 === 0 ? `prod@${password}` : password
      const ran = spawnSync('ansible-vault', ['encrypt', '--vault-id', id, path], { encoding: 'utf8' })
      expect(ran.stderr).toBe('')
      const armored = readFileSync(path, 'utf8')
      expect(decryptVault(armored, secret('pässword'), path)?.toString()).toBe(text)
      expect(parseVaultHeader(armored, path).label).toBe(index % 2 === 0 ? 'prod' : undefined)
    }
  })
  it('makes what it opens', () => {
    const password = file('our-pw', 'pässword\n')
    for (const [index, text] of texts.entries()) {
      const path = file(`ours-${index}`, seal(text, 'pässword', index % 2 === 0 ? 'prod' : undefined))
      const ran = spawnSync('ansible-vault', ['view', '--vault-id', `prod@${password}`, path], {
        encoding: 'utf8',
        env: { ...process.env, PAGER: 'cat' },
      })
      expect(ran.stdout.replace(/\n$/, '')).toBe(text.replace(/\n$/, ''))
    }
  })
})
