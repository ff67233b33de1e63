import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { isSameSecret, Secret } from '../core/secret.ts'
import { readRole } from '../resources/postgres.ts'
import { readServiceAddress, tryLogin } from '../resources/postgres-login.ts'
import { readLackingRights } from '../resources/postgres-rights.ts'
import type { Via } from '../resources/postgres-via.ts'
import { isPasswordOf } from '../resources/scram.ts'
import { loginParams, viaOf } from './postgresql-login.ts'
import { type Look, outcomeOf, proveSteady, steadyParams } from './steadiness.ts'

const params = {
  name: {
    type: 'string',
    required: true,
    aliases: ['role', 'user'],
    doc: 'The role whose password is proven.',
  },
  password: { type: 'secret', required: true, doc: 'Has to be taken, by fresh connections.' },
  refused: {
    type: 'secret',
    doc: 'Has to be refused. Left out of account when it is the same as `password`.',
  },
  address: {
    type: 'string',
    default: '',
    doc: 'Where the password is tried, as the target sees it. Default: the container’s own address with `compose_service`, else 127.0.0.1.',
  },
  address_port: { type: 'int', default: 5432, doc: 'Port there.' },
  address_db: { type: 'string', default: '', doc: 'Database to connect to there. Default: login_db.' },
  like: {
    type: 'string',
    doc: 'A role that `name` takes the place of: what that one may do with tables, sequences, schemas, functions and the database, this one has to be allowed too.',
  },
  ...steadyParams,
  ...loginParams,
} as const
type VerifyArgs = Args<typeof params>
type Forward = Extract<Via, { kind: 'forward' }>

async function addressOf(t: Target, args: VerifyArgs, admin: Via): Promise<string | undefined> {
  if (args.address !== '') return args.address
  return admin.kind === 'compose' ? readServiceAddress(t, admin) : '127.0.0.1'
}

/** The same look for a password that has to be refused. */
function turned(found: Look): Look {
  if (found.kind === 'good') return { kind: 'refused', why: 'a password that has to be refused is taken' }
  return found.kind === 'refused' ? { kind: 'good' } : found
}

async function look(t: Target, via: Forward, password: Secret): Promise<Look> {
  const answer = await tryLogin(t, via, password)
  if (answer.kind === 'accepted') return { kind: 'good' }
  const where = `the database at ${via.host}:${via.port}`
  return answer.kind === 'refused'
    ? { kind: 'refused', why: `${where} refuses the password of ${via.user}: ${answer.why}` }
    : { kind: 'down', why: `${where} gives no answer about the password of ${via.user}: ${answer.why}` }
}

const fail = (msg: string, verdict = 'refused'): Outcome => ({
  changed: false,
  failed: true,
  msg,
  values: { verdict },
})

/** Everybody is let in there, so a login proves nothing: what the server stores decides. */
async function judgeStored(t: Target, args: VerifyArgs, admin: Via, where: string): Promise<Outcome> {
  const trusted = `${where} lets everybody in, with any password`
  const role = await readRole(t, admin, args.name).catch((error: unknown) =>
    error instanceof Error ? error : undefined,
  )
  if (role === undefined || role instanceof Error || role.verifier === null)
    return fail(
      `${trusted}, and the stored verifier of ${args.name} cannot be read: give an address that pg_hba.conf asks a password for`,
    )
  if (role.attributes?.canlogin === false) return fail(`the role ${args.name} may not log in`)
  if (!isPasswordOf(role.verifier, args.password, args.name))
    return fail(
      `${trusted}; by the verifier that the server stores, the password of ${args.name} is another one`,
    )
  return {
    changed: false,
    msg: `computed from the stored verifier, since ${trusted}`,
    values: { verdict: 'steady', by: 'verifier', looks: 0 },
  }
}

export const verify_postgresql = defineAction({
  name: 'verify_postgresql',
  summary: 'Proves that a PostgreSQL server takes a role’s password, where a wrong one is refused.',
  notes: [
    'First a wrong password has to be refused: the usual container image trusts its own socket and 127.0.0.1, where any password “works”. Where everybody is let in, the password is compared with the stored verifier instead, which the login options have to give access to.',
    'SQLSTATE 28P01 and 28000 are an answer about the password and fail at once. A server that does not answer, starts up (57P03) or has too many clients is asked again, `retries` times.',
    'The login options say how an administrator gets in, as for postgresql_user; they are used only for the stored verifier, the rights (`like`) and the container’s address.',
  ],
  reads: true,
  params,
  returns: {
    by: { doc: '`login`, or `verifier` where everybody is let in.' },
    looks: { doc: 'How many connections it took.' },
    verdict: { doc: '`steady`, `refused`, `down` or `flapping`.' },
  },
  examples: `
- name: The database takes the password in force and refuses the other one
  verify_postgresql:
    name: panel
    password: "{{ secrets.POSTGRES_PASSWORD }}"
    refused: "{{ stale.POSTGRES_PASSWORD }}"
    address: 127.0.0.1
    login_db: panel
`,
  async run(t, args) {
    for (const secret of [args.password, args.refused]) if (secret !== undefined) t.redactor.add(secret)
    const admin = viaOf(args)
    const lacks = args.like === undefined ? [] : await readLackingRights(t, admin, args.name, args.like)
    if (lacks.length > 0)
      return fail(`${args.name} may not do what ${args.like} may: ${lacks.slice(0, 5).join(', ')}`, 'lacking')
    const host = await addressOf(t, args, admin)
    if (host === undefined)
      return fail('the address of the database container is not known: give `address`', 'down')
    const via: Forward = {
      kind: 'forward',
      host,
      port: args.address_port,
      socket: null,
      user: args.name,
      database: args.address_db || args.login_db || args.name,
      passwords: [],
    }
    const wrong = new Secret(t.operator.random(24).toString('base64url'), 'wrong password')
    const once = { ...args, successes: 1 }
    const asks = await proveSteady(t, once, async () => turned(await look(t, via, wrong)))
    if (asks.kind === 'refused') return judgeStored(t, args, admin, `${host}:${args.address_port}`)
    if (asks.kind !== 'steady') return outcomeOf(asks, '')
    const taken = await proveSteady(t, args, () => look(t, via, args.password))
    if (taken.kind !== 'steady') return outcomeOf(taken, '')
    const { refused } = args
    const dead =
      refused === undefined || isSameSecret(refused, args.password)
        ? taken
        : await proveSteady(t, once, async () => turned(await look(t, via, refused)))
    const outcome = outcomeOf(
      dead,
      `taken ${args.successes} times in a row where a wrong password is refused`,
    )
    return { ...outcome, values: { ...outcome.values, by: 'login' } }
  },
})
