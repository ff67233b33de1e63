// What rotations of integration secrets are made of, against doubles that speak the documented protocols over TLS.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reveal, Secret } from '../../src/core/secret.ts'
import { Template } from '../../src/core/value.ts'
import { proxmox_token } from '../../src/modules/proxmox-token.ts'
import { smtp_login } from '../../src/modules/smtp-login.ts'
import { uri } from '../../src/modules/uri.ts'
import { type MailServer, startMailServer } from '../doubles/alerts.ts'
import { type Proxmox, startProxmox } from '../doubles/proxmox.ts'
import { here, scopeOf, templar } from '../template/engine.ts'
import { missing } from './postgres.ts'
import { makeTarget, runAction } from './target.ts'

let proxmox: Proxmox
let admin: Secret
const folder = mkdtempSync(join(tmpdir(), 'rota-integrations-'))
beforeAll(async () => {
  proxmox = await startProxmox()
  proxmox.grant('panel@pve', '/', 'PVEVMUser')
  proxmox.grant('root@pam', '/', 'Administrator')
  proxmox.addToken('panel@pve!panel')
  proxmox.grant('panel@pve!panel', '/vms', 'PVEVMUser')
  proxmox.grant('panel@pve!panel', '/vms/100', 'PVEAuditor')
  admin = new Secret(`root@pam!rota=${proxmox.addToken('root@pam!rota', { privsep: false })}`, 'admin')
  writeFileSync(join(folder, 'ca.pem'), proxmox.cert)
})
afterAll(async () => {
  await proxmox.close()
  rmSync(folder, { recursive: true })
})

const permissionsOf = async (token: string, secret: string): Promise<unknown> => {
  const { values } = await runAction(makeTarget(), uri, {
    url: `${proxmox.url}/api2/json/access/permissions`,
    headers: new Map([['Authorization', new Secret(`PVEAPIToken=${token}=${secret}`, 'token')]]),
    tls_fingerprint: proxmox.fingerprint,
    return_content: true,
  })
  return JSON.parse(values['content'] ?? 'null')
}

describe('proxmox_token', () => {
  const give = (args: object) =>
    runAction(makeTarget(), proxmox_token, {
      url: proxmox.url,
      auth: admin,
      tls_fingerprint: proxmox.fingerprint,
      ...args,
    })

  it('makes a token with the rights of another, gives its secret as a secret, and deletes it', async () => {
    const made = await give({
      token: 'panel@pve!new',
      like: new Secret('panel@pve!panel', 'id'),
      comment: 'run 1',
    })
    expect(made).toMatchObject({ changed: true, values: { token: 'panel@pve!new' } })
    const secret = made.values['value'] as Secret
    expect(secret).toBeInstanceOf(Secret)
    const permissions = await permissionsOf('panel@pve!new', reveal(secret))
    expect(permissions).toEqual({
      data: {
        '/vms': { 'VM.Audit': 1, 'VM.PowerMgmt': 1, 'VM.Console': 1 },
        '/vms/100': { 'VM.Audit': 1, 'VM.PowerMgmt': 1, 'VM.Console': 1 },
      },
    })
    expect((await give({ token: 'panel@pve!new', state: 'absent' })).changed).toBe(true)
    expect((await give({ token: 'panel@pve!new', state: 'absent' })).changed).toBe(false)
    expect(await permissionsOf('panel@pve!new', reveal(secret))).toMatchObject({ data: null })
  })

  it('makes a token of the same run anew, whose secret nobody has, but no other', async () => {
    const first = await give({ token: 'panel@pve!again', comment: 'run 2' })
    const second = await give({ token: 'panel@pve!again', comment: 'run 2' })
    expect(reveal(second.values['value'])).not.toBe(reveal(first.values['value']))
    await expect(give({ token: 'panel@pve!again', comment: 'run 3' })).rejects.toMatchObject({
      code: 'E_TASK',
    })
    await expect(give({ token: 'panel@pve!panel', comment: 'run 3' })).rejects.toThrow(
      /has a token panel@pve!panel already/,
    )
  })

  it.each([
    [{ token: 'panel@pve!x1', auth: new Secret('root@pam!rota=nonsense', 'a') }, /answers 401/],
    [{ token: 'panel' }, /is no token id/],
    [{ token: 'panel@pve!x1', like: 'panel@pve!nobody' }, /no token panel@pve!nobody/],
    [{ token: 'panel@pve!x1', like: 'root@pam!rota' }, /no token root@pam!rota of panel@pve/],
    [{ token: 'panel@pve!x1', tls_fingerprint: 'ab'.repeat(32) }, /another certificate than the pinned one/],
    [{ token: 'panel@pve!x1', tls_fingerprint: undefined }, /does not answer: .*self.signed/],
  ])('refuses %o', async (args, message) => {
    const before = proxmox.tokens()
    await expect(give(args)).rejects.toThrow(message)
    expect(proxmox.tokens()).toEqual(before)
  })

  it('takes an authority of the host in place of a fingerprint', async () => {
    const done = await give({
      token: 'panel@pve!never',
      state: 'absent',
      tls_fingerprint: undefined,
      ca_path: join(folder, 'ca.pem'),
    })
    expect(done.changed).toBe(false)
  })
})

it('sends nothing to a server whose certificate is not the pinned one', async () => {
  const before = proxmox.log.length
  const pin = (tls_fingerprint: string) =>
    runAction(makeTarget(), uri, {
      url: `${proxmox.url}/api2/json/version`,
      tls_fingerprint,
      status_code: ['401'],
    })
  expect(await pin('00'.repeat(32))).toMatchObject({ failed: true, values: { status: -1 } })
  expect(proxmox.log.length).toBe(before)
  expect((await pin(proxmox.fingerprint.toLowerCase().replaceAll(':', ''))).failed).toBeUndefined()
  await expect(pin('AB:CD')).rejects.toMatchObject({ code: 'E_PARAMS' })
})

describe.each(['PLAIN', 'LOGIN'] as const)('smtp_login by AUTH %s', way => {
  let mail: MailServer
  const password = 'pass "word" ä\\'
  beforeAll(async () => {
    mail = await startMailServer('alerts@example.com', new Set([password]), { way })
  })
  afterAll(() => mail.close())
  const login = (args: object = {}) =>
    runAction(makeTarget(), smtp_login, {
      host: mail.host,
      port: mail.port,
      username: 'alerts@example.com',
      password: new Secret(password, 'SMTP_PASSWORD'),
      tls_fingerprint: mail.fingerprint,
      timeout: 5,
      ...args,
    })

  it('says whether the server takes the password', async () => {
    expect(await login()).toMatchObject({ changed: false, values: { code: 235 } })
    const wrong = await login({ password: new Secret('wrong', 'p') })
    expect(wrong).toMatchObject({ failed: true, values: { code: 535 } })
  })
  it('gives the password to nobody whose certificate it does not know, and never in the clear', async () => {
    for (const args of [
      { tls_fingerprint: undefined },
      { tls_fingerprint: '00'.repeat(32) },
      { secure: 'never' },
    ])
      expect(await login(args)).toMatchObject({ failed: true, values: { code: -1 } })
  })
  it('says so when nobody answers, or something else does', async () => {
    expect(await login({ port: 1 })).toMatchObject({ failed: true, values: { code: -1 } })
    const other = await login({ port: Number(new URL(proxmox.url).port), timeout: 1 })
    expect(other).toMatchObject({ failed: true, values: { code: -1 } })
  })
})

describe('the filter hmac', () => {
  const evaluate = (source: string, vars: Record<string, unknown>) =>
    templar.evaluate(new Template(source, here), scopeOf(vars))
  const vars = { body: '{"event":"é"}', key: new Secret('the key', 'KEY') }

  it('signs as RFC 4231 says', () => {
    // Test case 2.
    expect(evaluate("'what do ya want for nothing?' | hmac('Jefe')", {})).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })
  it.skipIf(missing('openssl')).each(['sha256', 'sha512'])('signs with %s as openssl does', name => {
    const signed = evaluate(`body | hmac(key, '${name}')`, vars) as Secret
    const args = ['dgst', `-${name}`, '-hmac', 'the key', '-hex', '-r']
    const [hex] = execFileSync('openssl', args, { input: vars.body, encoding: 'utf8' }).split(' ')
    expect(reveal(signed)).toBe(hex)
  })
  it('makes a secret of a signature by a secret, and refuses what it cannot do', () => {
    const signed = evaluate("body | hmac(key, 'sha256', 'base64')", vars)
    expect(signed).toBeInstanceOf(Secret)
    expect(Buffer.from(reveal(signed as Secret), 'base64')).toHaveLength(32)
    expect(() => evaluate("body | hmac('k', 'md99')", vars)).toThrow(/unsupported hash type/)
    expect(() => evaluate("body | hmac('k', encoding='rot13')", vars)).toThrow(/hex or base64/)
  })
})
