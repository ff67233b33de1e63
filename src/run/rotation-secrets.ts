import { parseDurationMs } from '../core/duration.ts'
import { problem } from '../core/error.ts'
import type { ProviderGate, Rotation, SecretSpec } from '../core/play.ts'
import { Secret } from '../core/secret.ts'
import type { Gate } from '../core/transaction.ts'
import { Omit, type Value } from '../core/value.ts'
import { isConditionTrue, type Reading, renderNumber, renderText } from './keyword.ts'
import type { PlayRun } from './play-run.ts'
import { renderLabel } from './result.ts'

/** Letters and digits: the only characters that mean themselves in every dialect of env files. */
const ALPHABET = 'A-Za-z0-9'

/** The values in force. One that is not there yet (omit, none) is missing: its first rotation has nothing to go back to. */
export function renderCurrent(
  run: PlayRun,
  reading: Reading,
  specs: readonly SecretSpec[],
): ReadonlyMap<string, Secret> {
  return renderEach(run, reading, specs, spec => spec.current)
}

/** The new values that somebody else made. */
export function renderIssued(
  run: PlayRun,
  reading: Reading,
  specs: readonly SecretSpec[],
): ReadonlyMap<string, Secret> {
  return renderEach(run, reading, specs, spec => spec.issued)
}

function renderEach(
  run: PlayRun,
  reading: Reading,
  specs: readonly SecretSpec[],
  select: (spec: SecretSpec) => Value | undefined,
): ReadonlyMap<string, Secret> {
  const values = new Map<string, Secret>()
  for (const spec of specs) {
    const field = select(spec)
    if (field === undefined) continue
    const value = reading.templar.render(field, reading.scope)
    if (value === null || value instanceof Omit) continue
    const secret = value instanceof Secret ? value : new Secret(renderLabel(value), spec.name)
    run.deps.redactor.add(secret)
    values.set(spec.name, secret)
  }
  return values
}

export function findSpec(specs: readonly SecretSpec[], name: string): SecretSpec {
  const spec = specs.find(each => each.name === name)
  if (spec) return spec
  throw problem('E_BUG', `the rotation has no secret ${name}`)
}

/** Length and alphabet of a value to be made. Throws E_PLAYBOOK for less than 16 characters. */
export function renderShape(reading: Reading, spec: SecretSpec): { length: number; alphabet: string } {
  const at = { ...reading, at: spec.at }
  const length = renderNumber(at, 'length', spec.length)
  if (length === undefined || !Number.isInteger(length) || length < 16)
    throw problem('E_PLAYBOOK', `the length of ${spec.name} is below 16`, {
      at: spec.at,
      hint: 'write length: 48',
    })
  return { length, alphabet: renderText(at, 'alphabet', spec.alphabet) ?? ALPHABET }
}

/** Throws E_PLAYBOOK for what is no duration. */
export function renderGraceMs(reading: Reading, spec: SecretSpec): number {
  const text = renderText({ ...reading, at: spec.at }, 'grace', spec.grace) ?? '0'
  const ms = parseDurationMs(text)
  if (ms !== undefined) return ms
  throw problem('E_PLAYBOOK', `the grace of ${spec.name} is no duration: ${text}`, {
    at: spec.at,
    hint: 'write grace: 72h (s, m, h, d or w), or 0 for none',
  })
}

/** The gates whose conditions hold on this host. */
export function renderGates(run: PlayRun, reading: Reading, gates: readonly ProviderGate[]): readonly Gate[] {
  return gates
    .filter(({ when = [], at }) =>
      when.every(condition => isConditionTrue({ ...reading, at }, condition, run.warn)),
    )
    .map(({ name, say, at }) => ({
      name,
      say: run.deps.redactor.clean(renderText({ ...reading, at }, 'say', say) ?? ''),
    }))
}

/** What a rotation says of its own effect, for a plan. */
export function renderForecast(
  reading: Reading,
  { downtime, secrets }: Rotation,
): { readonly downtime?: string | undefined; readonly logsOut: ReadonlyMap<string, string> } {
  const logsOut = secrets.flatMap((spec): [string, string][] => {
    const text = renderText(reading, 'logs_out', spec.logsOut)
    return text === undefined ? [] : [[spec.name, text]]
  })
  return { downtime: renderText(reading, 'downtime', downtime), logsOut: new Map(logsOut) }
}
