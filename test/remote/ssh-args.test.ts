import { mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { addressOf } from '../../src/remote/address.ts'
import { checkSshOptions, parseSshArgs } from '../../src/remote/ssh-args.ts'
import { resolveLogin } from '../../src/remote/ssh-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-ssh-args-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What a host's variables make of ssh arguments, as far as the connection. */
const loginWith = (variables: Record<string, unknown>, defaults: object = {}) =>
  resolveLogin(addressOf('web', name => variables[name], { sshArgs: '-F /dev/null', ...defaults }))

describe('ssh arguments', () => {
  it('say user, port, key, known hosts, jump and timeout', async () => {
    const login = await loginWith({
      ansible_ssh_common_args: `-l bob -p2222 -i ~/k -J gate:2200 -o UserKnownHostsFile=${folder}/known -oConnectTimeout=7`,
      ansible_ssh_extra_args: '-o "StrictHostKeyChecking no"',
    })
    expect(login).toMatchObject({
      user: 'bob',
      port: 2222,
      identityFiles: [`${homedir()}/k`],
      isIdentityGiven: true,
      hostKeyChecking: 'accept-new',
      connectTimeoutMs: 7000,
      via: { host: 'gate', port: 2200 },
    })
    expect(login.knownHostsFiles[0]).toBe(`${folder}/known`)
  })
  it('of the host replace those of the configuration, kind by kind', () => {
    const address = addressOf('web', name => ({ ansible_ssh_args: '-C' })[name], {
      sshArgs: '-o A=1',
      sshCommonArgs: '-q',
      sshExtraArgs: '-v',
    })
    expect(address.sshArgs).toEqual(['-C', '-q', '-v'])
  })
  it.each([
    '-C -o ControlMaster=auto -o ControlPersist=60s',
    '-vvv -o ForwardAgent=no -oServerAliveInterval=30 -S none',
    '-o PreferredAuthentications=publickey -o PasswordAuthentication=no',
    '-o IdentitiesOnly=yes -o "GSSAPIAuthentication no"',
  ])('may be %s', args => {
    const { sshArgs } = addressOf('web', () => undefined, { sshArgs: args })
    expect(() => checkSshOptions('web', parseSshArgs('web', sshArgs))).not.toThrow()
  })
  it.each([
    ['-A', '-A'],
    ['-vA', '-A'],
    ['-L 80:a:80', '-L 80:a:80'],
    ['-o ForwardAgent=yes', '-o ForwardAgent=yes'],
    ['-oCiphers=aes128-ctr', '-o Ciphers=aes128-ctr'],
    ['-o PubkeyAuthentication=no', '-o PubkeyAuthentication=no'],
    ['-o PKCS11Provider=x', '-o PKCS11Provider=x'],
    ['otherhost', 'otherhost'],
    ['-i', '-i'],
  ])('are refused by name where they cannot be heeded: %s', async (args, named) => {
    await expect(loginWith({ ansible_ssh_args: args })).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: `web: the built-in ssh cannot heed ${named}`,
    })
  })
})
