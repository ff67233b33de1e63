// Isolated SSH hosts without containers, from a test: see the script `labhosts` beside this file.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../../demo/panel-host.ts'

export const labFolder = process.env['ROTA_LAB'] ?? join(repository, '.lab')
/** The private key that root and `deploy` of every lab host take. */
export const labKeyFile = join(labFolder, 'id')

/** Why no lab can be made here, or undefined. On CI there is no such reason: a test has to fail then, not to skip. */
export function whyNoLab(): string | undefined {
  if (process.env['CI']) return undefined
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version'))
    return 'the lab is made of Debian packages'
  if (process.getuid?.() !== 0) return 'the lab needs root'
  return undefined
}

/** Runs one of the lab's scripts and gives its output; its own words go to stderr. Throws when it fails. */
export function runLab(script: string, ...args: readonly string[]): string {
  return execFileSync(join(repository, 'test', 'lab', script), args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

export interface LabHost {
  readonly name: string
  readonly address: string
  readonly port: number
  /** Process id of the host's first process, as this machine sees it. */
  readonly pid: number
}

/** Boots `count` hosts; the first time makes their root file systems. Options as of `labhosts up`. */
export function startLabHosts(count: number, ...options: readonly string[]): readonly LabHost[] {
  runLab('setup.sh', 'hosts')
  return runLab('labhosts', 'up', String(count), ...options)
    .trim()
    .split('\n')
    .map(line => line.split(' '))
    .map(([name, address, port, pid]) => ({
      name: name!,
      address: address!,
      port: Number(port),
      pid: Number(pid),
    }))
}

export function stopLabHosts(hosts: readonly LabHost[]): void {
  if (hosts.length > 0) runLab('labhosts', 'down', ...hosts.map(host => host.name))
}
