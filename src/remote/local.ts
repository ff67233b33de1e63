import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { problem } from '../core/error.ts'
import type { Ended, Session } from '../core/remote.ts'
import type { Channel } from './connection.ts'

/** Leaders of the groups that run now. */
const running = new Set<number>()
process.on('exit', () => {
  for (const pid of running) hangUp(pid)
})

/** What sshd's end does to a program on a target: without it, a second ^C here would leave a task's program running. */
function hangUp(pid: number): void {
  try {
    process.kill(-pid, 'SIGHUP')
  } catch {
    // the group has ended meanwhile
  }
}

/**
 * Starts a program on this machine, as the leader of a process group and session of its own; `env` is added to its
 * environment, `cwd` is where it starts. Example: `openLocalLink(['/bin/sh', '-c', bootstrap])`. Throws E_UNREACHABLE when it cannot be started.
 */
export async function openLocalLink(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Channel & { readonly pid: number }> {
  const [file = '', ...args] = argv
  const child = spawn(file, args, {
    detached: true,
    stdio: 'pipe',
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  })
  let close = (): void => {}
  const ended = new Promise<Ended>(resolve => {
    close = () => {
      for (const stream of child.stdio) stream?.destroy()
      resolve({ unknown: 'the channel was closed' })
    }
    child.once('close', (code, signal) => resolve(signal === null ? { code: code ?? 0 } : { signal }))
  })
  const exited = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
  })
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw problem('E_UNREACHABLE', `${file} cannot be started on this machine`, { cause })
  }
  const { stdin, stdout, stderr, pid = 0 } = child
  running.add(pid)
  child.once('exit', () => running.delete(pid))
  return { stdin, stdout, stderr, ended, exited, close, pid }
}

/** A connection from this machine. Throws E_UNREACHABLE. */
export async function forwardLocally(to: Parameters<Session['forward']>[0]): Promise<Duplex> {
  const socket = 'socket' in to ? connect(to.socket) : connect(to.port, to.host)
  socket.setNoDelay(true)
  try {
    await once(socket, 'connect')
  } catch (cause) {
    const where = 'socket' in to ? to.socket : `${to.host}:${to.port}`
    throw problem('E_UNREACHABLE', `cannot connect to ${where} from this machine`, { cause })
  }
  return socket
}
