// The lab's hosts have to be separate hosts, and to leave nothing behind.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type LabHost,
  labFolder,
  labKeyFile,
  runLab,
  startLabHosts,
  stopLabHosts,
  whyNoLab,
} from './labhosts.ts'

const why = whyNoLab()
if (why) console.log(`skipped, lab hosts: ${why}`)

const ssh = (host: LabHost, command: string, user = 'root') => {
  const options = [
    'BatchMode=yes',
    'ConnectTimeout=2',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ]
  const args = [
    '-F',
    'none',
    ...options.flatMap(one => ['-o', one]),
    '-i',
    labKeyFile,
    '-p',
    String(host.port),
  ]
  const { status, stdout } = spawnSync('ssh', [...args, `${user}@${host.address}`, command], {
    encoding: 'utf8',
  })
  return { status, stdout }
}

describe.skipIf(why).each(['debian', 'tiny'])('%s hosts', kind => {
  let hosts: readonly LabHost[] = []
  beforeAll(() => {
    hosts = startLabHosts(2, '--kind', kind, '--prefix', `test-${kind}-`)
  }, 600_000)
  afterAll(() => stopLabHosts(hosts))

  it('have names, files and processes of their own', () => {
    for (const host of hosts) {
      expect(ssh(host, 'hostname')).toEqual({ status: 0, stdout: `${host.name}\n` })
      expect(ssh(host, 'echo mine >/root/file; ls /proc | grep -c "^[0-9]"').status).toBe(0)
    }
    ssh(hosts[0]!, 'rm /root/file')
    expect(ssh(hosts[1]!, 'cat /root/file').stdout).toBe('mine\n')
    expect(ssh(hosts[1]!, 'id -un', 'deploy').stdout).toBe('deploy\n')
  })

  it('can be cut off the network and healed', () => {
    const [host] = hosts
    runLab('labhosts', 'cut', host!.name)
    expect(ssh(host!, 'true').status).toBe(255)
    runLab('labhosts', 'heal', host!.name)
    expect(ssh(host!, 'true').status).toBe(0)
  })

  it('are gone without a trace after down', () => {
    stopLabHosts(hosts)
    for (const { name, pid } of hosts) {
      expect(existsSync(join(labFolder, 'hosts', name))).toBe(false)
      const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout
      expect(state).toMatch(/^(Z.*)?\n?$/)
      expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(name)
    }
    hosts = []
  })
})
