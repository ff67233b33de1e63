import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { type ErrorCode, problem } from '../core/error.ts'
import type { Address, Ended } from '../core/remote.ts'
import type { Channel, Connection } from './connection.ts'
import { openLocalLink } from './local.ts'

/** ssh's own exit status when it, and not the command, failed. */
const SSH_FAILED = 255

/**
 * The system's ssh as transport, for what ssh2 cannot: GSSAPI, PKCS#11, security keys, certificates, post-quantum
 * key exchange. Each channel is one ssh process; with ControlMaster in ssh_config they share a connection.
 * Throws E_AUTH for a password or passphrase: ssh takes those from a terminal only.
 */
export function openOpenssh(address: Address): Connection {
  if (address.password !== undefined || address.passphrase !== undefined)
    throw problem('E_AUTH', `${address.name}: the openssh transport takes no password or passphrase`, {
      hint: 'use a key in ssh-agent, or set ansible_connection: ssh',
    })
  const argv = renderSsh(address)
  return {
    isOver: false,
    start: async command => watchEnd(await openLocalLink([...argv, '--', address.host, command])),
    async forward(to) {
      if ('socket' in to)
        throw problem(
          'E_UNREACHABLE',
          `${address.name}: the openssh transport forwards to ports only, not to ${to.socket}`,
          {
            hint: 'set ansible_connection: ssh',
          },
        )
      const child = spawn(argv[0]!, [...argv.slice(1), '-W', `${to.host}:${to.port}`, '--', address.host], {
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      child.on('error', () => {})
      return Duplex.from({ writable: child.stdin, readable: child.stdout })
    },
    close() {},
  }
}

/** ssh with the address's options; never asks anything. */
export function renderSsh(address: Address): string[] {
  const option = (name: string, value: string | number): string[] => ['-o', `${name}=${value}`]
  const files = address.knownHostsFiles
  return [
    'ssh',
    '-T',
    ...address.sshArgs,
    ...option('BatchMode', 'yes'),
    ...option('StrictHostKeyChecking', address.hostKeyChecking === 'strict' ? 'yes' : 'accept-new'),
    ...option('ConnectTimeout', Math.max(1, Math.ceil(address.connectTimeoutMs / 1000))),
    ...option('ServerAliveInterval', 15),
    ...option('ServerAliveCountMax', 4),
    ...(files ? option('UserKnownHostsFile', files.join(' ')) : []),
    ...(address.port === undefined ? [] : ['-p', String(address.port)]),
    ...(address.user === undefined ? [] : ['-l', address.user]),
    ...address.identityFiles.flatMap(file => ['-i', file]),
  ]
}

/** ssh's own failure is no exit status of the shell's. */
function watchEnd(link: Channel): Channel {
  const ended = link.ended.then(
    (end): Ended =>
      'code' in end && end.code === SSH_FAILED
        ? { unknown: 'ssh lost the connection, or the shell there was killed' }
        : end,
  )
  return { ...link, ended }
}

/** What kind of failure ssh speaks of: its exit status is 255 for all of them. */
export function blameSsh(said: string): ErrorCode {
  if (said.includes('Host key verification failed')) return 'E_HOST_KEY'
  return said.includes('Permission denied') ? 'E_AUTH' : 'E_UNREACHABLE'
}
