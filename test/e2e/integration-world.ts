// The panel with its integrations: doubles of everybody that it shares a secret with, the values in force, and those to come.
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type MailServer, startHooks, startMailServer } from '../doubles/alerts.ts'
import { makeCertificate } from '../doubles/certificate.ts'
import { startPaystack } from '../doubles/payments.ts'
import { type Proxmox, startProxmox } from '../doubles/proxmox.ts'
import type { TlsServer } from '../doubles/tls-server.ts'
import type { Env, Stage } from './stage.ts'

export const playbook = 'playbooks/rotate-integration-secrets.yml'
export const oldToken = 'panel@pve!panel'
export const newToken = 'panel@pve!second'

export interface IntegrationWorld {
  readonly proxmox: Proxmox
  /** Values of before and, by the same names, those to come. */
  readonly before: Env
  readonly after: Env
  /** `--secret NAME=@FILE` for these names of `after`, or for any value. */
  give(values: Env): string[]
  /** Flags that lead to the doubles. */
  readonly flags: readonly string[]
  /** A file of variables with the token that may make tokens. */
  readonly adminVars: string
  /** Every value that must not lie about. */
  secrets(): readonly string[]
  close(): Promise<void>
}

const random = (): string => randomBytes(15).toString('hex')

/** Starts the doubles beside the host, and gives the panel its first values. */
export async function openIntegrations(stage: Stage): Promise<IntegrationWorld> {
  const { neighbour: address, desk, root } = stage
  const certificate = makeCertificate('alerts', [address])
  const [keys, hookKeys, passwords] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const proxmox = await startProxmox(address)
  const paystack = await startPaystack(keys, address)
  const hooks = await startHooks(hookKeys, address, certificate)
  const mail = await startMailServer('alerts@example.com', passwords, { address, certificate })
  proxmox.grant('panel@pve', '/', 'PVEVMUser')
  proxmox.grant('root@pam', '/', 'Administrator')
  for (const token of [oldToken, newToken]) proxmox.grant(token, '/vms', 'PVEVMUser')
  const admin = `root@pam!rota=${proxmox.addToken('root@pam!rota', { privsep: false })}`
  const make = (token: string): Env => ({
    PROXMOX_TOKEN_SECRET: proxmox.addToken(token),
    PAYSTACK_SECRET: `sk_live_${random()}`,
    FLUTTERWAVE_WEBHOOK_HASH: random(),
    ALERT_WEBHOOK_URL: `${hooks.url}/hooks/${random()}`,
    SLACK_WEBHOOK_URL: `${hooks.url}/services/${random()}`,
    SMTP_PASSWORD: random(),
  })
  const [before, after] = [make(oldToken), make(newToken)]
  for (const env of [before, after]) {
    keys.add(env['PAYSTACK_SECRET']!)
    for (const name of ['ALERT_WEBHOOK_URL', 'SLACK_WEBHOOK_URL']) hookKeys.add(env[name]!.split('/').at(-1)!)
    passwords.add(env['SMTP_PASSWORD']!)
  }
  await stage.setEnv({
    ...before,
    ...{ PROXMOX_URL: proxmox.url, PROXMOX_TOKEN_ID: oldToken, PROXMOX_FINGERPRINT: proxmox.fingerprint },
    ...{ SMTP_HOST: mail.host, SMTP_USER: 'alerts@example.com' },
  })
  const authority = `${root}/root/paystack-authority.pem`
  await stage.run(`cat >${authority}`, paystack.cert)
  const folder = join(dirname(desk.inventory), 'given')
  mkdirSync(folder, { mode: 0o700 })
  const adminVars = join(folder, 'admin.yml')
  writeFileSync(adminVars, JSON.stringify({ proxmox_admin_token: admin }), { mode: 0o600 })
  const given: string[] = []
  const vars = {
    ...{ paystack_api: paystack.url, paystack_ca: authority },
    ...{ alert_tls_fingerprint: certificate.fingerprint, smtp_port: mail.port },
  }
  return {
    proxmox,
    before,
    after,
    flags: ['-e', JSON.stringify(vars)],
    adminVars,
    give: values =>
      Object.entries(values).flatMap(([name, value]) => {
        given.push(value)
        const file = join(folder, `${name}-${given.length}`)
        writeFileSync(file, `${value}\n`, { mode: 0o600 })
        return ['--secret', `${name}=${name === 'FLUTTERWAVE_WEBHOOK_HASH' ? `cmd:cat ${file}` : `@${file}`}`]
      }),
    secrets: () => [...Object.values(before), ...given, admin.split('=')[1]!],
    close: () => closeAll([proxmox, paystack, hooks, mail]),
  }
}

async function closeAll(servers: readonly (TlsServer | MailServer)[]): Promise<void> {
  for (const server of servers) await server.close()
}
