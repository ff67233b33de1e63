// An SSH host inside this process (npm ssh2's Server): no root, no sshd, no Docker. Every exec is a real /bin/sh in a
// folder of its own, so it serves as a demo's host, as a test's, and as one that misbehaves on purpose (see Faults).
// No stand-in for sshd: no pty, no other users, no PAM, no sftp.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, timingSafeEqual } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2, {
  type AuthContext,
  type Connection,
  type ParsedKey,
  type ServerChannel,
  type Session,
} from 'ssh2'

export interface Faults {
  /** Resets the TCP connection after so many bytes of commands' output. */
  cutAfterBytes?: number
  /** Accepts TCP connections and then says nothing at all. */
  mute?: boolean
  /** Drops so many connections before the handshake, as sshd's MaxStartups does. */
  dropConnections?: number
  /** Refuses exec channels beyond this number on one connection, as sshd's MaxSessions does. */
  maxSessions?: number
  /** Neither opens channels nor refuses them from now on, while it answers keepalives. */
  silentChannels?: boolean
  /** Runs the command, but never reports its exit status. */
  noExitStatus?: boolean
  /** Text before the command's output, as a noisy ~/.bashrc prints it. */
  noise?: string
}

export interface EmbeddedHost {
  readonly host: string
  readonly port: number
  /** The commands' working folder and HOME. Removed by `close`. */
  readonly root: string
  /** The host's public key, as in known_hosts: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string
  /** May be changed at any time. */
  readonly faults: Faults
  /** Every command line that was run. */
  readonly commands: readonly string[]
  /** Every authentication method that was tried, in order. */
  readonly logins: readonly string[]
  /** Resets every connection. */
  dropAll(): void
  /** Swallows everything that clients send from now on: a cut cable. */
  freeze(): void
  close(): Promise<void>
}

export interface EmbeddedHostOptions {
  /** A public key in OpenSSH's format. */
  readonly authorizedKey?: string
  readonly password?: string
  /** Takes the password by keyboard-interactive only, asking these questions; the first is the password. */
  readonly questions?: readonly string[]
  readonly host?: string
  readonly port?: number
  /** Added to the commands' environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly faults?: Faults
}

/** Starts a host on a loopback address. */
export async function startEmbeddedHost(options: EmbeddedHostOptions = {}): Promise<EmbeddedHost> {
  const hostKey = generateKey()
  const root = mkdtempSync(join(tmpdir(), 'rota-host-'))
  const world: World = {
    options,
    root,
    faults: { ...options.faults },
    commands: [],
    logins: [],
    connections: new Set(),
    children: new Set(),
    sockets: new Set(),
    authorizedKey: options.authorizedKey === undefined ? undefined : parsePublicKey(options.authorizedKey),
  }
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, connection => serve(world, connection))
  tapSockets(world, server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', () => resolve())
  })
  const bound = server.address() as { address: string; port: number }
  return {
    host: bound.address,
    port: bound.port,
    root,
    hostKey: hostKey.public.split(' ').slice(0, 2).join(' '),
    faults: world.faults,
    commands: world.commands,
    logins: world.logins,
    dropAll: () => {
      for (const socket of world.sockets) socket.resetAndDestroy()
    },
    freeze: () => {
      for (const socket of world.sockets) socket.removeAllListeners('data').pause()
    },
    close: async () => {
      for (const socket of world.sockets) socket.destroy()
      for (const child of world.children) signalGroup(child, 'SIGKILL')
      await new Promise<void>(resolve => server.close(() => resolve()))
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** ssh2 1.17.0 now and then writes an ed25519 key that it cannot read itself. */
export function generateKey(): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519')
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair
  }
}

interface World {
  readonly options: EmbeddedHostOptions
  readonly root: string
  readonly faults: Faults
  readonly commands: string[]
  readonly logins: string[]
  readonly connections: Set<Connection>
  readonly children: Set<ChildProcess>
  readonly sockets: Set<Socket>
  readonly authorizedKey: ParsedKey | undefined
}

function parsePublicKey(text: string): ParsedKey {
  const key: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text)
  if (key instanceof Error) throw key
  return Array.isArray(key) ? key[0]! : key
}

/** `mute` and `dropConnections` act before ssh2 says its identification, so on the raw sockets. */
function tapSockets(world: World, server: unknown): void {
  const net = (server as { _srv: NetServer })._srv
  const handlers = net.listeners('connection') as ((socket: Socket) => void)[]
  net.removeAllListeners('connection')
  net.on('connection', socket => {
    world.sockets.add(socket)
    socket.on('close', () => world.sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    if (world.faults.mute) return
    if (world.faults.dropConnections) {
      world.faults.dropConnections--
      socket.destroy()
    } else for (const handler of handlers) handler.call(net, socket)
  })
}

function serve(world: World, connection: Connection): void {
  let sessions = 0
  world.connections.add(connection)
  connection.on('error', () => {})
  connection.on('close', () => world.connections.delete(connection))
  connection.on('authentication', context => authenticate(world, context))
  connection.on('session', (accept, reject) => {
    if (world.faults.silentChannels) return
    if (world.faults.maxSessions !== undefined && sessions >= world.faults.maxSessions) {
      reject()
      return
    }
    sessions++
    const session = accept()
    session.on('close', () => {
      sessions--
    })
    serveSession(world, session, connection)
  })
  connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
    if (!world.faults.silentChannels) forward(connect(destPort, destIP), accept, reject)
  })
  // Unknown to the types: a Unix socket instead of a port.
  connection.on('openssh.streamlocal' as 'tcpip', (accept, reject, info) =>
    forward(connect((info as unknown as { socketPath: string }).socketPath), accept, reject),
  )
}

function forward(socket: Socket, accept: () => ServerChannel, reject: () => void): void {
  socket.once('error', reject)
  socket.once('connect', () => {
    const channel = accept()
    socket.setNoDelay(true)
    socket.removeAllListeners('error').on('error', () => channel.end())
    channel.on('error', () => {})
    socket.pipe(channel).pipe(socket)
  })
}

function authenticate({ options, logins, authorizedKey }: World, context: AuthContext): void {
  logins.push(context.method)
  const isSame = (given: string): boolean =>
    options.password !== undefined && isEqual(given, options.password)
  const methods = ['publickey', options.questions ? 'keyboard-interactive' : 'password'] as const
  if (context.method === 'keyboard-interactive' && options.questions)
    context.prompt(
      options.questions.map(prompt => ({ prompt, echo: false })),
      answers =>
        isSame(answers[0] ?? '') && answers.length === 1 ? context.accept() : context.reject([...methods]),
    )
  else if (context.method === 'password' && !options.questions && isSame(context.password)) context.accept()
  else if (context.method === 'publickey' && isAuthorized(authorizedKey, context)) context.accept()
  else context.reject([...methods])
}

function isAuthorized(
  key: ParsedKey | undefined,
  context: Extract<AuthContext, { method: 'publickey' }>,
): boolean {
  if (key === undefined || !context.key.data.equals(key.getPublicSSH())) return false
  if (context.signature === undefined || context.blob === undefined) return true
  return key.verify(context.blob, context.signature, context.hashAlgo) === true
}

function isEqual(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function serveSession(world: World, session: Session, connection: Connection): void {
  let child: ChildProcess | undefined
  session.on('exec', (accept, _reject, { command }) => {
    world.commands.push(command)
    child = runCommand(world, accept(), command, connection)
  })
  session.on('signal', (accept, _reject, { name }) => {
    if (child) signalGroup(child, `SIG${name}` as NodeJS.Signals)
    accept?.()
  })
}

function runCommand(
  world: World,
  channel: ServerChannel,
  command: string,
  connection: Connection,
): ChildProcess {
  const { root, faults, options } = world
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: root,
    // A process group of its own, as sshd gives every channel one.
    detached: true,
    stdio: 'pipe',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: root, SHELL: '/bin/sh', ...options.env },
  })
  world.children.add(child)
  if (faults.noise !== undefined) channel.write(faults.noise)
  let sentBytes = 0
  const count = (bytes: Buffer): void => {
    sentBytes += bytes.length
    if (faults.cutAfterBytes === undefined || sentBytes <= faults.cutAfterBytes) return
    ;(connection as unknown as { _sock: Socket })._sock.resetAndDestroy()
  }
  child.stdout.on('data', count)
  child.stderr.on('data', count)
  child.stdout.pipe(channel, { end: false })
  child.stderr.pipe(channel.stderr, { end: false })
  channel.pipe(child.stdin)
  child.stdin.on('error', () => {})
  channel.on('error', () => {})
  // As sshd does: the status at once, the end when nothing holds the pipes any more.
  child.on('exit', (code, signal) => {
    if (faults.noExitStatus) return
    if (signal) channel.exit(signal.replace(/^SIG/, ''), false, '')
    else channel.exit(code ?? 255)
  })
  child.on('close', () => {
    world.children.delete(child)
    channel.end()
  })
  return child
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It has ended in between.
  }
}
