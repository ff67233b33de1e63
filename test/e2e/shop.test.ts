// A second application, to prove that nothing is panel-shaped: systemd, MariaDB, Redis, Python. Judged from beside rota, by logins.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { repository } from '../../demo/panel-host.ts'
import { type Desk, loginVariables, openDesk } from '../../demo/site.ts'
import { whyNoLab } from '../lab/labhosts.ts'
import { type ShopHost, startShopHost } from '../lab/shop-host.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 600_000 })
const reason = whyNoLab()
if (reason) console.log(`skipped: the shop's host: ${reason}`)

const playbook = join(repository, 'playbooks', 'rotate-shop-secrets.yml')
const first = { DB_PASSWORD: 'first-database-password', REDIS_PASSWORD: 'first-redis-password' }
type Passwords = typeof first

describe.skipIf(reason !== undefined)('the shop', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-shop-'))
  const inventory = join(folder, 'shop.yml')
  let host: ShopHost
  let desk: Desk
  beforeAll(async () => {
    host = await startShopHost({ database: first.DB_PASSWORD, redis: first.REDIS_PASSWORD })
    desk = openDesk(folder, {})
    const hosts = { shop1: loginVariables(folder, host.ssh) }
    writeFileSync(inventory, JSON.stringify({ all: { children: { shop: { hosts } } } }))
  })
  afterAll(async () => {
    await host?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const env = async (): Promise<Passwords> =>
    Object.fromEntries(
      [...(await host.run('cat /etc/shop/shop.env')).matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [
        name,
        value,
      ]),
    ) as Passwords
  /** Which of the three answer somebody who has these passwords. */
  const answers = async (passwords: Passwords): Promise<string> =>
    host.run(`
      MYSQL_PWD='${passwords.DB_PASSWORD}' mariadb -u shop shop -e 'SELECT 1' >/dev/null 2>&1 && printf 'database '
      [ "$(REDISCLI_AUTH='${passwords.REDIS_PASSWORD}' redis-cli ping 2>/dev/null)" = PONG ] && printf 'redis '
      python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/")' 2>/dev/null && printf 'shop'
      :`)
  const rotate = (...more: string[]) => desk.rota(['run', playbook, '-i', inventory, ...more])

  it('is rotated whole: the new passwords count everywhere, the old ones nowhere', async () => {
    const check = await rotate('--check')
    expect([check.code, await env()], check.output).toEqual([0, first])
    const { code, output } = await rotate()
    expect(code, output).toBe(0)
    const now = await env()
    expect(now.DB_PASSWORD).toMatch(/^[A-Za-z0-9]{48}$/)
    expect(now.REDIS_PASSWORD).toMatch(/^[A-Za-z0-9]{48}$/)
    for (const value of Object.values(now)) expect(output).not.toContain(value)
    expect(await answers(now)).toBe('database redis shop')
    expect(await answers(first)).toBe('shop')
  })

  it('keeps the new passwords over a restart of everything', async () => {
    await host.run('systemctl restart redis-server mariadb shop && sleep 1')
    await expect.poll(async () => answers(await env()), { timeout: 20_000 }).toBe('database redis shop')
  })

  it('whose new start fails is undone whole: database, Redis, file and process', async () => {
    const before = await env()
    // The unit reads a second file, which goes on holding the values of now.
    await host.run(`cp /etc/shop/shop.env /etc/shop/frozen.env && mkdir -p /etc/systemd/system/shop.service.d &&
      printf '[Service]\\nEnvironmentFile=/etc/shop/frozen.env\\n' >/etc/systemd/system/shop.service.d/frozen.conf && systemctl daemon-reload`)
    const { code, output } = await rotate()
    expect(code, output).toBe(10)
    expect(await env()).toEqual(before)
    expect(await answers(before)).toBe('database redis shop')
    await host.run('rm -r /etc/systemd/system/shop.service.d && systemctl daemon-reload')
  })

  it('stands in a policy like any other application', async () => {
    const policy = join(folder, 'rota.yml')
    const secret = (name: string, task: string) => `    ${name}:
      { class: password, cryptoperiod: 90d, owner: shop@example.org, agrees: [${task}, { process_env: { name: ${name}, expected: "{{ now.env.${name} }}", match: /opt/shop/server.py } }] }\n`
    writeFileSync(
      policy,
      `- name: shop
  hosts: shop
  become: true
  playbook: ${playbook}
  read: [{ env_read: { path: /etc/shop/shop.env, dialect: systemd }, register: now }]
  secrets:
${secret('DB_PASSWORD', '{ mysql_user: { name: shop, password: "{{ now.env.DB_PASSWORD }}", login_unix_socket: /run/mysqld/mysqld.sock } }')}${secret('REDIS_PASSWORD', '{ redis_user: { password: "{{ now.env.REDIS_PASSWORD }}", login_password: "{{ now.env.REDIS_PASSWORD }}" } }')}`,
    )
    const status = () => desk.rota(['status', '-i', inventory, '--policy', policy])
    const good = await status()
    expect(good.code, good.output).toBe(0)
    await host.run(`mariadb -e "SET PASSWORD FOR shop@localhost = PASSWORD('changed')"`)
    const drift = await status()
    expect(drift.code, drift.output).toBe(13)
    expect(drift.output).toContain('shop1 DB_PASSWORD: DRIFT, mysql_user')
  })
})
