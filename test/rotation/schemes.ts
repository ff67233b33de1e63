// What simulated rotations rotate: the tasks that change a host, what makes its verify green, and what must hold at every instant.
import { createHash } from 'node:crypto'
import type { SecretSpec } from '../../src/core/play.ts'
import type { InForce } from '../../src/core/transaction.ts'

/** A target: an env file, database roles, and the application that read them when it was started. */
export interface Host {
  env: string
  role: string
  running: string
  revoked: boolean
}
/** By secret name. */
export type Values = Readonly<Record<string, string>>
export interface Known {
  readonly current: Values
  readonly pending: Values
}
export interface Task {
  readonly name: string
  readonly phase: 'distribute' | 'change' | 'finalise'
  readonly changes: 'env' | 'role'
  /** Nobody uses it before another task says so. */
  readonly isReadying?: boolean
  /** The new text of what it changes. */
  readonly edit: (text: string, known: Known) => string
}
export interface Scheme {
  readonly secrets: readonly SecretSpec[]
  readonly tasks: readonly Task[]
  /** A host that nothing was rotated on. */
  readonly env: string
  readonly role: string
  /** The env file that a green verify has seen. */
  readonly wants: (known: Known, inForce: InForce) => string
  /** A host that was rotated: everything is made from one set of new values. */
  readonly isNew: (host: Host) => boolean
  /** Who is refused, of all hosts as they are at this instant; undefined: nobody. */
  readonly refused?: (hosts: ReadonlyMap<string, Host>) => string | undefined
}

const at = { file: 'play.yml', line: 1, col: 1 }
const scram = (password: string): string => createHash('sha256').update(`scram ${password}`).digest('hex')
export const valueIn = (text: string, name: string): string =>
  new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
const edited = (text: string, name: string, value: string): string =>
  text.replace(new RegExp(`^${name}=.*$`, 'm'), `${name}=${value}`)
const isFresh = (value: string): boolean => /^[A-Za-z0-9]{32}$/.test(value)
const isOne = (host: Host): boolean => host.running === host.env + host.role && host.revoked

const JWT = 'old-jwt-value-0123456789'
const DB = 'old-db-value-0123456789'
const renderBoth = (jwt: string, db: string): string => `A=1\nJWT=${jwt}\nDB=${db}\n`
const editEnv = (name: string): Task => ({
  name: `env ${name}`,
  phase: 'change',
  changes: 'env',
  edit: (text, { pending }) => edited(text, name, pending[name]!),
})
/** Two secrets in an env file that two tasks edit one after the other; one of them is a database role's too. */
export const inPlace: Scheme = {
  secrets: [
    { name: 'JWT', length: 32, shared: true, at },
    { name: 'DB', length: 32, at },
  ],
  tasks: [
    { name: 'alter role', phase: 'change', changes: 'role', edit: (_, { pending }) => scram(pending['DB']!) },
    editEnv('JWT'),
    editEnv('DB'),
  ],
  env: renderBoth(JWT, DB),
  role: scram(DB),
  wants: (known, inForce) => {
    const values = inForce === 'pending' ? known.pending : known.current
    return renderBoth(values['JWT']!, values['DB']!)
  },
  isNew: host => {
    const [jwt, db] = [valueIn(host.env, 'JWT'), valueIn(host.env, 'DB')]
    const isWhole = host.env === renderBoth(jwt, db) && isFresh(jwt) && isFresh(db)
    return isWhole && host.role === scram(db) && isOne(host)
  },
}

const KEY = 'old-shared-value-0123456789'
const renderKeys = (sends: string, also: string): string => `KEY=${sends}\nALSO=${also}\n`
const setKeys = (phase: Task['phase'], render: (current: string, pending: string) => string): Task => ({
  name: phase,
  phase,
  changes: 'env',
  edit: (_, { current, pending }) => render(current['KEY']!, pending['KEY']!),
})
/** A key that hosts share: each sends one, and accepts another one too. */
export const distributed: Scheme = {
  secrets: [{ name: 'KEY', length: 32, shared: true, at }],
  tasks: [
    setKeys('distribute', (current, pending) => renderKeys(current, pending)),
    setKeys('change', (current, pending) => renderKeys(pending, current)),
    setKeys('finalise', (_, pending) => renderKeys(pending, '')),
  ],
  env: renderKeys(KEY, ''),
  role: '',
  wants: ({ current, pending }, inForce) =>
    ({
      pending: renderKeys(pending['KEY']!, current['KEY']!),
      current: renderKeys(current['KEY']!, ''),
      both: renderKeys(current['KEY']!, pending['KEY']!),
    })[inForce],
  isNew: host =>
    isFresh(valueIn(host.env, 'KEY')) && ['', KEY].includes(valueIn(host.env, 'ALSO')) && isOne(host),
  refused: hosts => {
    // One that has joined and was not started yet sends nothing.
    const started = [...hosts].filter(([, { running }]) => running !== '')
    for (const [from, { running: sender }] of started)
      for (const [to, { running }] of started)
        if (!['KEY', 'ALSO'].some(name => valueIn(running, name) === valueIn(sender, 'KEY')))
          return `${to} does not accept what ${from} sends`
    return undefined
  },
}

const renderUser = (user: string, password: string): string => `USER=${user}\nDB=${password}\n`
/** Two database users that take turns: the idle one is made ready, then the application logs in as that one. */
export const alternating: Scheme = {
  secrets: [{ name: 'DB', length: 32, at }],
  tasks: [
    {
      name: 'ready b',
      phase: 'change',
      changes: 'role',
      isReadying: true,
      edit: (text, { pending }) => edited(text, 'b', scram(pending['DB']!)),
    },
    {
      name: 'env',
      phase: 'change',
      changes: 'env',
      edit: (_, { pending }) => renderUser('b', pending['DB']!),
    },
  ],
  env: renderUser('a', DB),
  role: `a=${scram(DB)}\nb=\n`,
  wants: ({ current, pending }, inForce) =>
    inForce === 'pending' ? renderUser('b', pending['DB']!) : renderUser('a', current['DB']!),
  isNew: host => {
    const password = valueIn(host.env, 'DB')
    return (
      isFresh(password) &&
      host.env === renderUser('b', password) &&
      host.role === `a=${scram(DB)}\nb=${scram(password)}\n` &&
      isOne(host)
    )
  },
  refused: hosts => {
    for (const [name, { running, env, role }] of hosts)
      for (const text of [running, env])
        if (valueIn(role, valueIn(text, 'USER')) !== scram(valueIn(text, 'DB')))
          return `the database of ${name} refuses ${text === env ? 'what starts now' : 'what runs'}`
    return undefined
  },
}
