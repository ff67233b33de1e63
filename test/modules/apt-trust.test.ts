// apt_key and deb822_repository: gpg says whether the keys are read right, the real apt whether it trusts what it should.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aptKey } from '../../src/modules/apt-key.ts'
import { deb822Repository } from '../../src/modules/deb822-repository.ts'
import { parseArmor, parseKeyId, parseKeyring } from '../../src/modules/openpgp.ts'
import { makeTarget } from '../support/target.ts'
import { apply, asState, shells, withDefaults } from './harness.ts'
import { live, look } from './lifecycle.ts'
import { hasProgram, hasSandbox, useSandbox } from './sandbox.ts'

const tools = ['apt-get', 'gpg'].filter(name => !hasProgram(name))
if (tools.length > 0) {
  if (process.env['CI']) throw new Error(`missing: ${tools.join(', ')}`)
  console.log(`skipped: not installed: ${tools.join(', ')}`)
}

const folder = mkdtempSync(join(tmpdir(), 'rota-gpg-'))
const home = join(folder, 'home')
const gpg = (...words: string[]): Buffer =>
  execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--passphrase', '', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
/** Fingerprints by gpg itself, in order, subkeys too. */
const fingerprints = (...from: string[]): string[] =>
  gpg('--with-colons', ...from)
    .toString()
    .split('\n')
    .filter(line => line.startsWith('fpr:'))
    .map(line => line.split(':')[9]!)

let one = ''
let two = ''
let armored = ''
let binary: Buffer
let server: Server
let url = ''
beforeAll(async () => {
  if (tools.length > 0) return
  mkdirSync(home, { mode: 0o700 })
  for (const name of ['one', 'two']) gpg('--quick-gen-key', `${name} <${name}@example.org>`, 'ed25519')
  ;[one, two] = fingerprints('--list-keys') as [string, string]
  gpg('--quick-add-key', one, 'cv25519', 'encrypt')
  armored = gpg('--armor', '--export', one).toString()
  binary = gpg('--export', two)
  server = createServer((request, response) => {
    const found =
      request.url === '/two.gpg' ? binary : request.url?.includes(`0x${one}`) ? armored : undefined
    response.writeHead(found === undefined ? 404 : 200).end(found)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server?.close()
  execFileSync('sh', ['-c', 'gpgconf --homedir "$1" --kill all 2>/dev/null || :', 'sh', home])
  rmSync(folder, { recursive: true })
})

describe.skipIf(tools.length > 0)('keyrings', () => {
  it('are read as gpg reads them', () => {
    const all = gpg('--export')
    const mine = parseKeyring(all)!
    expect(mine.flatMap(key => key.fingerprints)).toEqual(fingerprints('--list-keys'))
    expect(Buffer.concat(mine.map(key => key.bytes)).equals(all)).toBe(true)
    expect(parseKeyring(Buffer.from(gpg('--armor', '--export')))).toEqual(mine)
    for (const name of ['debian-archive-keyring.gpg', 'debian-archive-removed-keys.gpg']) {
      const path = `/usr/share/keyrings/${name}`
      const theirs = fingerprints('--show-keys', path)
      expect(parseKeyring(readFileSync(path))!.flatMap(key => key.fingerprints)).toEqual(theirs)
    }
  })

  it('that are none, or cut short, are not taken for one', () => {
    const whole = parseArmor(Buffer.from(armored))
    for (let size = 1; size < whole.length; size++) {
      const keys = parseKeyring(whole.subarray(0, size))
      if (keys !== undefined) expect(keys[0]!.fingerprints[0]).toBe(one)
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
        const keys = parseKeyring(Buffer.from(bytes))
        if (keys !== undefined && keys.length > 0)
          expect(Buffer.concat(keys.map(key => key.bytes)).equals(Buffer.from(bytes))).toBe(true)
      }),
    )
    expect(['0x9dc85822', '9DC8 5822 9FC7 DD38', 'xyz', '123'].map(parseKeyId)).toEqual([
      '9DC85822',
      '9DC858229FC7DD38',
      undefined,
      undefined,
    ])
  })
})

const setUp = `rm -rf /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d/* /etc/apt/sources.list* /etc/apt/keyrings; mkdir /etc/apt/sources.list.d
mkdir -p /var/repo; cd /var/repo; : >Packages; rm -rf /var/lib/apt/lists/*; chmod 755 /var/repo; cd /`
const world =
  'cd /etc/apt; find . -type f | sort | while read -r f; do stat -c "%n %a" "$f"; sha256sum "$f"; done'

describe.skipIf(!hasSandbox || tools.length > 0).each(Object.keys(shells))('apt’s keys under %s', shell => {
  const { session } = useSandbox(shell, { setUp })
  const base = () => ({ session: session(), world })

  it('apt_key', async () => {
    const done = await live({ ...base(), module: aptKey, args: { data: armored, id: one }, keep: true })
    expect(done.world).toContain(`./trusted.gpg.d/${one.slice(-16)}.gpg 644`)
    expect(done.result).toMatchObject({ id: one, key_id: one, fp: one })
    // What a shell can do differently has been seen by now.
    if (shell !== 'dash') return
    await live({ ...base(), module: aptKey, args: { id: `0x${one.slice(-8)}` }, changed: false })
    await live({ ...base(), module: aptKey, args: { url: `${url}/two.gpg` } })
    await live({ ...base(), module: aptKey, args: { keyserver: url, id: one }, changed: false })
    const ring = { keyring: '/etc/apt/trusted.gpg.d/all.gpg' }
    for (const from of [{ url: `${url}/two.gpg` }, { keyserver: url, id: one }])
      await live({ ...base(), module: aptKey, args: { ...from, ...ring }, keep: true })
    await look(session(), `printf '%s' '${armored}' >/root/key`)
    await live({ ...base(), module: aptKey, args: { file: '/root/key' }, changed: false })
    const gone = await live({ ...base(), module: aptKey, args: { state: 'absent', id: one }, keep: true })
    expect(gone.world).not.toContain(one.slice(-16))
    expect(parseKeyring(Buffer.from(await look(session(), `base64 ${ring.keyring}`), 'base64'))).toEqual(
      parseKeyring(binary),
    )
    await live({ ...base(), module: aptKey, args: { state: 'absent', id: two }, keep: true })
    await live({ ...base(), module: aptKey, args: { state: 'absent', id: two }, changed: false })
    const t = makeTarget({ session: session() })
    await expect(apply(t, aptKey, { data: 'hello' })).rejects.toThrow(/no public key/)
    await expect(apply(t, aptKey, { data: armored, id: two })).rejects.toThrow(/it is not/)
    await expect(apply(t, aptKey, { id: two })).rejects.toThrow(/nothing says where it comes from/)
    await expect(apply(t, aptKey, { id: 'x y' })).rejects.toThrow(/invalid key id/)
  })

  it('deb822_repository', async () => {
    const source = { name: 'My_Repo (x)', uris: ['file:/var/repo'], suites: ['./'] }
    const done = await live({
      ...base(),
      module: deb822Repository,
      args: {
        ...source,
        enabled: false,
        by_hash: true,
        signed_by: `${url}/two.gpg`,
        types: ['deb', 'deb-src'],
      },
      keep: true,
    })
    expect(done.world).toMatch(/keyrings\/my-repo-x.gpg 644[\s\S]*sources.list.d\/my-repo-x.sources 644/)
    expect(done.result['repo']).toBe(
      'By-Hash: yes\nEnabled: no\nX-Repolib-Name: My_Repo (x)\nSigned-By: /etc/apt/keyrings/my-repo-x.gpg\nSuites: ./\nTypes: deb deb-src\nURIs: file:/var/repo\n',
    )
    await live({ ...base(), module: deb822Repository, args: { ...source, state: 'absent' } })
    const t = makeTarget({ session: session() })
    const refused = (args: object) => expect(apply(t, deb822Repository, { ...source, ...args })).rejects
    await refused({ suites: ['bookworm'] }).toThrow(/needs components/)
    await refused({ signed_by: 'hello' }).toThrow(/neither URL/)
    await refused({ name: '()' }).toThrow(/no name for a file/)
    await refused({ inrelease_path: 'a\nTrusted: yes' }).toThrow(/line end/)
  })
})

describe.skipIf(!hasSandbox || tools.length > 0)('apt itself', () => {
  const { session } = useSandbox('dash', { setUp })
  it('trusts the key of the source and no other', { timeout: 30_000 }, async () => {
    const packages = createHashes('')
    const release = join(folder, 'Release')
    writeFileSync(release, `Date: ${new Date().toUTCString()}\nSHA256:\n ${packages}\n`)
    gpg('--default-key', one, '--clearsign', '--output', join(folder, 'InRelease'), release)
    await look(session(), `printf %s '${readFileSync(join(folder, 'InRelease'))}' >/var/repo/InRelease`)
    const update = () =>
      look(session(), 'apt-get -o APT::Sandbox::User=root update -q 2>&1 </dev/null; echo "exit $?"')
    const t = makeTarget({ session: session() })
    const source = { name: 'repo', uris: ['file:/var/repo'], suites: ['./'] }
    await apply(t, deb822Repository, { ...source, signed_by: `${url}/two.gpg` })
    expect(await update()).toMatch(/NO_PUBKEY|not signed/)
    await apply(t, deb822Repository, { ...source, signed_by: armored })
    const trusted = await update()
    expect(trusted).toMatch(/exit 0\n$/)
    expect(trusted).not.toMatch(/NO_PUBKEY|not signed|^[EW]:/m)
    // Without a key of its own apt looks among those that apt_key keeps.
    await apply(t, deb822Repository, source)
    expect(await update()).toMatch(/NO_PUBKEY|not signed/)
    await apply(t, aptKey, { data: armored })
    expect(await update()).not.toMatch(/NO_PUBKEY|not signed|^[EW]:/m)
  })
})

/** The line of a release file for an empty Packages. */
function createHashes(text: string): string {
  const sum = execFileSync('sha256sum', { input: text }).toString().split(' ')[0]
  return `${sum} ${text.length} Packages`
}

it('deb822_repository renders the same again, whatever the fields hold', async () => {
  const word = fc.stringMatching(/^[a-z0-9./:-]{1,12}$/)
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        uris: fc.array(word, { minLength: 1 }),
        enabled: fc.boolean(),
        components: fc.array(word),
      }),
      async fields => {
        const { prepare, want, result } = asState(deb822Repository)
        const args = withDefaults(deb822Repository, { name: 'x', suites: ['s'], ...fields })
        const input = await prepare!(makeTarget({ session: undefined as never }), args)
        const terms = {
          follow: true,
          content: 'plain',
          real: '/x',
          found: 'absent',
          missing: 0,
          showKey: 'k',
        }
        const file = { path: '/x', kind: 'absent', terms: { ...terms, digest: false, times: false } }
        const after = want(input, { files: [file] } as never)
        expect(want(input, after)).toEqual(after)
        const { repo } = result!(input, after, after) as { repo: string }
        expect(repo).toContain(`URIs: ${fields.uris.join(' ')}\n`)
      },
    ),
    { numRuns: 30 },
  )
})
