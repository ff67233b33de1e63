import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/cli/config.ts'
import { parseConfigFile } from '../../src/cli/config-file.ts'
import { applyConfig, applyPlayDefaults } from '../../src/cli/config-flags.ts'
import { RotaError } from '../../src/core/error.ts'
import type { Playbook } from '../../src/core/play.ts'

const root = mkdtempSync(join(tmpdir(), 'rota-config-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
/** A folder of its own with an ansible.cfg. */
function folderWith(text: string): string {
  const folder = join(root, String(count++))
  mkdirSync(folder, { mode: 0o755 })
  writeFileSync(join(folder, 'ansible.cfg'), text)
  return folder
}
const valuesOf = (text: string, env: Record<string, string> = {}) => loadConfig(env, folderWith(text)).values
function problemOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof RotaError) return `${error.code} ${error.at?.line ?? '-'} ${error.message}`
    throw error
  }
  return 'no error'
}

describe('the ini file', () => {
  it('is read as Python’s configparser reads it', () => {
    const text = [
      '# a comment',
      '[defaults]',
      'Forks = 20 ; twenty',
      'remote_user: deploy',
      'roles_path = a:',
      '    b # no comment',
      '; another',
      '[ssh_connection]',
      'ssh_args = -o A=1;B',
    ].join('\n')
    expect(
      parseConfigFile(text, 'x').map(({ section, key, value, at }) => [section, key, value, at.line]),
    ).toEqual([
      ['defaults', 'forks', '20', 3],
      ['defaults', 'remote_user', 'deploy', 4],
      ['defaults', 'roles_path', 'a:\nb # no comment', 5],
      ['ssh_connection', 'ssh_args', '-o A=1;B', 9],
    ])
  })
  it.each([
    ['forks = 1', 'E_CONFIG 1 a setting stands before the first [section]'],
    ['[defaults]\nforks', 'E_CONFIG 2 this is neither a [section] nor a setting: forks'],
    [
      '[defaults]\nforks=1\nFORKS=2',
      'E_CONFIG 3 Duplicate option in [defaults]: forks stands in line 2 already',
    ],
  ])('says what is wrong in %j', (text, said) => {
    expect(problemOf(() => parseConfigFile(text, 'x'))).toBe(said)
  })
})

describe('the file in use', () => {
  it('is ANSIBLE_CONFIG, then the one here; one folder’s file is never mixed with another’s', () => {
    const given = folderWith('[defaults]\nforks = 3')
    const here = folderWith('[defaults]\nforks = 4\ntimeout = 5')
    const env = { ANSIBLE_CONFIG: join(given, 'ansible.cfg') }
    expect(loadConfig(env, here)).toMatchObject({ file: env.ANSIBLE_CONFIG, values: { forks: 3 } })
    expect(loadConfig(env, here).values.timeout).toBeUndefined()
    expect(loadConfig({ ANSIBLE_CONFIG: given }, here).values.forks).toBe(3)
    expect(loadConfig({}, here).values).toMatchObject({ forks: 4, timeout: 5 })
  })
  it('is not one that everyone could have put there', () => {
    const folder = folderWith('[defaults]\nforks = 3')
    chmodSync(folder, 0o777)
    const { values, warnings } = loadConfig({}, folder)
    expect(values.forks).toBeUndefined()
    expect(warnings[0]).toContain('everyone may write')
  })
})

describe('values', () => {
  it('of variables win over those of the file, but not when they are empty', () => {
    const text = '[defaults]\nforks = 3\nremote_user = a'
    expect(valuesOf(text, { ANSIBLE_FORKS: '7', ANSIBLE_REMOTE_USER: '' })).toMatchObject({
      forks: 7,
      remoteUser: 'a',
    })
  })
  it('have paths from the folder of the file, ~ and variables', () => {
    const folder = folderWith(
      '[defaults]\nroles_path = roles:~/r:/abs\nprivate_key_file = "keys/id"\ninventory = a,b',
    )
    const { values } = loadConfig({ ANSIBLE_VAULT_PASSWORD_FILE: 'pw' }, folder)
    expect(values.rolesPath).toEqual([join(folder, 'roles'), join(process.env['HOME'] ?? '', 'r'), '/abs'])
    expect(values.privateKeyFile).toBe(join(folder, 'keys/id'))
    expect(values.vaultPasswordFile).toBe(join(folder, 'pw'))
  })
  it('of inventory may be a list of hosts', () => {
    expect(valuesOf('', { ANSIBLE_INVENTORY: 'web1,web2,' }).inventory).toEqual(['web1,web2,'])
  })
  it.each([
    ['forks = many', 'this must be a whole number'],
    ['host_key_checking = perhaps', 'this must be true or false'],
    ['precedence = all_inventory', 'rota cannot follow'],
  ])('refuses %s by name', (line, said) => {
    const found = problemOf(() => valuesOf(`[defaults]\n${line}`))
    expect(found).toMatch(/^E_CONFIG 2 /)
    expect(found).toContain(said)
  })
  it('are noted for -v with where they stand, and so is what is not heeded', () => {
    const { file, notes, variableNotes } = loadConfig(
      { ANSIBLE_NOCOWS: '1' },
      folderWith('[defaults]\nforks = 3\nnocows = 1'),
    )
    expect(notes).toEqual([
      `Using ${file} as config file`,
      `[defaults] forks = 3 (${file}:2): taken`,
      `[defaults] nocows (${file}:3): not heeded`,
    ])
    expect(variableNotes).toEqual(['ANSIBLE_NOCOWS: not heeded'])
  })
})

describe('the configuration behind the flags', () => {
  it('gives way to a flag', () => {
    const values = valuesOf(
      '[defaults]\nforks = 3\nhost_key_checking = False\n[privilege_escalation]\nbecome = yes',
    )
    const flags = applyConfig({ forks: 9, limit: 'web' }, values)
    expect(flags).toMatchObject({ forks: 9, limit: 'web', become: true, acceptNewHostKeys: true })
  })
  it('gives plays the keywords that they do not have', () => {
    const play = { kind: 'play', hosts: 'all', strategy: 'linear' }
    const playbook = { file: 'x', plays: [play] } as unknown as Playbook
    const { plays } = applyPlayDefaults(playbook, { strategy: 'free', anyErrorsFatal: true })
    expect(plays[0]).toMatchObject({ strategy: 'linear', anyErrorsFatal: true })
  })
})

const hasAnsible = spawnSync('ansible-config', ['--version']).status === 0
if (!hasAnsible && process.env['CI']) throw new Error('ansible-core is not installed')
if (!hasAnsible) console.log('skipped: ansible-core is not installed')

describe.skipIf(!hasAnsible)('against ansible-config', () => {
  it('reads the same', () => {
    const folder = folderWith(
      [
        '[defaults]',
        'inventory = hosts.ini, other',
        'forks=12 ; a dozen',
        "remote_user = 'de ploy'",
        'private_key_file = ~/.ssh/key',
        'roles_path = roles:/x',
        'timeout : 33',
        'host_key_checking = no',
        'vault_identity_list = dev@a, prod@b',
        'gathering = explicit',
        'force_handlers = True',
        '[privilege_escalation]',
        'become = on',
        'become_method = su',
        '[tags]',
        'run = a, b',
      ].join('\n'),
    )
    for (const name of ['hosts.ini', 'other']) writeFileSync(join(folder, name), '')
    const dump = spawnSync('ansible-config', ['dump', '--only-changed', '--format', 'json'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, ANSIBLE_TIMEOUT: '44' },
    })
    const theirs = new Map<string, unknown>(
      JSON.parse(dump.stdout).map((each: { name: string; value: unknown }) => [each.name, each.value]),
    )
    const ours = loadConfig({ ANSIBLE_TIMEOUT: '44' }, folder).values
    const names = {
      inventory: 'DEFAULT_HOST_LIST',
      forks: 'DEFAULT_FORKS',
      remoteUser: 'DEFAULT_REMOTE_USER',
      privateKeyFile: 'DEFAULT_PRIVATE_KEY_FILE',
      rolesPath: 'DEFAULT_ROLES_PATH',
      timeout: 'DEFAULT_TIMEOUT',
      hostKeyChecking: 'HOST_KEY_CHECKING',
      vaultIdentityList: 'DEFAULT_VAULT_IDENTITY_LIST',
      gathering: 'DEFAULT_GATHERING',
      forceHandlers: 'DEFAULT_FORCE_HANDLERS',
      become: 'DEFAULT_BECOME',
      becomeMethod: 'DEFAULT_BECOME_METHOD',
      tags: 'TAGS_RUN',
    } as const
    const pairs = Object.entries(names) as [keyof typeof names, string][]
    expect(Object.fromEntries(pairs.map(([name]) => [name, ours[name]]))).toEqual(
      Object.fromEntries(pairs.map(([name, theirName]) => [name, theirs.get(theirName)])),
    )
  })
})
