import { problem } from '../core/error.ts'
import type { SecretSpec } from '../core/play.ts'
import { isSameSecret, type Secret } from '../core/secret.ts'
import type { HostSecrets } from '../core/transaction.ts'
import { toSecretsPayload } from './ledger.ts'
import { type Run, record } from './run.ts'

function selectGiven(run: Pick<Run, 'world' | 'deps'>): ReadonlyMap<string, Secret> {
  const wanted = run.world.secrets.filter(spec => spec.given)
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
export function showGiven(run: Pick<Run, 'world' | 'deps'>): void {
  const pending = selectGiven(run)
  for (const host of run.world.hosts) run.world.setSecrets(host, { current: new Map(), pending })
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
  shared: Map<string, Secret>,
): ReadonlyMap<string, Secret> {
  const make = (name: string): Secret => run.deps.generate(run.world.secretShape(host, name), name)
  return new Map(
    run.world.secrets.map(spec => {
      const value = run.deps.given.get(spec.name) ?? shared.get(spec.name) ?? make(spec.name)
      if (spec.shared) shared.set(spec.name, value)
      refuseSame(spec, host, value, current.get(spec.name))
      return [spec.name, value]
    }),
  )
}

/** The values in force on each host and the pending ones, in memory only. Throws RotaError when one cannot be read or made. */
export async function makeSecrets(
  run: Pick<Run, 'world' | 'deps'>,
): Promise<ReadonlyMap<string, HostSecrets>> {
  const { world } = run
  const current = await Promise.all(
    world.hosts.map(async host => [host, await world.currentSecrets(host)] as const),
  )
  const shared = new Map<string, Secret>()
  return new Map(
    current.map(([host, values]) => [
      host,
      { current: values, pending: makePending(run, host, values, shared) },
    ]),
  )
}

/**
 * Makes the secrets of the run and seals them in the journal before anything can use them. Throws RotaError; nothing was
 * touched then.
 */
export async function settleSecrets(run: Run): Promise<void> {
  const secrets = await makeSecrets(run)
  await record(run, { type: 'pending' }, { payload: toSecretsPayload(secrets), required: true })
  run.ledger.secrets = secrets
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
