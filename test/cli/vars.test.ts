import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { rota } from './rota.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-cli-vars-'))
afterAll(() => rmSync(folder, { recursive: true }))
function put(name: string, text: string): void {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
beforeAll(() => {
  put('hosts', '[web]\nweb1 port=1\nweb2\n[web:vars]\nport=2\n')
  put(
    'group_vars/all.yml',
    'port: 3\nurl: "http://{{ inventory_hostname }}:{{ port }}"\nbroken: "{{ nope }}"\n',
  )
  put('group_vars/web.yml', 'port: 4\n')
  put('host_vars/web1.yml', 'port: 5\n')
  put('play/group_vars/all.yml', 'port: 6\n')
  put('pw', 'hunter2\n')
})
const vars = (...args: string[]) => rota(folder, ['vars', '-i', 'hosts', ...args])

it('shows every definition of a variable, the winner first, with where it stands', () => {
  const { stdout, exit } = vars('web1', '--explain', 'port', '--playbook-dir', 'play')
  expect(exit).toBe(0)
  expect(stdout.split('\n')[0]).toBe('port of web1 is 5')
  expect(stdout.match(/^(→| ) .*? (\d)$/gm)?.map(line => line.replace(/\s+/g, ' '))).toEqual([
    '→ inventory host_vars/* 5',
    ' inventory file host vars 1',
    ' inventory group_vars/* 4',
    ' playbook group_vars/all 6',
    ' inventory group_vars/all 3',
    ' inventory file group vars 2',
  ])
  expect(stdout).toContain('host_vars/web1.yml:1:1')
  expect(stdout).toContain('hosts:5:1')
  expect(vars('web1', '--explain', 'port', '-e', 'port=9').stdout).toMatch(/^port of web1 is "9"/)
})
it('shows all variables rendered, and why one cannot be', () => {
  const { stdout } = vars('web2')
  expect(stdout).toContain('url: "http://web2:4"\n    ')
  expect(stdout).toMatch(/broken: \{\{ nope \}\} {2}\(.*nope.*undefined/)
})
it('says what was perhaps meant', () => {
  expect(vars('web1', '--explain', 'prot')).toMatchObject({ exit: 65, stdout: '' })
  expect(vars('web1', '--explain', 'prot').stderr).toContain('did you mean port?')
  expect(vars('wbe1').stderr).toContain('did you mean web1?')
})

it('hides what is secret, and what is made of it', () => {
  const password = ['--vault-password-file', 'pw']
  const sealed = rota(folder, ['vault', 'encrypt_string', '--stdin-name', 'db_password', ...password], {
    input: 's3cret-value',
  }).stdout
  put('host_vars/web2.yml', `${sealed}dsn: "db://u:{{ db_password }}@h"\n`)
  const { stdout } = vars('web2', ...password)
  expect(stdout).toContain('db_password: "[secret db_password]"')
  expect(stdout).toContain('dsn: "[secret db_password]"')
  expect(stdout).not.toContain('s3cret-value')
})
