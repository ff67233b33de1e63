// One production host with its panel, and an operator's desk to run rota from: what the demo and the scenes without root play on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKey, startEmbeddedHost } from '../test/support/embedded-host.ts'
import { type Panel, repository, startPanel } from './panel-host.ts'

export interface Ran {
  readonly code: number | null
  readonly output: string
}
export interface Desk {
  /** Inventory file that names the host. */
  readonly inventory: string
  /** The operator's age identity, made by rota when it is first needed. */
  readonly identity: string
  /** Folder of rota's runs, one folder each. */
  readonly runs: string
  /** Runs the built `dist/rota.mjs` as an operator would; `live` shows its output as it comes. */
  rota(args: readonly string[], options?: { readonly live?: boolean }): Promise<Ran>
  /** The same, to be killed half way, or in another folder than the repository. */
  start(args: readonly string[], folder?: string): ChildProcess
}
export interface Site {
  /** The root of the host's files: its /opt/proxpanel is `root`/opt/proxpanel. */
  readonly root: string
  readonly panel: Panel
  /** What an inventory says of the host. */
  readonly variables: Readonly<Record<string, unknown>>
  readonly desk: Desk
  close(): Promise<void>
}

/** The operator's desk is made in `folder` and stays after `close`; the host goes. */
export async function openSite(folder: string): Promise<Site> {
  const operator = generateKey()
  const host = await startEmbeddedHost({ authorizedKey: operator.public })
  const { root } = host
  // PostgreSQL runs as another user when this is root, and has to reach its folder.
  chmodSync(root, 0o711)
  const panel = await startPanel(root).catch(async (error: unknown) => {
    await host.close()
    throw error
  })
  const address = {
    host: '127.0.0.1',
    port: host.port,
    hostKey: host.hostKey,
    user: 'root',
    key: operator.private,
  }
  const variables = { ...loginVariables(folder, address), ...panelVariables(root, panel) }
  return {
    root,
    panel,
    variables,
    desk: openDesk(folder, { 'my.votcloud.com': variables }),
    close: async () => {
      await panel.stop()
      await host.close()
    },
  }
}

/** What the playbooks have to know of this host: no container engine, no psql, no other user to become. */
function panelVariables(root: string, panel: Panel): Record<string, unknown> {
  return {
    panel_become: false,
    // The demo may run as root, but its host's /var/lib is not this machine's.
    rota_host_folder: join(root, 'var', 'lib', 'rota'),
    panel_dir: panel.folder,
    panel_url: panel.url,
    backup_root: join(root, 'opt', 'proxpanel-backups'),
    summary_file: join(root, 'root', 'proxpanel-secret-rotation-{{ rota_timestamp }}.txt'),
    free_mib: 16,
    stack: 'command',
    restart_command: './panelctl restart',
    stop_command: './panelctl stop',
    seed_command: 'set -a; . ./.env.production; npm run prisma:seed',
    // Another system than Linux has no /proc to look a process up in.
    ...(process.platform === 'linux' ? {} : { panel_process_secrets: [] }),
    database_via: 'forward',
    database_socket: panel.database.socketFolder,
    database_host: '127.0.0.1',
    database_port: panel.database.port,
  }
}

export interface LoginAddress {
  readonly host: string
  readonly port: number
  /** Public key of the host, as in known_hosts. */
  readonly hostKey: string
  readonly user: string
  /** The operator's private key, in OpenSSH's form. */
  readonly key: string
}

/** Key and known_hosts on the operator's desk, and the variables that name them. */
export function loginVariables(folder: string, address: LoginAddress): Record<string, unknown> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'id'), address.key, { mode: 0o600 })
  const hostKey = address.hostKey.trim().split(' ').slice(0, 2).join(' ')
  const name = address.port === 22 ? address.host : `[${address.host}]:${address.port}`
  writeFileSync(join(folder, 'known_hosts'), `${name} ${hostKey}\n`)
  return {
    ansible_host: address.host,
    ansible_port: address.port,
    ansible_user: address.user,
    ansible_ssh_private_key_file: join(folder, 'id'),
    ansible_ssh_common_args: `-F none -o UserKnownHostsFile=${join(folder, 'known_hosts')}`,
  }
}

/** An operator's folder of its own: an inventory of panel hosts and their variables, rota's state and configuration. */
export function openDesk(
  folder: string,
  hosts: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): Desk {
  mkdirSync(folder, { recursive: true })
  const inventory = join(folder, 'inventory.yml')
  // JSON is YAML.
  writeFileSync(inventory, `${JSON.stringify({ all: { children: { panel: { hosts } } } }, null, 2)}\n`)
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: folder,
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    ...(process.stdout.isTTY ? { TERM: process.env['TERM'] ?? 'xterm' } : {}),
  }
  const start = (args: readonly string[], live: boolean, cwd = repository): ChildProcess =>
    spawn(process.execPath, [join(repository, 'dist', 'rota.mjs'), ...args], {
      cwd,
      env,
      stdio: live ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    })
  return {
    inventory,
    identity: join(folder, 'config', 'rota', 'identity'),
    runs: join(folder, 'state', 'rota', 'runs'),
    start: (args, cwd) => start(args, false, cwd),
    rota: async (args, options = {}) => {
      const child = start(args, options.live ?? false)
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', chunk => {
          output += chunk
        })
      const [code] = (await once(child, 'close')) as [number | null]
      return { code, output }
    },
  }
}
