// A production host as the checklist describes it, in a container: sshd, a container engine of its own, `docker compose` and
// the panel's stack in /opt/proxpanel. The engine is nested, so that the host's /proc shows the panel's processes, as a real
// host's does; the outer engine is the lab's private one.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import ssh2, { type Client } from 'ssh2'
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import { firstSettings, panelSource, renderEnv, repository, withSettings } from '../../demo/panel-host.ts'
import type { LoginAddress } from '../../demo/site.ts'
import { labFolder, labKeyFile, runLab } from './labhosts.ts'

const envFile = '/opt/proxpanel/.env.production'
const compose =
  'cd /opt/proxpanel && docker compose --env-file .env.production -f infra/deploy/docker-compose.production.yml'

export interface ProductionHost {
  readonly ssh: LoginAddress
  /** Process id of the host's first process, as this machine sees it. */
  readonly pid: number
  /** On the engine's bridge. */
  readonly address: string
  /** http://127.0.0.1:PORT of the panel, through the host's sshd. */
  readonly panelUrl: string
  /** A URL that reaches the database by its container's address, which no trust rule covers. */
  databaseUrl(password: string): Promise<string>
  /** Runs a command as root inside the host, beside rota. Throws when it fails. */
  run(command: string, stdin?: string | Buffer): Promise<string>
  env(): Promise<Readonly<Record<string, string>>>
  /** Changes settings of the env file and recreates the containers. */
  setEnv(values: Readonly<Record<string, string>>): Promise<void>
  close(): Promise<void>
}

/** Capabilities and rules that an engine inside a container wants. Not `privileged`, which asks for every capability there is. */
class EngineContainer extends GenericContainer {
  constructor(image: string) {
    super(image)
    Object.assign(this.hostConfig, { DeviceCgroupRules: ['a *:* rwm'], MaskedPaths: [], ReadonlyPaths: [] })
    this.withAddedCapabilities('ALL')
    this.withDroppedCapabilities('SYS_RESOURCE')
    this.withSecurityOpt('seccomp=unconfined', 'apparmor=unconfined')
  }
}

/** Makes what is missing of the lab (the first time takes minutes), starts the host and its stack, seeds the panel. */
export async function startProductionHost(): Promise<ProductionHost> {
  setUp()
  const container = await new EngineContainer('rota-lab/production')
    .withHostname('my.votcloud.com')
    .withEnvironment({ AUTHORIZED_KEY: readFileSync(`${labKeyFile}.pub`, 'utf8').trim() })
    .withBindMounts(
      ['node', 'postgres'].map(image => ({
        source: join(labFolder, `${image}.tar`),
        target: `/images/${image}.tar`,
        mode: 'ro',
      })),
    )
    .withExposedPorts(22)
    .withWaitStrategy(Wait.forLogMessage(/Server listening on 0\.0\.0\.0 port 22/))
    .withStartupTimeout(120_000)
    .start()
  try {
    return await deploy(container)
  } catch (error) {
    await container.stop({ timeout: 0 })
    throw error
  }
}

/** Runs setup.sh and takes over the engine's environment, which testcontainers reads. */
function setUp(): void {
  runLab('setup.sh', 'engine')
  for (const [, name, value] of runLab('engine.sh', 'env').matchAll(/^export (\w+)=(.*)$/gm))
    process.env[name!] = value!
}

async function deploy(container: StartedTestContainer): Promise<ProductionHost> {
  const ssh: LoginAddress = {
    host: container.getHost(),
    port: container.getMappedPort(22),
    hostKey: (await container.exec(['cat', '/etc/ssh/ssh_host_ed25519_key.pub'])).stdout,
    user: 'deploy',
    key: readFileSync(labKeyFile, 'utf8'),
  }
  const client = await connect({ ...ssh, user: 'root' })
  const run = (command: string, stdin: string | Buffer = ''): Promise<string> => exec(client, command, stdin)
  const settings = firstSettings({ port: 3000, databasePort: 5432, databaseHost: 'db' })
  await run('mkdir -p /opt/proxpanel && tar -x -C /opt/proxpanel', packPanel())
  await run(`umask 077; cat >${envFile}`, renderEnv(settings))
  await run(
    `${compose} up -d --build --wait 2>&1 && docker compose -p proxpanel exec -T panel npm run prisma:seed`,
  )
  const tunnels: Server[] = []
  const tunnel = async (host: string, port: number): Promise<number> => {
    const server = await openTunnel(client, host, port)
    tunnels.push(server)
    return (server.address() as { port: number }).port
  }
  const env = async (): Promise<Record<string, string>> => parseSettings(await run(`cat ${envFile}`))
  const [pid, address] = placeOf(container)
  return {
    ssh,
    pid: Number(pid),
    address: address!,
    run,
    env,
    panelUrl: `http://127.0.0.1:${await tunnel('127.0.0.1', 3000)}`,
    databaseUrl: async password => {
      const address = await run(`${compose} exec -T db hostname -i`)
      return `postgresql://proxpanel:${password}@127.0.0.1:${await tunnel(address.trim(), 5432)}/proxpanel`
    },
    setEnv: async values => {
      await run(`cat >${envFile}`, withSettings(await run(`cat ${envFile}`), values))
      await run(`${compose} up -d --wait 2>&1`)
    },
    close: async () => {
      for (const server of tunnels) server.close()
      client.end()
      await container.stop({ timeout: 0 })
    },
  }
}

function placeOf(container: StartedTestContainer): readonly string[] {
  const format = '{{.State.Pid}} {{.NetworkSettings.IPAddress}}'
  return execFileSync('docker', ['inspect', '-f', format, container.getId()], { encoding: 'utf8' })
    .trim()
    .split(' ')
}

/** A tar of the panel's folder with the packages it needs, as its release would bring them. */
export function packPanel(): Buffer {
  const packages = [...packagesOf('pg')].map(name => `node_modules/${name}`)
  const { status, stdout, stderr } = spawnSync(
    'tar',
    ['-c', '-C', panelSource, '--exclude=./node_modules', '.', '-C', repository, ...packages],
    { maxBuffer: 1 << 28 },
  )
  if (status !== 0) throw new Error(`tar failed: ${stderr}`)
  return stdout
}
function packagesOf(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found
  found.add(name)
  const file = join(repository, 'node_modules', name, 'package.json')
  const { dependencies = {} } = JSON.parse(readFileSync(file, 'utf8')) as {
    dependencies?: Record<string, string>
  }
  for (const next of Object.keys(dependencies)) packagesOf(next, found)
  return found
}

/** NAME=VALUE lines as renderEnv writes them. */
function parseSettings(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, name, value]) => [name!, value!]),
  )
}

function connect({ host, port, user, key }: LoginAddress): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client()
    client
      .on('ready', () => resolve(client))
      .on('error', reject)
      .connect({ host, port, username: user, privateKey: key })
  })
}

function exec(client: Client, command: string, stdin: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) =>
    client.exec(command, (error, channel) => {
      if (error) return reject(error)
      let stdout = ''
      let stderr = ''
      channel.on('data', (chunk: Buffer) => {
        stdout += chunk
      })
      channel.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk
      })
      channel.on('close', (code: number | null) =>
        code === 0 ? resolve(stdout) : reject(new Error(`${command}: exit ${code}: ${stderr || stdout}`)),
      )
      channel.end(stdin)
    }),
  )
}

function openTunnel(client: Client, host: string, port: number): Promise<Server> {
  const server = createServer(socket =>
    client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
      socket.on('error', () => channel?.destroy())
      if (error) socket.destroy()
      else socket.pipe(channel).pipe(socket)
    }),
  )
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)))
}
