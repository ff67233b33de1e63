import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { problem } from '../core/error.ts'
import type { Redactor } from '../core/redact.ts'
import type { AcceptedLogin, Address, Become, Connections, Session } from '../core/remote.ts'
import type { KeyCache } from './auth.ts'
import { openBecomeLink } from './become.ts'
import { type Channel, type Connection, shellWord } from './connection.ts'
import { forwardLocally, openLocalLink } from './local.ts'
import type { Login } from './login.ts'
import { blameSsh, openOpenssh } from './openssh.ts'
import { bootstrap } from './prelude.ts'
import { ShellSession } from './session.ts'
import { resolveLogin } from './ssh-config.ts'
import { openSsh2 } from './ssh2.ts'

export interface ConnectionsOptions {
  /** Cleans what a target says in messages and live output. */
  readonly redactor: Redactor
  /** How often a silent host is asked whether it is there; after four silences the link is lost. Default 15 s. */
  readonly keepaliveIntervalMs?: number
  /** Told of each login that is accepted by the built-in ssh; the system's says nothing of it. */
  readonly onLogin?: ((login: AcceptedLogin) => void) | undefined
  /** Told how the user is changed on a host: the command line, which holds no secret. */
  readonly onBecome?: ((name: string, command: string) => void) | undefined
}

/** An empty pool. Connections are made when first asked for, jump hosts' shared by all that go through them. */
export function createConnections(options: ConnectionsOptions): Connections {
  return new Pool(options)
}

interface Entry {
  readonly connection: Promise<Connection>
  readonly sessions: Map<string, Promise<ShellSession>>
}

class Pool implements Connections {
  readonly #options: ConnectionsOptions
  readonly #keys: KeyCache = new Map()
  readonly #entries = new Map<string, Entry>()
  readonly #jumps = new Map<string, Promise<Connection>>()

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  async open(address: Address, become: Become | undefined): Promise<Session> {
    const entry = await this.#entry(address)
    const key = become ? `${become.method} ${become.user}` : ''
    const opened = entry.sessions.get(key)
    if (opened) return await opened
    const opening = this.#openSession(address, become, entry.connection)
    entry.sessions.set(key, opening)
    opening.catch(() => entry.sessions.delete(key))
    return await opening
  }

  async reset(address: Address): Promise<void> {
    const key = keyOf(address)
    const entry = this.#entries.get(key)
    this.#entries.delete(key)
    if (entry) await closeEntry(entry)
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    await Promise.all(entries.map(closeEntry))
    const jumps = [...this.#jumps.values()]
    this.#jumps.clear()
    for (const jump of jumps) await jump.then(connection => connection.close()).catch(() => {})
  }

  /** The host's entry with a connection that lives; what is lost is opened anew. */
  async #entry(address: Address): Promise<Entry> {
    const key = keyOf(address)
    const old = this.#entries.get(key)
    if (old && !(await old.connection).isOver) return old
    if (old && this.#entries.get(key) !== old) return await this.#entry(address)
    const entry: Entry = { connection: this.#connect(address), sessions: new Map() }
    this.#entries.set(key, entry)
    entry.connection.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    })
    await entry.connection
    return entry
  }

  async #connect(address: Address): Promise<Connection> {
    switch (address.transport) {
      case 'local':
        return openLocal(address)
      case 'openssh':
        return openOpenssh(address)
      case 'ssh':
        return await this.#openLogin(await resolveLogin(address))
      case 'docker':
        throw problem('E_UNREACHABLE', `${address.name}: ansible_connection docker is not supported`, {
          hint: 'reach the container’s host by ssh and use docker exec there',
        })
    }
  }

  async #openLogin(login: Login): Promise<Connection> {
    const { via, proxyCommand } = login
    const keepaliveIntervalMs = this.#options.keepaliveIntervalMs ?? 15_000
    const { onLogin } = this.#options
    const options = { login, keys: this.#keys, keepaliveIntervalMs, ...(onLogin && { onLogin }) }
    if (via !== undefined)
      return await openSsh2({
        ...options,
        openSocket: async () => (await this.#jump(via)).forward({ host: login.host, port: login.port }),
      })
    if (proxyCommand !== undefined)
      return await openSsh2({ ...options, openSocket: async () => openProxy(proxyCommand) })
    return await openSsh2(options)
  }

  async #jump(login: Login): Promise<Connection> {
    const key = hopKey(login)
    const old = this.#jumps.get(key)
    if (old && !(await old).isOver) return await old
    if (old && this.#jumps.get(key) !== old) return await this.#jump(login)
    const jump = this.#openLogin(login)
    this.#jumps.set(key, jump)
    jump.catch(() => this.#jumps.delete(key))
    return await jump
  }

  async #openSession(
    address: Address,
    become: Become | undefined,
    connecting: Promise<Connection>,
  ): Promise<ShellSession> {
    const connection = await connecting
    const { name, shell: path } = address
    const { redactor, onBecome } = this.#options
    const onCommand = onBecome && ((command: string) => onBecome(name, command))
    const openLink = (): Promise<Channel> =>
      become
        ? openBecomeLink({ name, become, connection, path, redactor, onCommand })
        : connection.start(`exec ${shellWord(path)} -c ${shellWord(bootstrap)}`)
    const session = new ShellSession({
      name,
      path,
      redactor,
      openLink,
      forward: to => connection.forward(to),
      ...(address.transport === 'openssh' && { blame: blameSsh }),
    })
    await session.open()
    return session
  }
}

const openLocal = ({ folder }: Address): Connection => ({
  isOver: false,
  start: command => openLocalLink(['/bin/sh', '-c', command], {}, folder),
  forward: forwardLocally,
  close() {},
})

const keyOf = (address: Address): string =>
  JSON.stringify([
    address.name,
    address.transport,
    address.host,
    address.port,
    address.user,
    address.sshArgs,
    address.shell,
    address.folder,
  ])
const hopKey = (login: Login): string =>
  JSON.stringify([login.user, login.host, login.port, login.via && hopKey(login.via)])

async function closeEntry(entry: Entry): Promise<void> {
  const sessions = [...entry.sessions.values()]
  await Promise.all(sessions.map(session => session.then(opened => opened.close()).catch(() => {})))
  await entry.connection.then(connection => connection.close()).catch(() => {})
}

/** ssh_config's ProxyCommand: a program whose stdin and stdout are the connection. */
function openProxy(command: string): Duplex {
  const child = spawn('/bin/sh', ['-c', `exec ${command}`], { stdio: ['pipe', 'pipe', 'ignore'] })
  const duplex = Duplex.from({ writable: child.stdin, readable: child.stdout })
  duplex.on('close', () => child.kill())
  return duplex
}
