// The migration of BACKUP_ENCRYPTION_KEY as a user runs it, judged with age itself: by what opens with which key.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { repository } from '../../demo/panel-host.ts'
import { loginVariables } from '../../demo/site.ts'
import { hasProgram } from '../modules/sandbox.ts'
import { type EmbeddedHost, generateKey, startEmbeddedHost } from '../support/embedded-host.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 })
const hasAge = hasProgram('age')
if (!hasAge && process.env['CI']) throw new Error('age is not installed')
if (!hasAge) console.log('skipped: age is not installed')

/** What rota prints when the whole program is killed; the kills of a single file's writing are in test/modules/age-kills.test.ts. */
const moments = [
  'PHASE change',
  'PHASE converge',
  'PHASE verify',
  'PHASE committed',
  'TASK [Migrate a backup]',
]
const playbook = 'playbooks/rotate-backup-encryption-key.yml'
const backupScript = /```sh\n(#!\/bin\/sh\n[\s\S]*?)```/.exec(
  readFileSync(join(repository, 'docs', 'backup-key.md'), 'utf8'),
)![1]!

let folder: string
let panel: string
let host: EmbeddedHost
const operator = generateKey()
const backups = () => join(panel, 'backups')
const keyOf = (name: string): string | undefined =>
  new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(join(panel, '.env.production'), 'utf8'))?.[1]
const names = (): string[] => readdirSync(backups()).filter(name => name.endsWith('.age'))
/** What is in the backup, as age and tar see it. */
function openWith(name: string, key: string | undefined): string | undefined {
  const { status, stdout } = spawnSync('age', ['-d', '-i', '-', join(backups(), name)], { input: key ?? '' })
  if (status !== 0) return undefined
  return spawnSync('tar', ['-xOf', '-', 'data/users'], { input: stdout, encoding: 'utf8' }).stdout
}
const unreadable = (...keys: (string | undefined)[]): string[] =>
  names().filter(name => !keys.some(key => openWith(name, key) === 'alice\n'))
const backUp = (): void => void execFileSync('./backup.sh', { cwd: panel })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rota-backup-key-'))
  panel = join(folder, 'panel')
  mkdirSync(join(panel, 'data'), { recursive: true })
  writeFileSync(join(panel, 'data', 'users'), 'alice\n')
  const key = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  writeFileSync(
    join(panel, '.env.production'),
    `# keys\nBACKUP_ENCRYPTION_KEY=${key.trim().split('\n').at(-1)}\n`,
  )
  writeFileSync(join(panel, 'backup.sh'), backupScript)
  chmodSync(join(panel, 'backup.sh'), 0o755)
  for (let i = 0; i < 6; i++) backUp()
  host = await startEmbeddedHost({ authorizedKey: operator.public })
  const address = { ...host, user: 'root', key: operator.private }
  const variables = {
    ...loginVariables(folder, address),
    panel_become: false,
    panel_dir: panel,
    rota_host_folder: join(folder, 'host'),
  }
  writeFileSync(
    join(folder, 'hosts.yml'),
    JSON.stringify({ all: { children: { panel: { hosts: { h: variables } } } } }),
  )
})
afterEach(async () => {
  await host?.close()
  rmSync(folder, { recursive: true, force: true })
})

const start = (args: readonly string[]) =>
  spawn(process.execPath, [join(repository, 'dist', 'rota.mjs'), ...args], {
    cwd: repository,
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
async function rota(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = start(args)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += chunk
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
/** Kills rota as soon as it prints that, or a moment later. Resolves with how it ended. */
async function killAt(args: readonly string[], moment: string): Promise<string | number | null> {
  const child = start(args)
  let output = ''
  child.stdout.on('data', chunk => {
    const isKnown = output.includes(moment)
    output += chunk
    if (!isKnown && output.includes(moment)) setTimeout(() => child.kill('SIGKILL'), randomInt(30))
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return signal ?? code
}
const inventory = () => ['-i', join(folder, 'hosts.yml')]

describe.runIf(hasAge)('the key of the backups', () => {
  it.each(['scheduled', 'key-compromise'])(
    'for reason %s: every backup changes over, then the old key goes',
    async reason => {
      const old = keyOf('BACKUP_ENCRYPTION_KEY')
      const check = await rota('run', playbook, ...inventory(), '--check')
      expect(check.output, check.output).not.toContain('AGE-SECRET-KEY')
      expect(check.code).toBe(0)
      expect(keyOf('BACKUP_ENCRYPTION_KEY')).toBe(old)

      const first = names()
      const before = new Map(first.map(name => [name, readFileSync(join(backups(), name))]))
      const { code, output } = await rota('run', playbook, ...inventory(), '--reason', reason)
      expect(code, output).toBe(0)
      expect(output).not.toContain('AGE-SECRET-KEY')
      const next = keyOf('BACKUP_ENCRYPTION_KEY')
      expect(next).toMatch(/^AGE-SECRET-KEY-1/)
      expect([keyOf('BACKUP_ENCRYPTION_KEY_PREVIOUS'), keyOf('BACKUP_ENCRYPTION_KEY_NEXT')]).toEqual([
        old,
        undefined,
      ])
      expect(names().length).toBe(first.length + 2)
      expect(unreadable(next)).toEqual([])
      expect(names().filter(name => openWith(name, old) !== undefined)).toEqual([])
      const tail = (bytes: Buffer) => bytes.subarray(-40).toString('hex')
      const kept = first.filter(name => tail(readFileSync(join(backups(), name))) === tail(before.get(name)!))
      expect(kept.length).toBe(reason === 'scheduled' ? first.length : 0)

      // A second migration has to wait for the first one's end.
      const second = await rota('run', playbook, ...inventory())
      expect([second.code, keyOf('BACKUP_ENCRYPTION_KEY')], second.output).toEqual([3, next])
      expect((await rota('status')).output).toContain('the previous BACKUP_ENCRYPTION_KEY counts until')

      // A backup comes back from elsewhere: it is migrated before the old key goes.
      writeFileSync(join(backups(), 'found.tar.age'), before.get(first[0]!)!)
      const end = await rota('finalise')
      expect(end.code, end.output).toBe(0)
      expect(unreadable(next)).toEqual([])
      expect(keyOf('BACKUP_ENCRYPTION_KEY_PREVIOUS')).toBeUndefined()
    },
  )

  it('destroys nothing while one backup opens only with the old key', async () => {
    const old = keyOf('BACKUP_ENCRYPTION_KEY')
    expect((await rota('run', playbook, ...inventory())).code).toBe(0)
    // Of an age that rota cannot migrate: sealed for a third key by somebody else.
    const other = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    execFileSync(
      'age',
      ['-e', '-i', '-', '-o', join(backups(), 'foreign.age'), join(panel, 'data', 'users')],
      { input: other },
    )
    const { code, output } = await rota('finalise')
    expect(code, output).toBe(6)
    expect(keyOf('BACKUP_ENCRYPTION_KEY_PREVIOUS')).toBe(old)
    rmSync(join(backups(), 'foreign.age'))
    expect((await rota('finalise')).code).toBe(0)
    expect(keyOf('BACKUP_ENCRYPTION_KEY_PREVIOUS')).toBeUndefined()
  })

  it('refuses a backup that the key does not open, and an application that ignores the key introduced', async () => {
    const old = keyOf('BACKUP_ENCRYPTION_KEY')
    writeFileSync(join(backups(), 'broken.age'), 'age-encryption.org/v1\nno')
    const refused = await rota('run', playbook, ...inventory())
    expect([refused.code, keyOf('BACKUP_ENCRYPTION_KEY')], refused.output).toEqual([3, old])
    rmSync(join(backups(), 'broken.age'), { force: true })

    writeFileSync(join(panel, 'backup.sh'), backupScript.replace('${BACKUP_ENCRYPTION_KEY_NEXT-}', ''))
    const undone = await rota('run', playbook, ...inventory())
    expect(undone.output).toContain('does not encrypt for the key introduced')
    expect([undone.code, keyOf('BACKUP_ENCRYPTION_KEY'), keyOf('BACKUP_ENCRYPTION_KEY_NEXT')]).toEqual([
      10,
      old,
      undefined,
    ])
    expect(unreadable(old)).toEqual([])
  })

  it('killed in every phase, it loses no backup and comes to its end', async () => {
    const old = keyOf('BACKUP_ENCRYPTION_KEY')
    const left = (): string[] => {
      const keys = ['', '_NEXT', '_PREVIOUS'].map(suffix => keyOf(`BACKUP_ENCRYPTION_KEY${suffix}`))
      return unreadable(old, ...keys)
    }
    let command = ['run', playbook, ...inventory(), '--reason', 'key-compromise']
    for (const moment of moments) {
      expect(await killAt(command, moment), `never came to ${moment}`).toBe('SIGKILL')
      expect(left(), moment).toEqual([])
      command = ['resume']
    }
    const end = await rota(...command)
    expect(end.code, end.output).toBe(0)
    expect(unreadable(keyOf('BACKUP_ENCRYPTION_KEY'))).toEqual([])
    expect(await killAt(['finalise'], 'PHASE finalise')).toBe('SIGKILL')
    expect(left()).toEqual([])
    expect((await rota('finalise')).code).toBe(0)
    expect(keyOf('BACKUP_ENCRYPTION_KEY_PREVIOUS')).toBeUndefined()
    expect(unreadable(keyOf('BACKUP_ENCRYPTION_KEY'))).toEqual([])
  })
})
