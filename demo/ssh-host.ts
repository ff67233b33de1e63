// An SSH host inside this process: no root, no sshd. Every command is a real /bin/sh in the host's folder; connections are
// forwarded as sshd does it. Not a substitute for sshd: no terminal, no other users, no SFTP.
import { type ChildProcess, spawn } from 'node:child_process'
import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createConnection, type Server, type Socket } from 'node:net'
import ssh2, { type Connection, type ParsedKey, type PublicKeyAuthContext, type ServerChannel } from 'ssh2'

export interface SshHost {
  readonly port: number
  /** As in known_hosts: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string
  close(): Promise<void>
}

/** Listens on 127.0.0.1 on a free port; lets in whoever holds the private key of `authorizedKey`, under any user's name. */
export async function startSshHost(options: { root: string; authorizedKey: string }): Promise<SshHost> {
  const hostKey = ssh2.utils.generateKeyPairSync('ed25519')
  const authorized = ssh2.utils.parseKey(options.authorizedKey)
  if (authorized instanceof Error) throw authorized
  const connections = new Set<Connection>()
  const children = new Set<ChildProcess>()
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, connection => {
    connections.add(connection)
    connection.on('error', () => {}).on('close', () => connections.delete(connection))
    connection.on('authentication', context =>
      context.method === 'publickey' && isHolder(authorized, context)
        ? context.accept()
        : context.reject(['publickey']),
    )
    connection.on('ready', () => serve(connection, options.root, children))
  })
  // As sshd does: without it every small answer waits 40 ms for the client's delayed acknowledgement.
  const { _srv: listener } = server as unknown as { readonly _srv: Server }
  listener.on('connection', (socket: Socket) => socket.setNoDelay(true))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    hostKey: hostKey.public,
    close: async () => {
      for (const connection of connections) connection.end()
      for (const child of children) endGroup(child, 'SIGKILL')
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

function isHolder(authorized: ParsedKey, context: PublicKeyAuthContext): boolean {
  const known = authorized.getPublicSSH()
  if (context.key.data.length !== known.length || !timingSafeEqual(context.key.data, known)) return false
  // Without a signature the client only asks whether this key would do.
  if (!context.signature) return true
  return authorized.verify(context.blob!, context.signature, context.hashAlgo) === true
}

function serve(connection: Connection, root: string, children: Set<ChildProcess>): void {
  connection.on('session', accept => {
    let child: ChildProcess | undefined
    accept()
      .on('exec', (acceptExec, _reject, { command }) => {
        child = runCommand(acceptExec(), command, root)
        children.add(child)
        child.on('close', () => children.delete(child!))
      })
      .on('signal', (acceptSignal, _reject, { name }) => {
        if (child) endGroup(child, `SIG${name}` as NodeJS.Signals)
        acceptSignal?.()
      })
  })
  connection.on('tcpip', (accept, reject, { destIP, destPort }) =>
    forward(createConnection(destPort, destIP), accept, reject),
  )
  connection.on('openssh.streamlocal' as 'tcpip', (accept, reject, info) =>
    forward(createConnection((info as unknown as { socketPath: string }).socketPath), accept, reject),
  )
}

/** In a process group of its own, so that a lost connection takes the whole command down, as sshd's SIGHUP does. */
function runCommand(channel: ServerChannel, command: string, root: string): ChildProcess {
  const { PATH = '/usr/bin:/bin' } = process.env
  const env = { PATH, HOME: root, USER: 'root', LOGNAME: 'root', SHELL: '/bin/sh' }
  const child = spawn('/bin/sh', ['-c', command], { cwd: root, detached: true, env })
  channel.pipe(child.stdin)
  child.stdin.on('error', () => {}) // the command may end without reading its input
  child.stdout.pipe(channel, { end: false })
  child.stderr.pipe(channel.stderr, { end: false })
  child.on('close', (code, signal) => {
    if (signal) channel.exit(signal.slice(3), false, '')
    else channel.exit(code ?? 255)
    channel.end()
  })
  channel.on('close', () => {
    if (child.exitCode === null) endGroup(child, 'SIGHUP')
  })
  return child
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {
    // it has ended meanwhile
  }
}

function forward(socket: Socket, accept: () => ServerChannel, reject: () => void): void {
  socket.once('error', reject)
  socket.setNoDelay(true)
  socket.once('connect', () => {
    socket.off('error', reject)
    const channel = accept()
    socket.on('error', () => channel.end())
    channel.on('error', () => socket.destroy())
    socket.pipe(channel).pipe(socket)
  })
}
