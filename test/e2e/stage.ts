// A host with its panel and an operator's desk, whatever it is made of: what the scenes are played on.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Desk, loginVariables, openDesk, openSite } from '../../demo/site.ts'
import { loadIdentity } from '../../src/secrets/identity.ts'
import { startProductionHost } from '../lab/production-host.ts'

export type Env = Readonly<Record<string, string>>
export interface Colleague {
  readonly desk: Desk
  /** The key of theirs that a run is sealed to. */
  readonly recipient: string
}
export interface Stage {
  readonly desk: Desk
  readonly panelUrl: string
  /** Below which the host's /opt/proxpanel-backups and /root lie: '' on a host of its own. */
  readonly root: string
  /** An address of this machine that the host and its panel reach: where doubles of providers can listen. */
  readonly neighbour: string
  /** Another operator, at another desk, with a key of their own. */
  colleague(name: string): Promise<Colleague>
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

async function openColleague(
  folder: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<Colleague> {
  const desk = openDesk(folder, { 'my.votcloud.com': variables })
  const { recipient } = await loadIdentity(join(folder, 'config', 'rota'))
  return { desk, recipient }
}

/** The demo's host: embedded SSH server, embedded PostgreSQL, the panel as a process. No root, no container. */
export async function openDemoStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-desk-'))
  const { root, panel, desk, variables, close } = await openSite(folder)
  return {
    root,
    desk,
    neighbour: '127.0.0.1',
    colleague: name => openColleague(join(folder, name), variables),
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
    neighbour: '10.213.0.1', // the engine's bridge: test/lab/engine.sh
    colleague: name => {
      const own = join(folder, name)
      return openColleague(own, { ...loginVariables(own, host.ssh), free_mib: 64 })
    },
    desk: openDesk(folder, {
      'my.votcloud.com': { ...loginVariables(folder, host.ssh), free_mib: 64 },
    }),
    close: async () => {
      await host.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
