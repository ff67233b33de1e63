// A host with its panel and an operator's desk, whatever it is made of: what the scenes are played on.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Desk, loginVariables, openDesk, openSite } from '../../demo/site.ts'
import { startProductionHost } from '../lab/production-host.ts'

export type Env = Readonly<Record<string, string>>
export interface Stage {
  readonly desk: Desk
  readonly panelUrl: string
  /** Below which the host's /opt/proxpanel-backups and /root lie: '' on a host of its own. */
  readonly root: string
  /** The panel's env file as it is now. */
  env(): Promise<Env>
  /** Changes settings beside rota, and restarts the panel. */
  setEnv(values: Env): Promise<void>
  /** Reaches the database where it asks everybody for a password. */
  databaseUrl(password: string): Promise<string>
  /** Runs sh as root on the host, beside rota. Throws when it fails. */
  run(command: string, stdin?: string | Buffer): Promise<string>
  close(): Promise<void>
}

/** The demo's host: embedded SSH server, embedded PostgreSQL, the panel as a process. No root, no container. */
export async function openDemoStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-desk-'))
  const { root, panel, desk, close } = await openSite(folder)
  return {
    root,
    desk,
    panelUrl: panel.url,
    env: async () => panel.env(),
    setEnv: async values => {
      panel.setEnv(values)
      panel.restart()
    },
    databaseUrl: async password =>
      `postgresql://proxpanel:${password}@127.0.0.1:${panel.database.port}/proxpanel`,
    run: async (command, stdin = '') => {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { input: stdin, encoding: 'utf8' })
      if (status !== 0) throw new Error(`${command}: exit ${status}: ${stderr}`)
      return stdout
    },
    close: async () => {
      await close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The production host in a container, reached as `deploy`, who may sudo. */
export async function openProductionStage(): Promise<Stage> {
  const host = await startProductionHost()
  const folder = mkdtempSync(join(tmpdir(), 'rota-desk-'))
  return {
    ...host,
    root: '',
    desk: openDesk(folder, {
      'my.votcloud.com': { ...loginVariables(folder, host.ssh), free_mib: 64 },
    }),
    close: async () => {
      await host.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
