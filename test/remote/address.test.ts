import { expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { addressOf, becomeOf } from '../../src/remote/address.ts'

const of = (variables: Record<string, unknown>) => (name: string) => variables[name]

it('takes Ansible’s defaults', () => {
  expect(addressOf('web1', of({}))).toEqual({
    name: 'web1',
    transport: 'ssh',
    host: 'web1',
    port: undefined,
    user: undefined,
    password: undefined,
    identityFiles: [],
    passphrase: undefined,
    hostKeyChecking: 'strict',
    knownHostsFiles: undefined,
    sshArgs: [],
    connectTimeoutMs: 10_000,
    shell: '/bin/sh',
  })
})

it('reads connection variables, new and old names, over defaults', () => {
  const address = addressOf(
    'web1',
    of({
      ansible_host: '10.0.0.1',
      ansible_port: '2222',
      ansible_ssh_user: 'deploy',
      ansible_ssh_pass: 'pw-of-web1',
      ansible_ssh_private_key_file: '~/key',
      ansible_ssh_common_args: `-o ProxyJump="a b" -J 'c'`,
      ansible_ssh_extra_args: '-v',
      ansible_ssh_timeout: 3,
      ansible_connection: 'smart',
    }),
    { port: 22, user: 'other', identityFiles: ['x'], sshArgs: '-F none', transport: 'local' },
  )
  expect(address).toMatchObject({
    host: '10.0.0.1',
    port: 2222,
    user: 'deploy',
    identityFiles: ['~/key'],
    sshArgs: ['-F', 'none', '-o', 'ProxyJump=a b', '-J', 'c', '-v'],
    connectTimeoutMs: 3000,
    transport: 'ssh',
  })
  expect(address.password).toBeInstanceOf(Secret)
  expect(JSON.stringify(address)).not.toContain('pw-of-web1')
})

it('starts a local shell in the folder of the playbook', () => {
  const variables = { playbook_dir: '/site' }
  expect(addressOf('h', of({ ...variables, ansible_connection: 'local' })).folder).toBe('/site')
  expect(addressOf('h', of(variables)).folder).toBeUndefined()
})

it('takes what turns host key checking off as accept-new', () => {
  const checking = (variables: Record<string, unknown>) => addressOf('h', of(variables)).hostKeyChecking
  expect(checking({ ansible_host_key_checking: false })).toBe('accept-new')
  expect(checking({ ansible_ssh_host_key_checking: 'yes' })).toBe('strict')
  expect(checking({ ansible_ssh_common_args: '-o StrictHostKeyChecking=no' })).toBe('accept-new')
  expect(checking({ ansible_ssh_common_args: '-oStrictHostKeyChecking=yes' })).toBe('strict')
})

it('refuses what it cannot heed, by name', () => {
  expect(() => addressOf('h', of({ ansible_connection: 'winrm' }))).toThrow(
    'h: ansible_connection winrm is not supported',
  )
  expect(() => addressOf('h', of({ ansible_port: 'ssh' }))).toThrow(
    'h: ansible_port must be a number, not ssh',
  )
  expect(() => addressOf('h', of({ ansible_host: ['a'] }))).toThrow('h: ansible_host must be text')
  expect(() => addressOf('h', of({ ansible_ssh_common_args: `-o 'x` }))).toThrow(
    /ansible_ssh_common_args.*quote/,
  )
  expect(() => becomeOf('h', of({ ansible_become_flags: '-i' }), { become: true })).toThrow(
    /ansible_become_flags/,
  )
  expect(() => becomeOf('h', of({}), { become: true, method: 'pbrun' })).toThrow(/become_method pbrun/)
})

it('become: variables win over keywords', () => {
  expect(becomeOf('h', of({}))).toBeUndefined()
  expect(becomeOf('h', of({}), { become: true })).toEqual({
    method: 'sudo',
    user: 'root',
    password: undefined,
  })
  expect(becomeOf('h', of({ ansible_become: 'no' }), { become: true })).toBeUndefined()
  const password = new Secret('x', 'x')
  expect(
    becomeOf('h', of({ ansible_become: true, ansible_become_user: 'pg', ansible_su_pass: password }), {
      method: 'su',
      user: 'other',
    }),
  ).toEqual({ method: 'su', user: 'pg', password })
})
