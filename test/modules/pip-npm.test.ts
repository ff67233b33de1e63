// pip with wheels made here, npm with packages made here: no index and no registry is asked.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { npm } from '../../src/modules/npm.ts'
import { pip } from '../../src/modules/pip.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget, type TargetOptions } from '../support/target.ts'
import { act } from './harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-packages-'))
const python = '/usr/bin/python3'
const hasPip = spawnSync(python, ['-c', 'import venv, ensurepip']).status === 0
if (!hasPip) {
  if (process.env['CI']) throw new Error('python3-venv is missing')
  console.log('skipped: python3-venv is not installed')
}
let session: Session
beforeAll(async () => {
  // Whoever runs the tests by npm hands its settings down, and with them how quiet npm is.
  for (const name of Object.keys(process.env)) if (/^npm_/i.test(name)) delete process.env[name]
  session = await openLocalSession({ shell: ['/bin/dash'] })
  for (const version of ['1.0', '2.0']) makeWheel('rota-a', version)
  makeWheel('rota_b', '1.0')
  for (const version of ['1.0.0', '2.0.0']) makePackage('rota-x', version)
})
afterAll(async () => {
  await session.close()
  rmSync(folder, { recursive: true })
})
const target = (options: Partial<TargetOptions> = {}) => makeTarget({ session, ...options })

/** A wheel is a zip with a few files in it (PEP 427). */
function makeWheel(name: string, version: string): void {
  const bare = name.replaceAll('-', '_')
  const script = `import sys, zipfile
name, version, path = sys.argv[1:]
info = f"{name}-{version}.dist-info"
with zipfile.ZipFile(path, "w") as z:
  z.writestr(f"{name}.py", f"version = '{version}'")
  z.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
  z.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
  z.writestr(f"{info}/RECORD", "")`
  const path = join(folder, `${bare}-${version}-py3-none-any.whl`)
  execFileSync(python, ['-c', script, bare, version, path])
}
function makePackage(name: string, version: string): void {
  const at = join(folder, `${name}-${version}`)
  mkdirSync(at)
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name, version }))
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: at, stdio: 'pipe' })
}

describe.skipIf(!hasPip)('pip', () => {
  const virtualenv = join(folder, 'v env')
  const base = {
    virtualenv,
    virtualenv_command: `${python} -m venv`,
    extra_args: `--no-index --find-links '${folder}'`,
  }
  const run = (args: object, check = false) => act(target({ check }), pip, { ...base, ...args })
  const version = (name: string): string =>
    execFileSync(join(virtualenv, 'bin/python'), ['-c', `import ${name}; print(${name}.version)`])
      .toString()
      .trim()

  it('makes the environment, installs, upgrades, removes', { timeout: 120_000 }, async () => {
    expect((await run({ name: ['rota-a==1.0'] }, true)).changed).toBe(true)
    expect(existsSync(virtualenv)).toBe(false)
    expect(await run({ name: ['rota-a==1.0'] })).toMatchObject({
      changed: true,
      values: { name: ['rota-a==1.0'] },
    })
    expect(version('rota_a')).toBe('1.0')
    expect((await run({ name: ['Rota.A', 'rota_b'] }, true)).changed).toBe(true)
    // One text with a comma comes as two: the second one is a condition of the first.
    expect((await run({ name: ['rota-a>=1', '<2'] }, true)).changed).toBe(false)
    expect((await run({ name: ['rota-a'], state: 'latest' })).changed).toBe(true)
    expect(version('rota_a')).toBe('2.0')
    const absent = { name: ['ROTA_A'], state: 'absent', extra_args: '' }
    expect((await run(absent, true)).changed).toBe(true)
    expect((await run(absent)).changed).toBe(true)
    expect((await run(absent, true)).changed).toBe(false)
  })

  it('takes requirements, and says what pip says', { timeout: 60_000 }, async () => {
    writeFileSync(join(folder, 'requirements.txt'), 'rota-a<2\nrota_b\n')
    const requirements = { requirements: 'requirements.txt', chdir: folder }
    expect((await run(requirements)).changed).toBe(true)
    expect(version('rota_a')).toBe('1.0')
    expect((await run(requirements, true)).changed).toBe(false)
    expect(await run({ name: ['no-such-package'] })).toMatchObject({
      failed: true,
      changed: false,
      msg: expect.stringContaining('no-such-package'),
    })
    await expect(run({ name: ['-r', 'x'] })).rejects.toMatchObject({ code: 'E_PARAMS' })
    await expect(run({ name: ['a', 'b'], version: '1' })).rejects.toMatchObject({ code: 'E_PARAMS' })
    const none = { virtualenv: undefined, virtualenv_command: undefined, executable: '/nonexistent/pip' }
    await expect(run({ ...none, name: ['x'] })).rejects.toThrow(/there is no pip/)
  })
})

describe('npm', () => {
  const path = join(folder, 'project')
  const tarball = (version: string) => join(folder, `rota-x-${version}.tgz`)
  const run = (args: object, check = false) =>
    act(target({ check }), npm, { path, registry: 'http://127.0.0.1:1', ...args })
  const version = (): string =>
    execFileSync('node', ['-p', 'require("rota-x/package.json").version'], { cwd: path, stdio: 'pipe' })
      .toString()
      .trim()

  it('installs a package and removes it', { timeout: 120_000 }, async () => {
    expect((await run({ name: tarball('1.0.0') }, true)).changed).toBe(true)
    expect(existsSync(path)).toBe(false)
    expect((await run({ name: tarball('1.0.0') })).changed).toBe(true)
    expect(version()).toBe('1.0.0')
    expect((await run({ name: tarball('1.0.0') })).changed).toBe(false)
    expect((await run({ name: 'rota-x', version: '2.0.0' }, true)).changed).toBe(true)
    expect((await run({ name: tarball('2.0.0') })).changed).toBe(true)
    expect(version()).toBe('2.0.0')
    expect((await run({ name: 'rota-x', state: 'absent' })).changed).toBe(true)
    expect(() => version()).toThrow()
    expect((await run({ name: 'rota-x', state: 'absent' })).changed).toBe(false)
  })

  it('installs what package.json names, and by the lock file', { timeout: 120_000 }, async () => {
    writeFileSync(
      join(path, 'package.json'),
      JSON.stringify({ dependencies: { 'rota-x': `file:${tarball('1.0.0')}` } }),
    )
    expect((await run({ ignore_scripts: true, production: true })).changed).toBe(true)
    expect(version()).toBe('1.0.0')
    expect((await run({})).changed).toBe(false)
    rmSync(join(path, 'node_modules'), { recursive: true })
    expect((await run({ ci: true })).changed).toBe(true)
    expect(version()).toBe('1.0.0')
  })

  it('says what is wrong', { timeout: 60_000 }, async () => {
    const failed = await run({ name: join(folder, 'none.tgz') })
    expect(failed).toMatchObject({ failed: true, msg: expect.stringMatching(/npm install: .*(ENOENT|none)/) })
    await expect(run({ path: undefined })).rejects.toMatchObject({ code: 'E_PARAMS' })
    await expect(run({ ci: true, name: 'x' })).rejects.toMatchObject({ code: 'E_PARAMS' })
    await expect(run({ executable: '/nonexistent/npm' })).rejects.toThrow(
      /Failed to find required executable/,
    )
  })
})
