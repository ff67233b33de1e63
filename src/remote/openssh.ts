import { Duplex } from 'node:stream'
import { type ErrorCode, problem } from '../core/error.ts'
import type { Address, Ended } from '../core/remote.ts'
import { type Askpass, openAskpass } from './askpass.ts'
import type { Channel, Connection } from './connection.ts'
import { openLocalLink } from './local.ts'

/** ssh's own exit status when it, and not the command, failed. */
const SSH_FAILED = 255

/**
 * The system's ssh as transport, for what ssh2 cannot: GSSAPI, PKCS#11, keys of a security key's in files, post-quantum
 * key exchange. Each channel is one ssh process; with ControlMaster in ssh_config they share a connection. Passwords and
 * passphrases get to ssh by `openAskpass`.
 */
export function openOpenssh(address: Address): Connection {
  const argv = renderSsh(address)
  const asking = new Set<Askpass>()
  return {
    isOver: false,
    async start(command) {
      return watchEnd(await startSsh(address, [...argv, '--', address.host, command], asking))
    },
    async forward(to) {
      if ('socket' in to)
        throw problem(
          'E_UNREACHABLE',
          `${address.name}: the openssh transport forwards to ports only, not to ${to.socket}`,
          {
            hint: 'set ansible_connection: ssh',
          },
        )
      const through = ['-W', `${to.host}:${to.port}`]
      const link = await startSsh(address, [...argv, ...through, '--', address.host], asking)
      link.stderr.resume()
      return Duplex.from({ writable: link.stdin, readable: link.stdout })
    },
    close() {
      for (const askpass of asking) askpass.close()
    },
  }
}

const isAsking = ({ password, passphrase }: Address): boolean =>
  password !== undefined || passphrase !== undefined

async function startSsh(address: Address, argv: readonly string[], asking: Set<Askpass>): Promise<Channel> {
  if (!isAsking(address)) return await openLocalLink(argv)
  const askpass = await openAskpass(address)
  asking.add(askpass)
  const close = (): void => {
    asking.delete(askpass)
    askpass.close()
  }
  try {
    const link = await openLocalLink(argv, askpass.env)
    askpass.allow(link.pid)
    void link.ended.then(close)
    return link
  } catch (error) {
    close()
    throw error
  }
}

/** ssh with the address's options. It asks nothing, or once for each secret that the address has. */
function renderSsh(address: Address): string[] {
  const option = (name: string, value: string | number): string[] => ['-o', `${name}=${value}`]
  const files = address.knownHostsFiles
  return [
    'ssh',
    '-T',
    ...address.sshArgs,
    ...renderAsking(address).flatMap(([name, value]) => option(name, value)),
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

/** A second prompt for a passphrase tells that it was wrong; one for a password would cost an attempt to log in. */
function renderAsking(address: Address): [name: string, value: string | number][] {
  if (!isAsking(address)) return [['BatchMode', 'yes']]
  const asking: [string, string | number] = ['BatchMode', 'no']
  if (address.password !== undefined) return [asking, ['NumberOfPasswordPrompts', 1]]
  const noPassword = ['PasswordAuthentication', 'KbdInteractiveAuthentication'] as const
  return [asking, ['NumberOfPasswordPrompts', 2], ...noPassword.map((name): [string, string] => [name, 'no'])]
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
