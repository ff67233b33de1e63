// A double of Proxmox VE's API, as its documentation describes it (API viewer: /version, /access; pveum(1)): tokens, roles on
// paths, and privilege separation. Nothing of Proxmox is in it.
import { randomUUID } from 'node:crypto'
import { type Answer, type Asked, startTlsServer, type TlsServer } from './tls-server.ts'

export interface Proxmox extends TlsServer {
  /** Gives a token, with a new secret, which is returned. `privsep`: it has only what it is granted itself. */
  addToken(token: string, options?: { readonly privsep?: boolean; readonly comment?: string }): string
  removeToken(token: string): void
  /** Gives a user or a token a role on a path and what is below it. */
  grant(who: string, path: string, role: string): void
  tokens(): readonly string[]
}

const roles: Readonly<Record<string, readonly string[]>> = {
  Administrator: ['VM.Audit', 'VM.PowerMgmt', 'Sys.Audit', 'User.Modify', 'Permissions.Modify'],
  PVEVMUser: ['VM.Audit', 'VM.PowerMgmt', 'VM.Console'],
  PVEAuditor: ['VM.Audit', 'Sys.Audit'],
}

interface Token {
  readonly secret: string
  readonly privsep: boolean
  readonly comment: string
}
interface Rule {
  readonly path: string
  readonly who: string
  readonly role: string
}
type Permissions = Readonly<Record<string, Readonly<Record<string, 1>>>>

const userOf = (token: string): string => token.split('!')[0]!
const isBelow = (path: string, top: string): boolean =>
  top === '/' || path === top || path.startsWith(`${top}/`)

class Cluster {
  readonly tokens = new Map<string, Token>()
  readonly rules: Rule[] = []

  private privileges(who: string, path: string): ReadonlySet<string> {
    const own = this.rules.filter(rule => rule.who === who && isBelow(path, rule.path))
    return new Set(own.flatMap(rule => roles[rule.role] ?? []))
  }
  /** A separated token has what both it and its user have; any other has what its user has. */
  may(token: string, path: string): ReadonlySet<string> {
    const ofUser = this.privileges(userOf(token), path)
    if (!this.tokens.get(token)?.privsep) return ofUser
    return new Set([...this.privileges(token, path)].filter(name => ofUser.has(name)))
  }
  permissions(token: string): Permissions {
    const subject = this.tokens.get(token)?.privsep ? token : userOf(token)
    const paths = this.rules.filter(rule => rule.who === subject).map(rule => rule.path)
    const all = [...new Set(paths)].map(path => [path, [...this.may(token, path)]] as const)
    return Object.fromEntries(
      all
        .filter(([, names]) => names.length > 0)
        .map(([path, names]) => [path, Object.fromEntries(names.map(name => [name, 1]))]),
    )
  }
  /** `Authorization: PVEAPIToken=USER@REALM!ID=SECRET`. */
  caller({ headers }: Asked): string | undefined {
    const [, token = '', secret] = /^PVEAPIToken=([^=]+)=(.+)$/.exec(headers.authorization ?? '') ?? []
    return this.tokens.get(token)?.secret === secret && secret !== undefined ? token : undefined
  }
}

const data = (value: unknown): Answer => ({ status: 200, body: { data: value } })
const refuse = (status: number, message: string): Answer => ({ status, body: { data: null, message } })

function answerTokens(
  cluster: Cluster,
  { method, body }: Asked,
  user: string,
  id: string | undefined,
): Answer {
  if (id === undefined)
    return data(
      [...cluster.tokens].flatMap(([name, { privsep, comment }]) =>
        userOf(name) === user
          ? [{ tokenid: name.split('!')[1], privsep: privsep ? 1 : 0, comment, expire: 0 }]
          : [],
      ),
    )
  const full = `${user}!${id}`
  if (method === 'DELETE') {
    if (!cluster.tokens.delete(full)) return refuse(500, `no such token '${id}' for user '${user}'`)
    const left = cluster.rules.filter(rule => rule.who !== full)
    cluster.rules.splice(0, cluster.rules.length, ...left)
    return data(null)
  }
  if (method !== 'POST') return refuse(501, 'Method not implemented')
  if (cluster.tokens.has(full))
    return refuse(400, 'Parameter verification failed. tokenid: Token already exists.')
  const form = new URLSearchParams(body)
  const token = {
    secret: randomUUID(),
    privsep: form.get('privsep') !== '0',
    comment: form.get('comment') ?? '',
  }
  cluster.tokens.set(full, token)
  return data({ 'full-tokenid': full, value: token.secret, info: { privsep: token.privsep ? '1' : '0' } })
}

function answerAccess(cluster: Cluster, { method, body }: Asked): Answer {
  if (method === 'GET')
    return data(
      cluster.rules.map(({ path, who, role }) => ({
        ...{ path, ugid: who, roleid: role, propagate: 1 },
        type: who.includes('!') ? 'token' : 'user',
      })),
    )
  const form = new URLSearchParams(body)
  for (const who of (form.get('tokens') ?? '').split(','))
    cluster.rules.push({ path: form.get('path')!, who, role: form.get('roles')! })
  return data(null)
}

function answer(cluster: Cluster, asked: Asked): Answer {
  const caller = cluster.caller(asked)
  if (caller === undefined) return refuse(401, 'authentication failure')
  const path = decodeURIComponent(asked.path.replace(/^\/api2\/json/, ''))
  if (path === '/version') return data({ version: '8.2.4', release: '8.2', repoid: 'faa83925c9641325' })
  if (path === '/access/permissions') return data(cluster.permissions(caller))
  const [, user, id] = /^\/access\/users\/([^/]+)\/token(?:\/([\w.-]+))?$/.exec(path) ?? []
  const needed = path === '/access/acl' ? 'Permissions.Modify' : 'User.Modify'
  if (!cluster.may(caller, '/access').has(needed))
    return refuse(403, `Permission check failed (/access, ${needed})`)
  if (path === '/access/acl') return answerAccess(cluster, asked)
  return user === undefined ? refuse(501, `no such path ${path}`) : answerTokens(cluster, asked, user, id)
}

/** Has nobody in it yet. */
export async function startProxmox(address?: string): Promise<Proxmox> {
  const cluster = new Cluster()
  const server = await startTlsServer('proxmox double', asked => answer(cluster, asked), address)
  return {
    ...server,
    addToken(token, { privsep = true, comment = '' } = {}) {
      const secret = randomUUID()
      cluster.tokens.set(token, { secret, privsep, comment })
      return secret
    },
    removeToken: token => void cluster.tokens.delete(token),
    grant: (who, path, role) => void cluster.rules.push({ who, path, role }),
    tokens: () => [...cluster.tokens.keys()],
  }
}
