import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { isSameSecret } from '../../src/core/secret.ts'
import { configFolder, loadEvidenceKey, loadIdentity, parseRecipients } from '../../src/secrets/identity.ts'
import { hasAge } from './age.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-identity-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('makes the identity on first use, 0600 in 0700, and reads the same one after', async () => {
  const config = join(folder, 'rota')
  const first = await loadIdentity(config)
  const second = await loadIdentity(config)
  expect(isSameSecret(first.identity, second.identity)).toBe(true)
  expect(second.recipient).toBe(first.recipient)
  expect(statSync(first.file).mode & 0o777).toBe(0o600)
  expect(statSync(config).mode & 0o777).toBe(0o700)
  expect(readdirSync(config)).toEqual(['identity'])
})

it.skipIf(!hasAge)('writes a file that age-keygen reads, with the recipient it says', async () => {
  const own = await loadIdentity(folder)
  expect(execFileSync('age-keygen', ['-y', own.file], { encoding: 'utf8' }).trim()).toBe(own.recipient)
})

it('two first uses at once agree on one identity', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(folder)))
  expect(new Set(all.map(own => own.recipient)).size).toBe(1)
})

it('refuses an identity that others can read, and says the command', async () => {
  const own = await loadIdentity(folder)
  chmodSync(own.file, 0o644)
  await expect(loadIdentity(folder)).rejects.toMatchObject({
    code: 'E_FILE',
    hint: `chmod 600 ${own.file}`,
  })
})

it('refuses a file that holds no identity, without showing what it holds', async () => {
  const own = await loadIdentity(folder)
  const broken = readFileSync(own.file, 'utf8').trimEnd().slice(0, -1)
  writeFileSync(own.file, broken)
  const error = await loadIdentity(folder).catch(e => e)
  expect(error).toMatchObject({ code: 'E_SEAL' })
  expect(JSON.stringify([error.message, error.hint, error.cause])).not.toMatch(/SECRET-KEY-1[A-Z0-9]/)
})

it('keeps one evidence key of 32 bytes', async () => {
  const key = await loadEvidenceKey(folder)
  expect(key).toHaveLength(32)
  expect(await loadEvidenceKey(folder)).toEqual(key)
  writeFileSync(join(folder, 'evidence-key'), 'short')
  await expect(loadEvidenceKey(folder)).rejects.toMatchObject({ code: 'E_FILE' })
})

it('takes the own recipient first, each once, and names a wrong one', async () => {
  const { recipient } = await loadIdentity(folder)
  const other = (await loadIdentity(join(folder, 'b'))).recipient
  expect(parseRecipients(recipient, [other, ` ${recipient}`])).toEqual([recipient, other])
  expect(() => parseRecipients(recipient, ['age1nonsense'])).toThrow(/"age1nonsense" is not an age recipient/)
})

it('finds the config folder as XDG says', () => {
  expect(configFolder({ XDG_CONFIG_HOME: '/c', HOME: '/h' })).toBe('/c/rota')
  expect(configFolder({ XDG_CONFIG_HOME: 'relative', HOME: '/h' })).toBe('/h/.config/rota')
  expect(configFolder({ HOME: '/h' })).toBe('/h/.config/rota')
})
