import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { hasBearing, resolveLogin } from '../../src/remote/ssh-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const config = join(folder, 'config')
const resolve = (host: string, text: string, more: object = {}) => {
  writeFileSync(config, text)
  return resolveLogin({
    name: 'web1',
    host,
    identityFiles: [],
    hostKeyChecking: 'strict',
    sshArgs: ['-F', config],
    connectTimeoutMs: 1000,
    ...more,
  })
}

it('takes host, port, user, key and known_hosts from ssh_config', async () => {
  const login = await resolve(
    'web',
    `Host web\n HostName %h.example\n Port 2222\n User deploy\n IdentityFile ~/keys/%h-%r\n IdentitiesOnly yes\n UserKnownHostsFile ${folder}/a ${folder}/b\n GlobalKnownHostsFile /dev/null\n HostKeyAlias webby\n`,
  )
  expect(login).toMatchObject({
    name: 'web1',
    host: 'web.example',
    port: 2222,
    user: 'deploy',
    knownAs: 'webby',
    knownHostsFiles: [`${folder}/a`, `${folder}/b`, '/dev/null'],
    identityFiles: [`${homedir()}/keys/web.example-deploy`],
    isIdentityGiven: true,
    identitiesOnly: true,
    via: undefined,
  })
})

it('the inventory wins over ssh_config', async () => {
  const more = { port: 22, user: 'root', identityFiles: ['~/mine'], knownHostsFiles: ['/k'] }
  const login = await resolve('web', 'Host web\n Port 2222\n User deploy\n IdentityFile ~/other\n', more)
  expect(login).toMatchObject({ port: 22, user: 'root', knownHostsFiles: ['/k'] })
  expect(login.identityFiles).toEqual([`${homedir()}/mine`, `${homedir()}/other`])
})

it('follows ProxyJump, each hop by its own rules', async () => {
  const login = await resolve(
    'web',
    'Host web\n ProxyJump gate,me@inner:2022\nHost gate\n HostName gate.example\n User gatekeeper\n',
  )
  const hop = (of: typeof login | undefined) => of && [of.user, of.host, of.port]
  expect([hop(login), hop(login.via), hop(login.via?.via), login.via?.via?.via]).toEqual([
    [userInfo().username, 'web', 22],
    ['me', 'inner', 2022],
    ['gatekeeper', 'gate.example', 22],
    undefined,
  ])
})

it('expands ProxyCommand and IdentityAgent none', async () => {
  const login = await resolve('web', 'Host web\n ProxyCommand nc %h %p\n IdentityAgent none\n')
  expect([login.proxyCommand, login.agent]).toEqual(['nc web 22', undefined])
  vi.stubEnv('SSH_AUTH_SOCK', '/agent')
  expect((await resolve('web', 'Host web\n IdentityAgent none\n')).agent).toBeUndefined()
  expect((await resolve('web', '')).agent).toBe('/agent')
  expect((await resolve('web', 'IdentityAgent ~/sock\n')).agent).toBe(`${homedir()}/sock`)
  vi.unstubAllEnvs()
})

it('passes on what ssh says of a broken config', async () => {
  await expect(resolve('web', 'NoSuchKeyword x\n')).rejects.toMatchObject({
    code: 'E_UNREACHABLE',
    message: expect.stringContaining('nosuchkeyword'),
    hint: `try: ssh -G -F ${config} web`,
  })
})

it('knows which configs have no bearing', () => {
  const debian =
    'Include /etc/ssh/no-such-folder/*.conf\n\nHost *\n#   Port 22\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n'
  expect(hasBearing(['', debian])).toBe(false)
  expect(hasBearing(['', 'Port=2222'])).toBe(true)
  expect(hasBearing(['Host x\n  user y'])).toBe(true)
  expect(hasBearing(['Match all\n'])).toBe(true)
  expect(hasBearing(['Include other'])).toBe(true)
})

it('HOME says where the known hosts are, also when ssh was asked: what is recorded is found the next time', async () => {
  vi.stubEnv('HOME', folder)
  const [first] = (await resolve('web', '')).knownHostsFiles
  vi.unstubAllEnvs()
  expect(first).toBe(join(folder, '.ssh/known_hosts'))
})
