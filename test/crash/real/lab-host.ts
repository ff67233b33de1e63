// A small host for the crash trials: sshd, sudo, PostgreSQL and the panel in a root of its own, without a container engine.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { askDatabase } from '../../../demo/outside.ts'
import { firstSettings, renderEnv, repository } from '../../../demo/panel-host.ts'
import { startLabHosts, stopLabHosts } from '../../lab/labhosts.ts'
import { packPanel } from '../../lab/production-host.ts'
import { coreCommands, runOn, type TrialHost } from './trial-host.ts'

/** Boots the host with its panel (seconds). */
export async function openLabHost(): Promise<TrialHost> {
  const [host] = startLabHosts(1, '--net', '--services', 'postgres', '--prefix', 'crash', '--disk', '400m')
  const { pid, address, port } = host!
  const close = (): void => stopLabHosts([host!])
  try {
    install(pid)
    const hostKey = runOn(pid, 'cat /etc/ssh/ssh_host_ed25519_key.pub')
    return {
      pid,
      login: { host: address, port, hostKey, user: 'deploy' },
      panelUrl: `http://${address}:3000`,
      playbook: join(repository, 'test', 'crash', 'real', 'rotation.yml'),
      rotated: ['JWT_SECRET', 'POSTGRES_PASSWORD', 'DATABASE_URL'],
      disk: '/',
      commands: coreCommands,
      askDatabase: password =>
        askDatabase(`postgresql://proxpanel:${password}@${address}:5432/proxpanel`).catch(String),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function install(pid: number): void {
  const settings = firstSettings({ port: 3000, databasePort: 5432 })
  runOn(pid, 'cat >/usr/local/bin/node && chmod 755 /usr/local/bin/node', readFileSync(process.execPath))
  runOn(pid, 'mkdir -p /opt/proxpanel && tar -x -C /opt/proxpanel', packPanel())
  runOn(pid, 'umask 077; cat >/opt/proxpanel/.env.production', renderEnv({ ...settings, HOST: '0.0.0.0' }))
  const sql = `CREATE ROLE proxpanel LOGIN PASSWORD '${settings['POSTGRES_PASSWORD']}'; CREATE DATABASE proxpanel OWNER proxpanel;`
  runOn(pid, "su postgres -c 'psql -q'", sql.replace('; ', ';\n'))
  runOn(
    pid,
    `cd /opt/proxpanel && set -a && . ./.env.production && node seed.mjs
    setsid node supervisor.mjs .env.production </dev/null >>panel.log 2>&1 &
    until [ -s /opt/proxpanel/panel.pid ]; do sleep 0.1; done`,
  )
}
