import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { rota } from './rota.ts'

const root = mkdtempSync(join(tmpdir(), 'rota-cli-vault-'))
afterAll(() => rmSync(root, { recursive: true }))
let folder = ''
let count = 0
beforeEach(() => {
  folder = join(root, String(count++))
  put('pw', 'hunter2\n')
  put('pw2', 'hunter3\n')
})
function put(name: string, text: string, mode = 0o644): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode })
  return path
}
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
const vault = (args: readonly string[], options: Parameters<typeof rota>[2] = {}) =>
  rota(folder, ['vault', ...args], options)
const withPassword = ['--vault-password-file', 'pw']

describe('rota vault', () => {
  it('encrypts in place for the owner alone, views, rekeys and decrypts', () => {
    put('f.yml', 'token: abc\n')
    expect(vault(['encrypt', 'f.yml', ...withPassword])).toMatchObject({ exit: 0, stdout: '' })
    expect(read('f.yml')).toMatch(/^\$ANSIBLE_VAULT;1\.1;AES256\n/)
    expect(statSync(join(folder, 'f.yml')).mode & 0o777).toBe(0o600)
    expect(vault(['view', 'f.yml', ...withPassword]).stdout).toBe('token: abc\n')
    expect(vault(['rekey', 'f.yml', ...withPassword, '--new-vault-id', 'prod@pw2']).exit).toBe(0)
    expect(read('f.yml')).toMatch(/;prod\n/)
    const wrong = vault(['decrypt', 'f.yml', ...withPassword])
    expect(wrong).toMatchObject({ exit: 1, stdout: '' })
    expect(wrong.stderr).toContain(
      'ERROR! Decryption failed (no vault secrets were found that could decrypt) on f.yml (vault id prod)',
    )
    expect(vault(['decrypt', 'f.yml', '--vault-id', 'prod@pw2']).exit).toBe(0)
    expect(read('f.yml')).toBe('token: abc\n')
  })
  it('leaves every file as it was when one of several cannot be rekeyed', () => {
    put('a', 'a')
    put('b', 'b')
    vault(['encrypt', 'a', ...withPassword])
    vault(['encrypt', 'b', '--vault-password-file', 'pw2'])
    const before = [read('a'), read('b')]
    expect(vault(['rekey', 'a', 'b', ...withPassword, '--new-vault-password-file', 'pw2']).exit).toBe(1)
    expect([read('a'), read('b')]).toEqual(before)
  })
  it('reads stdin and writes stdout', () => {
    const armored = vault(['encrypt', ...withPassword], { input: 'by pipe\n' }).stdout
    expect(vault(['decrypt', '-', ...withPassword], { input: armored }).stdout).toBe('by pipe\n')
    put('f', 'x')
    expect(vault(['encrypt', 'f', '--output', '-', ...withPassword]).stdout).toMatch(/^\$ANSIBLE_VAULT/)
    expect(read('f')).toBe('x')
  })
  it('edits in a folder of its own, in memory, that is gone afterwards, and keeps the vault id', () => {
    put('f', 'old')
    vault(['encrypt', 'f', '--vault-id', 'prod@pw'])
    const editor = put(
      'editor',
      `#!/bin/sh\ndirname "$1" > where; stat -c %a "$1" >> where; printf new > "$1"\n`,
      0o755,
    )
    expect(vault(['edit', 'f', '--vault-id', 'prod@pw'], { env: { EDITOR: editor } }).exit).toBe(0)
    expect(read('f')).toMatch(/;prod\n/)
    expect(vault(['view', 'f', ...withPassword]).stdout).toBe('new')
    const [where = '', mode] = read('where').split('\n')
    expect(mode).toBe('600')
    expect(() => statSync(where)).toThrow('ENOENT')
  })
  it('changes nothing when the editor fails or nothing was edited', () => {
    put('f', 'old')
    vault(['encrypt', 'f', ...withPassword])
    const before = read('f')
    expect(vault(['edit', 'f', ...withPassword], { env: { EDITOR: 'false' } })).toMatchObject({ exit: 65 })
    expect(vault(['edit', 'f', ...withPassword], { env: { EDITOR: 'true' } })).toMatchObject({ exit: 0 })
    expect(read('f')).toBe(before)
    expect(readdirSync(folder).sort()).toEqual(['f', 'pw', 'pw2'])
  })
  it('creates with the editor, and not over a file', () => {
    const editor = put('editor', '#!/bin/sh\nprintf made > "$1"\n', 0o755)
    expect(vault(['create', 'f', ...withPassword], { env: { EDITOR: editor } }).exit).toBe(0)
    expect(vault(['view', 'f', ...withPassword]).stdout).toBe('made')
    expect(vault(['create', 'f', ...withPassword], { env: { EDITOR: editor } }).stderr).toContain('f exists')
  })
  it('says which id to encrypt with when there are several', () => {
    put('f', 'x')
    const both = ['--vault-id', 'dev@pw', '--vault-id', 'prod@pw2']
    expect(vault(['encrypt', 'f', ...both])).toMatchObject({ exit: 64 })
    expect(vault(['encrypt', 'f', ...both, '--encrypt-vault-id', 'prod']).exit).toBe(0)
    expect(read('f')).toMatch(/;prod\n/)
    expect(vault(['encrypt', 'f', ...both, '--encrypt-vault-id', 'prod']).stderr).toContain(
      'is a vault already',
    )
    const same = ['--vault-id', 'pw', '--vault-id', 'pw2']
    expect(
      vault(['rekey', 'f', ...both, '--new-vault-id', 'dev@pw', '--encrypt-vault-id', 'qa']),
    ).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining(
        "Did not find a match for --encrypt-vault-id=qa in the known vault-ids ['dev']",
      ),
    })
    expect(vault(['encrypt_string', 'x', ...same]).stderr).toContain(
      'The vault-ids default,default are available',
    )
    const one = vault([
      'encrypt_string',
      '--stdin-name',
      's',
      '--vault-id',
      'lost@nowhere',
      '--vault-id',
      'dev@pw',
    ])
    expect(one).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('[WARNING]: Error getting vault password file'),
    })
    expect(one.stdout).toContain(';dev\n')
  })
  it('makes YAML of strings, and warns of those on the command line', () => {
    const made = vault(['encrypt_string', 'one', 'two', '-n', 'a', '-n', 'b', ...withPassword])
    expect(made.stderr).toContain('history')
    put(
      'vars.yml',
      `${made.stdout}${vault(['encrypt_string', '--stdin-name', 'c', ...withPassword], { input: 'three' }).stdout}`,
    )
    put(
      'play.yml',
      '- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: { dest: "{{ playbook_dir }}/out", content: \'{{ a }}-{{ b }}-{{ c }}\' }\n',
    )
    const ran = rota(folder, [
      'run',
      '-i',
      'localhost,',
      '-c',
      'local',
      'play.yml',
      '-e',
      '@vars.yml',
      ...withPassword,
    ])
    expect(ran).toMatchObject({ exit: 0 })
    expect(read('out')).toBe('one-two-three')
  })
  it('never waits for an answer that nobody can give', () => {
    put('f', 'x')
    const said = vault(['encrypt', 'f'])
    expect(said).toMatchObject({ exit: 64 })
    expect(said.stderr).toContain('there is no terminal')
    expect(vault(['view', '--ask-vault-pass', 'f']).exit).toBe(1)
  })
})

describe('vaults in a run', () => {
  const VALUE = 'v4lue-of-the-vault'
  function site(): void {
    put('hosts', 'localhost ansible_connection=local\n')
    put('plain', `has ${VALUE} inside\n`)
    put(
      'group_vars/all/vault.yml',
      `db_password: ${VALUE}\nurl: "db://u:${VALUE}-literal@{{ inventory_hostname }}"\nansible_user: root\nbad: "{{ '${VALUE}' + 1 }}"\n`,
    )
    put('files/key.pem', `${VALUE}\nsecond line\n`)
    put('templates/app.conf.j2', `password={{ db_password }} of ${VALUE}\n`)
    vault(['encrypt', 'group_vars/all/vault.yml', 'files/key.pem', 'templates/app.conf.j2', ...withPassword])
    put(
      'play.yml',
      `- hosts: all
  gather_facts: false
  tasks:
    - debug: { msg: "it is {{ db_password }}" }
    - debug: { msg: "file is {{ lookup('file', 'files/key.pem') }}" }
    - debug: { msg: "url is {{ url }}", verbosity: 0 }
    - shell: "echo {{ db_password }}; echo {{ db_password }} | base64; cat {{ playbook_dir }}/plain"
    - shell: cat {{ playbook_dir }}/out-key
      ignore_errors: true
    - debug: { var: bad }
      ignore_errors: true
    - copy: { content: '{{ url }}', dest: '{{ playbook_dir }}/out-url' }
    - copy: { src: key.pem, dest: '{{ playbook_dir }}/out-key' }
    - copy: { src: key.pem, dest: '{{ playbook_dir }}/out-armored', decrypt: false }
    - template: { src: app.conf.j2, dest: '{{ playbook_dir }}/out-conf' }
`,
    )
  }
  it('are opened for variables, copy, template and lookups, and never shown', () => {
    site()
    const ran = rota(folder, ['run', '-i', 'hosts', 'play.yml', '-vvv', '--diff', ...withPassword])
    expect(`${ran.stdout}${ran.stderr}`).not.toContain(VALUE)
    expect(ran).toMatchObject({ exit: 0 })
    expect(read('out-key')).toBe(`${VALUE}\nsecond line\n`)
    expect(read('out-url')).toBe(`db://u:${VALUE}-literal@localhost`)
    expect(read('out-armored')).toMatch(/^\$ANSIBLE_VAULT/)
    expect(read('out-conf')).toBe(`password=${VALUE} of ${VALUE}\n`)
  })
  it('go through ping and a shuffle, and come back secret', () => {
    const armored = vault(['encrypt_string', '--stdin-name', 'word', ...withPassword], {
      input: VALUE,
    }).stdout
    put('word.yml', armored)
    put(
      'ping.yml',
      `- hosts: localhost
  gather_facts: false
  vars_files: [word.yml]
  tasks:
    - ping: { data: "{{ word }}" }
      register: answer
    - assert: { that: [answer.ping == word, "word | shuffle | sort == word | list | sort"] }
    - debug: { var: answer }
`,
    )
    const ran = rota(folder, ['run', '-i', 'localhost,', '-c', 'local', 'ping.yml', '-vvv', ...withPassword])
    expect(ran).toMatchObject({ exit: 0 })
    expect(`${ran.stdout}${ran.stderr}`).not.toContain(VALUE)
  })
  it('may be playbooks, tasks, roles and inventories as a whole: then nothing of what they do is shown', () => {
    put(
      'hosts.yml',
      `all: { hosts: { localhost: { ansible_connection: local, own: ${VALUE}-inventory } } }\n`,
    )
    put(
      'play.yml',
      `- hosts: all
  gather_facts: false
  vars: { mine: ${VALUE}-play }
  roles: [r]
  tasks:
    - debug: { msg: ${VALUE}-argument }
    - include_tasks: more.yml
    - copy: { dest: '{{ playbook_dir }}/out', content: '{{ mine }} {{ own }}' }
`,
    )
    put('more.yml', `- debug: { msg: ${VALUE}-included }\n`)
    put('roles/r/tasks/main.yml', `- debug: { msg: ${VALUE}-role }\n`)
    put('roles/r/defaults/main.yml', `theirs: ${VALUE}-default\n`)
    put('after.yml', '- hosts: all\n  gather_facts: false\n  tasks: [debug: { var: own }]\n')
    const all = ['hosts.yml', 'play.yml', 'more.yml', 'roles/r/tasks/main.yml', 'roles/r/defaults/main.yml']
    vault(['encrypt', ...all, ...withPassword])
    const ran = rota(folder, [
      'run',
      '-i',
      'hosts.yml',
      'play.yml',
      'after.yml',
      '-vvv',
      '--diff',
      ...withPassword,
    ])
    expect(`${ran.stdout}${ran.stderr}`).not.toContain(VALUE)
    expect(ran).toMatchObject({ exit: 0 })
    expect(read('out')).toBe(`${VALUE}-play ${VALUE}-inventory`)
  })
  it('may hold values that no password opens: whoever uses one is told, and a rotation is refused', () => {
    const value = vault(['encrypt_string', 'x', '--name', 'sealed', ...withPassword]).stdout
    const use = '    - debug: { msg: "{{ sealed }}" }\n      ignore_errors: true\n'
    const play = `- hosts: localhost\n  gather_facts: false\n  vars:\n${value.replace(/^/gm, '    ').trimEnd()}\n`
    put('sealed.yml', `${play}  tasks:\n    - debug: { msg: fine }\n${use}`)
    const ran = rota(folder, ['run', 'sealed.yml'])
    expect(ran.exit).toBe(0)
    expect(ran.stdout).toContain('"msg": "fine"')
    expect(ran.stdout).toContain('Attempting to decrypt but no vault secrets found')
    expect(ran.stdout).toMatch(/ok=2 .*ignored=1/)
    put(
      'rotates.yml',
      `${play}  rotation:\n    name: r\n    secrets: { A: { length: 32, current: x } }\n    change: [{ copy: { dest: x, content: y } }]\n    verify: [{ ping: {} }]\n`,
    )
    expect(rota(folder, ['run', 'rotates.yml']).stderr).toMatch(/\(E_VAULT\)/)
  })
  it('need a password, which ansible.cfg, a variable or a script may give', () => {
    site()
    const without = rota(folder, ['run', '-i', 'hosts', 'play.yml'])
    expect(without).toMatchObject({ exit: 1 })
    expect(without.stderr).toContain(
      'ERROR! Attempting to decrypt but no vault secrets found: a vault password or secret must be specified to decrypt group_vars/all/vault.yml',
    )
    const env = { ANSIBLE_VAULT_PASSWORD_FILE: 'pw' }
    expect(rota(folder, ['run', '-i', 'hosts', 'play.yml'], { env }).exit).toBe(0)
    put('ansible.cfg', '[defaults]\ninventory = hosts\nvault_identity_list = dev@pw2, prod@./get-client\n')
    put('get-client', '#!/bin/sh\n[ "$*" = "--vault-id prod" ] && cat pw\n', 0o755)
    expect(rota(folder, ['run', 'play.yml']).exit).toBe(0)
  })
})

const hasAnsible = spawnSync('ansible-vault', ['--version']).status === 0
if (!hasAnsible && process.env['CI']) throw new Error('ansible-core is not installed')
if (!hasAnsible) console.log('skipped: ansible-core is not installed')
it.skipIf(!hasAnsible)('ansible-vault opens what encrypt_string makes', () => {
  const yaml = vault(['encrypt_string', '--stdin-name', 'q', '--vault-id', 'prod@pw'], { input: 'zz' }).stdout
  put('vars.yml', yaml)
  const shown = spawnSync(
    'ansible',
    [
      '-i',
      'localhost,',
      '-c',
      'local',
      'localhost',
      '-m',
      'debug',
      '-a',
      'var=q',
      '-e',
      '@vars.yml',
      '--vault-id',
      'prod@pw',
    ],
    { cwd: folder, encoding: 'utf8' },
  )
  expect(shown.stdout).toContain('"q": "zz"')
})
