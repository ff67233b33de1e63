import { createHmac } from 'node:crypto'
import { problem } from '../core/error.ts'
import { fingerprint, isSameSecret, Secret } from '../core/secret.ts'
import type { Reason } from '../core/transaction.ts'
import type { State } from '../core/value.ts'
import { dropTerms } from './terms.ts'

/** What a rotation is going to do, to be read and approved before it is done. Plain JSON; no value of a secret, old or new, is in it. */
export interface Plan {
  readonly v: 1
  readonly rotation: string
  readonly reason: Reason
  /** RFC 3339 UTC, and `user@machine`. */
  readonly made: string
  readonly by: string
  readonly playbooks: readonly string[]
  /** sha256 over playbooks, inventory, variables and selection. */
  readonly inputs: string
  /** sha256 of every other file of the playbooks that was read, by path. */
  readonly files: Readonly<Record<string, string>>
  readonly commit: 'run' | 'host'
  readonly failureBudget: number
  /** As the playbook says. */
  readonly downtime: string | null
  readonly undo: string
  readonly hosts: readonly PlannedHost[]
  /** What was typed, and the key of `base`: for recipients only. */
  readonly sealed: { readonly key: string; readonly payload: string }
}
export interface PlannedHost {
  readonly host: string
  /** From 1. */
  readonly wave: number
  /** null: reached without ssh of its own. */
  readonly login: { readonly address: string; readonly user: string; readonly hostKey: string } | null
  readonly secrets: readonly PlannedSecret[]
  readonly changes: readonly PlannedChange[]
  /** Tasks that make what runs agree with what is written: this is when it restarts. */
  readonly converge: readonly string[]
  /** Tasks after the commit. */
  readonly committed: readonly string[]
}
export interface PlannedSecret {
  readonly name: string
  readonly value: string
  /** Whether a value is in force now. */
  readonly replaces: boolean
  /** Who has to log in anew, as the playbook says. */
  readonly logsOut: string | null
}
export interface PlannedChange {
  readonly step: string
  readonly module: string
  readonly what: string
  readonly undo: string
  /** Keyed fingerprint of the state that it changes. */
  readonly base: string
}

export const UNDO_CHANGE = 'the state of before is written back, if the host still has the one of after'
export const UNDO_RUN =
  'until the commit: every change is taken back in reverse order, the converge tasks run again, and verify asks with the old values; after it nothing goes back'

/** Values that are made anew each time: in a state their names stand for them. */
type Pending = ReadonlyMap<string, Secret>

/** The state as data in which a secret is its keyed fingerprint; members in the order of their names. */
function renderState(state: State | undefined, key: Uint8Array, pending: Pending): unknown {
  if (state instanceof Secret) {
    const found = [...pending].find(([, value]) => isSameSecret(value, state))
    return found ? { pending: found[0] } : { secret: fingerprint(state, key) }
  }
  if (Array.isArray(state)) return state.map(item => renderState(item as State, key, pending))
  if (typeof state !== 'object' || state === null) return state
  const members = Object.entries(state as Readonly<Record<string, State | undefined>>)
  return Object.fromEntries(
    members
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, renderState(value, key, pending)]),
  )
}

/** Says whether a state is still the same, without telling it: HMAC-SHA-256 under a key that only recipients of the plan can open. */
export function fingerprintBase(state: State, key: Uint8Array, pending: Pending = new Map()): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(renderState(dropTerms(state), key, pending)))
    .digest('hex')
}

/** Reads a plan that rota wrote. Throws E_APPROVAL for anything else. */
export function parsePlan(text: string, file: string): Plan {
  const fail = (why: string): never => {
    throw problem('E_APPROVAL', `${file} is no plan: ${why}`, {
      hint: 'make one: rota plan PLAYBOOK -o plan.json',
    })
  }
  let plan: Plan
  try {
    plan = JSON.parse(text) as Plan
  } catch (cause) {
    return fail((cause as Error).message)
  }
  if (plan?.v !== 1 || !Array.isArray(plan.hosts) || typeof plan.sealed?.key !== 'string')
    return fail('it has another form')
  return plan
}

/** What is no longer as it was planned, a line each; empty when the very same would be done. When and by whom it was planned does not count. */
export function comparePlans(planned: Plan, now: Plan): readonly string[] {
  const differences = (['rotation', 'reason', 'commit', 'failureBudget', 'downtime'] as const).flatMap(
    name =>
      planned[name] === now[name] ? [] : [`${name} is ${now[name]} now, and ${planned[name]} was planned`],
  )
  if (planned.inputs !== now.inputs)
    differences.push(
      'the playbook, the inventory, the variables or the selection of hosts and tasks are others',
    )
  for (const file of new Set([...Object.keys(planned.files), ...Object.keys(now.files)]))
    if (planned.files[file] !== now.files[file]) differences.push(`${file} is another file`)
  const names = (plan: Plan): string =>
    plan.hosts.map(({ host, wave }) => `${host} (wave ${wave})`).join(', ')
  if (names(planned) !== names(now))
    differences.push(`the hosts are ${names(now)}, and ${names(planned)} were planned`)
  for (const host of planned.hosts) {
    const found = now.hosts.find(other => other.host === host.host)
    if (found) differences.push(...compareHosts(host, found).map(text => `${host.host}: ${text}`))
  }
  return differences
}

function compareHosts(planned: PlannedHost, now: PlannedHost): readonly string[] {
  const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
  const differences: string[] = []
  if (planned.login?.hostKey !== now.login?.hostKey)
    differences.push(
      `its host key is ${now.login?.hostKey ?? 'none'}, and ${planned.login?.hostKey ?? 'none'} was planned`,
    )
  else if (!isSame(planned.login, now.login)) differences.push('it is reached elsewhere, or as another user')
  for (const part of ['secrets', 'converge', 'committed'] as const)
    if (!isSame(planned[part], now[part])) differences.push(`its ${part} are others`)
  const steps = new Map(now.changes.map(change => [change.step, change]))
  for (const change of planned.changes) {
    const found = steps.get(change.step)
    steps.delete(change.step)
    if (!found) differences.push(`nothing is to be changed any more by: ${change.what}`)
    else if (found.base !== change.base)
      differences.push(`it is no longer as it was when planned: ${change.what}`)
    else if (!isSame(found, change)) differences.push(`another change than planned: ${found.what}`)
  }
  for (const { what } of steps.values()) differences.push(`a change that was not planned: ${what}`)
  return differences
}

/** A plan as people read it. */
export function renderPlan(plan: Plan): string {
  const lines = [
    `Rotation   ${plan.rotation} (${plan.reason})`,
    `Playbooks  ${plan.playbooks.join(', ')}`,
    `Planned    ${plan.made} by ${plan.by}`,
    `Commit     ${plan.commit === 'run' ? 'all hosts together' : 'wave by wave'}; ${plan.failureBudget} hosts may fail and are undone alone`,
    `Downtime   ${plan.downtime ?? 'the playbook does not say (downtime:); see what converges'}`,
    `Undo       ${plan.undo}`,
    ...plan.hosts.flatMap(renderHost),
  ]
  return `${lines.join('\n')}\n`
}

function renderHost(host: PlannedHost): readonly string[] {
  const { login } = host
  const at = login ? `${login.user}@${login.address}, host key ${login.hostKey}` : 'no ssh'
  return [
    '',
    `${host.host}  (wave ${host.wave}; ${at})`,
    ...host.secrets.map(
      ({ name, value, replaces, logsOut }) =>
        `  secret    ${name}: ${value}${replaces ? '' : ', the first one'}; ${logsOut === null ? 'who is logged out: not said (logs_out:)' : `logs out ${logsOut}`}`,
    ),
    ...host.changes.map(({ module, what }) => `  change    ${module}: ${what}`),
    ...host.converge.map(name => `  converge  ${name}`),
    ...host.committed.map(name => `  after     ${name}`),
  ]
}
