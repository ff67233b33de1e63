import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import {
  decideHostKey,
  isAbout,
  keyFingerprint,
  knownName,
  loadKnownHosts,
  orderAlgorithms,
  parseKnownHosts,
  selectKnown,
  writeKnownHost,
} from '../../src/remote/known-hosts.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-known-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'known_hosts')

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
  console.warn('skipped: comparison with ssh-keygen: it is not installed')
}
function makeKey(type: string): string {
  const path = join(folder, `key-${type}-${Math.random()}`)
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', path])
  return readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
}
/** Line numbers that ssh-keygen finds. */
function keygenLines(name: string): number[] {
  try {
    const out = execFileSync('ssh-keygen', ['-F', name, '-f', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return [...out.matchAll(/found: line (\d+)/g)].map(match => Number(match[1]))
  } catch {
    return []
  }
}
const ourLines = (name: string): number[] =>
  loadKnownHosts([file]).flatMap(entry => (isAbout(entry, name) ? [entry.at.line] : []))

it.skipIf(!hasKeygen)('finds the lines that ssh-keygen -F finds', () => {
  const key = makeKey('ed25519')
  const names = fc.constantFrom(
    'a.example',
    'b.example',
    'A.Example',
    'web1',
    '10.0.0.1',
    'x-y.example',
    'example',
  )
  const ports = fc.constantFrom(22, 2222, 443)
  const host = fc.tuple(names, ports).map(([name, port]) => (port === 22 ? name : `[${name}]:${port}`))
  const pattern = fc.oneof(
    host,
    fc.constantFrom('*', '*.example', '?.example', '10.*', 'web?', '[*]:2222', '[*.example]:*', 'web[12]'),
  )
  const patterns = fc
    .array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 3 }), pattern), { minLength: 1, maxLength: 3 })
    .map(list => list.map(([, negate, text]) => (negate === 0 ? `!${text}` : text)).join(','))
  const line = fc.oneof(
    { weight: 6, arbitrary: patterns.map(text => `${text} ${key}`) },
    { weight: 1, arbitrary: patterns.map(text => `@revoked ${text} ${key} comment here`) },
    { weight: 1, arbitrary: patterns.map(text => `@cert-authority ${text} ${key}`) },
    { weight: 1, arbitrary: fc.constantFrom('', '# a comment', '   ') },
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), names, ports, (lines, name, port) => {
      writeFileSync(file, lines.map(text => `${text}\n`).join(''))
      const wanted = knownName(name, port)
      expect(ourLines(wanted)).toEqual(keygenLines(wanted))
    }),
    { numRuns: 60 },
  )
})

it.skipIf(!hasKeygen)('finds hashed names as ssh-keygen -H writes them', () => {
  const key = makeKey('ecdsa')
  const names = ['web1', 'a.example', '[web1]:2222', '10.0.0.1']
  writeFileSync(file, names.map(name => `${name} ${key}\n`).join(''))
  execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
  expect(readFileSync(file, 'utf8')).not.toContain('web1')
  expect(names.map(name => ourLines(name))).toEqual([[1], [2], [3], [4]])
  expect(ourLines('web2')).toEqual([])
})

it.skipIf(!hasKeygen)('shows fingerprints as ssh-keygen -l does', () => {
  for (const type of ['ed25519', 'rsa', 'ecdsa']) {
    const key = makeKey(type)
    const shown = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: key, encoding: 'utf8' })
    expect(shown).toContain(` ${keyFingerprint(key.split(' ')[1]!)} `)
  }
})

it.skipIf(!hasKeygen)('writes lines that ssh-keygen finds, also after a file without a last newline', () => {
  const [, key] = makeKey('ed25519').split(' ')
  writeFileSync(file, '# no newline')
  writeKnownHost(file, { name: 'New.Example', port: 22, isHashed: false }, key!)
  writeKnownHost(file, { name: 'new.example', port: 2222, isHashed: false }, key!)
  expect([keygenLines('new.example'), keygenLines('[new.example]:2222')]).toEqual([[2], [3]])
})

const wire = (type: string, rest: string): string => {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(type.length)
  return Buffer.concat([size, Buffer.from(type + rest)]).toString('base64')
}
const entries = (text: string) => parseKnownHosts(text, 'kh')

it('decides: known, new, changed, another type, revoked, without a certificate', () => {
  const [a, b, rsa] = [wire('ssh-ed25519', 'aaa'), wire('ssh-ed25519', 'bbb'), wire('ssh-rsa', 'rrr')]
  const decide = (text: string, key: string): string =>
    decideHostKey(selectKnown(entries(text), 'h', 22), key).kind
  expect(decide(`h ssh-ed25519 ${a}`, a)).toBe('known')
  expect(decide(`other ssh-ed25519 ${a}`, a)).toBe('new')
  expect(decide(`h ssh-ed25519 ${b}`, a)).toBe('changed')
  expect(decide(`h ssh-rsa ${rsa}`, a)).toBe('changed')
  expect(decide(`h ssh-ed25519 ${b}\nh ssh-ed25519 ${a}`, a)).toBe('known')
  expect(decide(`h ssh-ed25519 ${a}\n@revoked * ssh-ed25519 ${a}`, a)).toBe('revoked')
  expect(decide(`@cert-authority h ssh-ed25519 ${b}`, a)).toBe('uncertified')
})

it('a host on another port may be known by its bare name, unless it is known with the port', () => {
  const [a, b] = [wire('ssh-ed25519', 'aaa'), wire('ssh-ed25519', 'bbb')]
  const lines = (text: string): number[] => selectKnown(entries(text), 'h', 2222).map(entry => entry.at.line)
  expect(lines(`h ssh-ed25519 ${a}`)).toEqual([1])
  expect(lines(`h ssh-ed25519 ${a}\n[h]:2222 ssh-ed25519 ${b}`)).toEqual([2])
})

it('asks first for the types that are known', () => {
  const known = entries(`h ssh-rsa ${wire('ssh-rsa', 'x')}`)
  expect(orderAlgorithms(['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'], known)).toEqual([
    'rsa-sha2-512',
    'rsa-sha2-256',
    'ssh-ed25519',
  ])
})

it('never throws and never finds a key in noise', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), noise => {
      for (const entry of entries(noise)) isAbout(entry, 'h')
    }),
  )
})
