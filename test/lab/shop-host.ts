// A host that boots systemd, with MariaDB, Redis and the shop: see the folder `shop` beside this file.
import { existsSync, readFileSync } from 'node:fs'
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import type { LoginAddress } from '../../demo/site.ts'
import { labKeyFile, runLab } from './labhosts.ts'

export interface ShopHost {
  readonly ssh: LoginAddress
  /** Runs sh as root on the host, beside rota. Throws when it fails. */
  run(command: string): Promise<string>
  close(): Promise<void>
}

/** `systemctl is-active` of several units is content with one. */
const ready = ['multi-user.target', 'mariadb', 'redis-server']
  .map(unit => `systemctl is-active ${unit}`)
  .join(' && ')
const HIERARCHY = '/sys/fs/cgroup/systemd'

/** What systemd wants of a container: its own mounts, and with control groups of version 1 its hierarchy. Not `privileged`. */
class SystemdContainer extends GenericContainer {
  constructor(image: string) {
    super(image)
    this.withAddedCapabilities('SYS_ADMIN')
    this.withSecurityOpt('seccomp=unconfined', 'apparmor=unconfined')
    this.withTmpFs({ '/run': '', '/run/lock': '', '/tmp': '' })
    if (!existsSync(HIERARCHY)) return
    Object.assign(this.hostConfig, { CgroupnsMode: 'host' })
    this.withBindMounts([{ source: HIERARCHY, target: HIERARCHY, mode: 'rw' }])
  }
}

/** Makes what is missing of the lab (the first time takes minutes), boots the host and installs the shop with these passwords. */
export async function startShopHost(passwords: {
  readonly database: string
  readonly redis: string
}): Promise<ShopHost> {
  runLab('setup.sh', 'shop')
  for (const [, name, value] of runLab('engine.sh', 'env').matchAll(/^export (\w+)=(.*)$/gm))
    process.env[name!] = value!
  const container = await new SystemdContainer('rota-lab/shop')
    .withHostname('shop')
    .withEnvironment({ AUTHORIZED_KEY: readFileSync(`${labKeyFile}.pub`, 'utf8').trim() })
    .withExposedPorts(22)
    // Before that PAM lets only root in.
    .withWaitStrategy(Wait.forSuccessfulCommand(ready))
    .withStartupTimeout(120_000)
    .start()
  const run = (command: string): Promise<string> => execute(container, command)
  try {
    await run(`printf '%s\n' ${passwords.database} ${passwords.redis} | sh /opt/shop/install.sh 2>&1`)
    return {
      ssh: {
        host: container.getHost(),
        port: container.getMappedPort(22),
        hostKey: await run('cat /etc/ssh/ssh_host_ed25519_key.pub'),
        user: 'deploy',
        key: readFileSync(labKeyFile, 'utf8'),
      },
      run,
      close: async () => void (await container.stop({ timeout: 0 })),
    }
  } catch (error) {
    await container.stop({ timeout: 0 })
    throw error
  }
}

async function execute(container: StartedTestContainer, command: string): Promise<string> {
  const { exitCode, output } = await container.exec(['sh', '-c', command])
  if (exitCode === 0) return output
  throw new Error(`${command}: exit ${exitCode}: ${output}`)
}
