import { problem } from '../core/error.ts'
import type { SecretSpec } from '../core/play.ts'
import { isSameSecret, type Secret } from '../core/secret.ts'
import type { HostSecrets } from '../core/transaction.ts'
import { toSecretsPayload } from './ledger.ts'
import { type Run, record } from './run.ts'

function selectGiven(run: Pick<Run, 'world' | 'deps'>): ReadonlyMap<string, Secret> {
  const wanted = run.world.secrets.filter(spec => spec.given === true || run.deps.given.has(spec.name))
  return new Map(
    wanted.map(spec => {
      const value = run.deps.given.get(spec.name)
      if (value === undefined)
        throw problem('E_PREFLIGHT', `secret ${spec.name} has to be given`, {
          at: spec.at,
          hint: `--secret ${spec.name}=- reads it from the terminal or from stdin`,
        })
      return [spec.name, value]
    }),
  )
}

/** Shows the given values to preflight, so that it can try them before anything is changed. Throws E_PREFLIGHT for a missing one. */
export function showGiven(run: Pick<Run, 'world' | 'deps'>, hosts = run.world.hosts): void {
  const pending = selectGiven(run)
  for (const host of hosts) run.world.setSecrets(host, { current: new Map(), pending })
}

function refuseSame(spec: SecretSpec, host: string, value: Secret, current: Secret | undefined): void {
  if (current && isSameSecret(value, current))
    throw problem('E_PREFLIGHT', `secret ${spec.name}: the value given is already in force on ${host}`, {
      at: spec.at,
      hint: 'give the new value, or leave the secret out of this run',
    })
}

function makePending(
  run: Pick<Run, 'world' | 'deps'>,
  host: string,
  current: ReadonlyMap<string, Secret>,
  issued: ReadonlyMap<string, Secret>,
  shared: Map<string, Secret>,
): ReadonlyMap<string, Secret> {
  const make = (name: string): Secret => run.deps.generate(run.world.secretShape(host, name), name)
  return new Map(
    run.world.secrets.flatMap(spec => {
      const made = run.deps.given.get(spec.name) ?? issued.get(spec.name) ?? shared.get(spec.name)
      // Nobody gave it and nobody issued it: it has no part in this run.
      if (made === undefined && (spec.given === 'optional' || spec.issued !== undefined)) return []
      const value = made ?? make(spec.name)
      if (spec.shared) shared.set(spec.name, value)
      refuseSame(spec, host, value, current.get(spec.name))
      return [[spec.name, value]]
    }),
  )
}

/** A rotation of nothing is a mistake: a flag was forgotten. */
export function refuseNothing(
  specs: readonly SecretSpec[],
  host: string,
  pending: ReadonlyMap<string, Secret>,
): void {
  if (pending.size > 0 || specs.length === 0) return
  throw problem('E_PREFLIGHT', `no secret was given, so there is nothing to rotate on ${host}`, {
    at: specs[0]!.at,
    hint: `give at least one of ${specs.map(({ name }) => name).join(', ')}: --secret ${specs[0]!.name}=-`,
  })
}

/** Hosts that begin with different values do not accept what the others send, and what they send cannot be distributed to. */
function refuseDifferent(
  specs: readonly SecretSpec[],
  known: readonly { readonly host: string; readonly current: ReadonlyMap<string, Secret> }[],
): void {
  for (const { name, at } of specs.filter(spec => spec.shared)) {
    const first = known[0]?.current.get(name)
    const odd = known.find(({ current }) => {
      const value = current.get(name)
      return first === undefined || value === undefined ? first !== value : !isSameSecret(first, value)
    })
    if (odd)
      throw problem(
        'E_PREFLIGHT',
        `${name} is shared, but ${odd.host} has another value than ${known[0]!.host}`,
        {
          at,
          hint: 'give all hosts the same value first',
        },
      )
  }
}

/**
 * The values in force on hosts and the pending ones, in memory only; what hosts share is as on those that `others` has. Throws RotaError
 * when one cannot be read or made.
 */
export async function makeSecrets(
  run: Pick<Run, 'world' | 'deps'>,
  hosts = run.world.hosts,
  others: ReadonlyMap<string, HostSecrets> = new Map(),
): Promise<ReadonlyMap<string, HostSecrets>> {
  const { world } = run
  const known = await Promise.all(
    hosts.map(async host => ({
      host,
      current: await world.currentSecrets(host),
      issued: (await world.issuedSecrets?.(host)) ?? new Map<string, Secret>(),
    })),
  )
  const [first] = others
  const before = first ? [{ host: first[0], current: first[1].current }] : []
  if (world.distributes) refuseDifferent(world.secrets, [...before, ...known])
  const isShared = (name: string): boolean => world.secrets.some(spec => spec.shared && spec.name === name)
  const shared = new Map([...(first?.[1].pending ?? [])].filter(([name]) => isShared(name)))
  return new Map(
    known.map(({ host, current, issued }) => {
      const pending = makePending(run, host, current, issued, shared)
      return [host, { current, pending }]
    }),
  )
}

/**
 * Makes the secrets of hosts of the run and seals them in the journal before anything can use them. Throws RotaError; nothing was
 * touched on these hosts then.
 */
export async function settleSecrets(run: Run, hosts: readonly string[]): Promise<void> {
  const secrets = await makeSecrets(run, hosts, run.ledger.secrets)
  for (const [host, { pending }] of secrets) refuseNothing(run.world.secrets, host, pending)
  const names = [...secrets].map(([host, { pending }]) => [host, [...pending.keys()]] as const)
  const entry = { type: 'pending', secrets: Object.fromEntries(names) } as const
  await record(run, entry, { payload: toSecretsPayload(secrets), required: true })
  run.ledger.secrets = new Map([...(run.ledger.secrets ?? []), ...secrets])
  showSecrets(run)
}

/** Gives the world the run's secrets, as made now or as found in the journal. */
export function showSecrets(run: Run): void {
  for (const [host, values] of run.ledger.secrets ?? []) run.world.setSecrets(host, values)
}

/** Says in evidence that values changed, by keyed fingerprints. */
export function emitSecrets(run: Run, hosts: readonly string[]): void {
  for (const [host, { current, pending }] of run.ledger.secrets ?? [])
    for (const [secret, value] of hosts.includes(host) ? pending : []) {
      const from = current.get(secret)
      run.deps.emit({
        type: 'secret',
        host,
        secret,
        ...(from && { fromFingerprint: run.deps.fingerprint(from) }),
        toFingerprint: run.deps.fingerprint(value),
      })
    }
}
