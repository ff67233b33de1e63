// service, systemd and service_facts with a systemd that really runs: on a host in a container, over SSH.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Connections, Session } from '../../src/core/remote.ts'
import { service } from '../../src/modules/service.ts'
import { serviceFacts } from '../../src/modules/service-facts.ts'
import { systemd } from '../../src/modules/systemd.ts'
import { createConnections } from '../../src/remote/connections.ts'
import { labKeyFile, whyNoLab } from '../lab/labhosts.ts'
import { type ShopHost, startShopHost } from '../lab/shop-host.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply } from './harness.ts'
import { live, look } from './lifecycle.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 600_000 })
const reason = whyNoLab()
if (reason !== undefined) console.log(`skipped: a host with systemd: ${reason}`)

const unit = `[Unit]
Description=Waits
[Service]
ExecStart=/bin/sleep 100000
ExecReload=/bin/sh -c 'echo reloaded >>/run/rotad.log'
ExecStartPost=/bin/sh -c 'echo started >>/run/rotad.log'
KillSignal=SIGKILL
SuccessExitStatus=SIGKILL
[Install]
WantedBy=multi-user.target
`
const world = `systemctl is-active rotad rotad@a; systemctl is-enabled rotad rotad@a 2>/dev/null; find /etc/systemd/system -name 'rotad*' -exec ls -ld {} + | sed 's/.*rotad/rotad/'`
const put = (name: string, text: string): string =>
  `cat >/usr/lib/systemd/system/${name} <<'END'\n${text}END\n`

describe.skipIf(reason !== undefined)('with systemd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-systemd-'))
  let host: ShopHost
  let pool: Connections
  beforeAll(async () => {
    host = await startShopHost({ database: 'x1', redis: 'x2' })
    pool = createConnections({ redactor: createRedactor() })
  })
  afterAll(async () => {
    await pool?.close()
    await host?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const open = (shell: string): Promise<Session> =>
    pool.open(
      {
        name: shell,
        transport: 'ssh',
        host: host.ssh.host,
        port: host.ssh.port,
        user: 'root',
        identityFiles: [labKeyFile],
        hostKeyChecking: 'accept-new',
        knownHostsFiles: [join(folder, 'known_hosts')],
        sshArgs: ['-F', 'none'],
        connectTimeoutMs: 30_000,
        shell,
      },
      undefined,
    )

  describe.each(['/bin/dash', '/bin/bash'])('under %s', shell => {
    let session: Session
    const t = () => makeTarget({ session })
    const lives = (module: typeof systemd, args: object, more: object = {}) =>
      live({ session, module, world, args: args as never, ...more })
    beforeAll(async () => {
      session = await open(shell)
      await look(
        session,
        `${put('rotad.service', unit)}${put('rotad@.service', unit)}: >/run/rotad.log; systemctl daemon-reload`,
      )
    })

    it.each([
      ['service', service],
      ['systemd', systemd],
    ])('%s starts, enables, stops, disables; each is undone', async (_, module) => {
      const started = await lives(module, { name: 'rotad', state: 'started' })
      expect(started.world).toMatch(/^active\n/)
      expect(started.result).toMatchObject({
        name: 'rotad',
        state: 'started',
        status: { ActiveState: 'inactive' },
      })
      expect((await lives(module, { name: 'rotad', enabled: true })).world).toContain('enabled')
      const both = await lives(
        module,
        { name: 'rotad.service', state: 'started', enabled: true },
        { keep: true },
      )
      expect(both.world).toMatch(/^active\n[\s\S]*enabled/)
      expect((await lives(module, { name: 'rotad', state: 'stopped' })).world).toMatch(/^inactive\n/)
      await lives(module, { name: 'rotad', state: 'stopped', enabled: false }, { keep: true })
    })

    it('restarts and reloads, which is no state', async () => {
      await look(session, ': >/run/rotad.log')
      for (const state of ['reloaded', 'restarted', 'reloaded', 'restarted'])
        expect((await apply(t(), systemd, { name: 'rotad', state })).changed).toBe(true)
      expect(await look(session, 'cat /run/rotad.log')).toBe('started\nstarted\nreloaded\nstarted\n')
      const undoable = makeTarget({ session, undoable: true })
      await expect(apply(undoable, systemd, { name: 'rotad', state: 'restarted' })).rejects.toThrow(/undone/)
      await apply(t(), systemd, { name: 'rotad', state: 'stopped' })
    })

    it('masks, and says that a masked unit does not start', async () => {
      await lives(systemd, { name: 'rotad', masked: true }, { keep: true })
      await expect(apply(t(), systemd, { name: 'rotad', state: 'started' })).rejects.toMatchObject({
        code: 'E_TASK',
      })
      await lives(systemd, { name: 'rotad', masked: false }, { keep: true })
    })

    it('knows instances of templates, and a unit that was just written only after a reload', async () => {
      await lives(systemd, { name: 'rotad@a', state: 'started', enabled: true })
      await look(session, put('rotad-new.service', unit.replace('100000', '200000')))
      const args = { name: 'rotad-new', state: 'started', daemon_reload: true }
      expect((await apply(t(), systemd, args)).changed).toBe(true)
      await look(session, put('rotad-new.service', unit.replace('100000', '300000')))
      await apply(t(), systemd, { ...args, state: 'restarted' })
      expect(await look(session, 'pgrep -f "sleep [23]00000" | xargs ps -o args= -p')).toBe(
        '/bin/sleep 300000\n',
      )
      await apply(t(), systemd, { name: 'rotad-new', state: 'stopped' })
      await look(session, 'rm /usr/lib/systemd/system/rotad-new.service; systemctl daemon-reload')
    })

    it('says what does not start, and what is not there', async () => {
      await look(
        session,
        `${put('rotad-bad.service', unit.replace('/bin/sleep 100000', '/bin/false'))}systemctl daemon-reload`,
      )
      await expect(apply(t(), service, { name: 'no-such-unit', state: 'started' })).rejects.toThrow(
        /no-such-unit/,
      )
      await look(
        session,
        put(
          'rotad-bad.service',
          unit.replace('ExecStart=/bin/sleep 100000', 'Type=oneshot\nExecStart=/bin/false'),
        ),
      )
      const bad = apply(t(), systemd, { name: 'rotad-bad', state: 'started', daemon_reload: true })
      await expect(bad).rejects.toThrow(/rotad-bad/)
      await look(
        session,
        'rm /usr/lib/systemd/system/rotad-bad.service; systemctl daemon-reload; systemctl reset-failed',
      )
    })

    it('service_facts lists what systemctl lists', async () => {
      const { facts } = await act(t(), serviceFacts, {})
      const services = JSON.parse(
        JSON.stringify(facts?.get('services'), (_, value) =>
          value instanceof Map ? Object.fromEntries(value) : value,
        ),
      )
      expect(services['mariadb.service']).toMatchObject({
        state: 'running',
        status: 'enabled',
        source: 'systemd',
      })
      expect(services['rotad.service']).toMatchObject({ state: 'inactive', status: 'disabled' })
    })
  })
})
