import type { Reporter, RunEvent, Stamped } from '../core/event.ts'
import type { Phase } from '../core/play.ts'
import type { Change, HostSecrets, Reason, RotationWorld } from '../core/transaction.ts'
import {
  fingerprintBase,
  type Plan,
  type PlannedHost,
  type PlannedSecret,
  UNDO_CHANGE,
  UNDO_RUN,
} from '../rotation/plan.ts'
import type { RunDeps } from '../run/engine.ts'
import { hashFiles } from './plan-files.ts'

type Login = Extract<RunEvent, { type: 'login' }>

/** Watches a rotation in check mode and makes a plan of what it sees. */
export interface PlanCollector {
  readonly reporter: Reporter
  join(deps: RunDeps): RunDeps
  /** sha256 of what the run is made of, once it is known. */
  takeInputs(inputs: string): void
  /** Takes a file, or all of a folder, that decides what is done. */
  takeFile(path: string): void
  /** `by` of every login that was made. */
  readonly logins: ReadonlyMap<string, Login>
  /** The plan; undefined when no rotation was met. */
  make(options: PlanOptions): Plan | undefined
}
export interface PlanOptions {
  readonly made: string
  readonly by: string
  readonly playbooks: readonly string[]
  readonly reason: Reason
  readonly sealed: Plan['sealed']
  /** Of the fingerprints of states. */
  readonly baseKey: Uint8Array
}

/** What was seen. */
interface Seen {
  name: string
  inputs: string
  world: RotationWorld | undefined
  readonly values: Map<string, HostSecrets>
  readonly changes: Change[]
  readonly logins: Map<string, Login>
  readonly files: Map<string, string>
  /** Task names by `PHASE HOST`. */
  readonly tasks: Map<string, string[]>
}

export function createPlanCollector(): PlanCollector {
  const seen: Seen = {
    name: '',
    inputs: '',
    world: undefined,
    values: new Map(),
    changes: [],
    logins: new Map(),
    files: new Map(),
    tasks: new Map(),
  }
  return {
    reporter: createWatcher(seen),
    logins: seen.logins,
    takeInputs(inputs) {
      seen.inputs = inputs
    },
    takeFile(path) {
      for (const [file, hash] of hashFiles(path)) seen.files.set(file, hash)
    },
    join: deps => watchDeps(deps, seen),
    make: options => (seen.world ? renderSeen(seen, seen.world, options) : undefined),
  }
}

/** A task that check mode leaves out would be run; one whose condition is false would not. */
function wouldRun({ status, result }: Extract<RunEvent, { type: 'host.end' }>): boolean {
  return (
    status === 'ok' ||
    status === 'changed' ||
    (status === 'skipped' && !/"skip(ped)?_reason"/.test(result ?? ''))
  )
}

function createWatcher(seen: Seen): Reporter {
  const names = new Map<string, string>()
  let phase = ''
  return {
    on(event: Stamped) {
      if (event.type === 'phase.start') phase = event.phase
      if (event.type === 'login') seen.logins.set(event.host, event)
      if (event.type === 'task.start') names.set(event.task, event.name)
      if (event.type !== 'host.end' || !wouldRun(event)) return
      const key = `${phase} ${event.host}`
      seen.tasks.set(key, [...(seen.tasks.get(key) ?? []), names.get(event.task) ?? event.task])
    },
    close: async () => {},
  }
}

function watchDeps(deps: RunDeps, seen: Seen): RunDeps {
  const { runRotation } = deps
  return {
    ...deps,
    foresee(change: Change, phase: Phase | undefined) {
      if (phase === 'change' || phase === 'distribute') seen.changes.push(change)
    },
    ...(runRotation && {
      async runRotation(world, play) {
        seen.world = world
        seen.name = play.name
        const setSecrets: RotationWorld['setSecrets'] = (host, values) => {
          seen.values.set(host, values)
          world.setSecrets(host, values)
        }
        return runRotation({ ...world, setSecrets }, play)
      },
    }),
  }
}

function renderSeen(seen: Seen, world: RotationWorld, options: PlanOptions): Plan {
  const { made, by, playbooks, reason, sealed, baseKey } = options
  const { commit = 'run', failureBudget = 0 } = world.rule ?? {}
  const [first] = world.hosts
  return {
    v: 1,
    rotation: seen.name,
    reason,
    made,
    by,
    playbooks,
    inputs: seen.inputs,
    files: Object.fromEntries([...seen.files].sort(([a], [b]) => (a < b ? -1 : 1))),
    commit,
    failureBudget,
    downtime: (first !== undefined && world.forecast?.(first).downtime) || null,
    undo: UNDO_RUN,
    hosts: world.hosts.map(host => renderHost(seen, world, host, baseKey)),
    sealed,
  }
}

function renderHost(seen: Seen, world: RotationWorld, host: string, baseKey: Uint8Array): PlannedHost {
  const login = seen.logins.get(host)
  const own = seen.changes.filter(change => (change.owner ?? change.host) === host)
  return {
    host,
    wave: world.waves.findIndex(wave => wave.includes(host)) + 1,
    login: login ? { address: login.address, user: login.user, hostKey: login.hostKey } : null,
    secrets: renderSecrets(seen, world, host),
    changes: own.map(({ step, module, what, before }) => ({
      step,
      module,
      what: what.replaceAll(`${process.cwd()}/`, ''),
      undo: UNDO_CHANGE,
      base: fingerprintBase(before, baseKey, seen.values.get(host)?.pending),
    })),
    converge: seen.tasks.get(`converge ${host}`) ?? [],
    committed: seen.tasks.get(`committed ${host}`) ?? [],
  }
}

function renderSecrets(seen: Seen, world: RotationWorld, host: string): readonly PlannedSecret[] {
  const values = seen.values.get(host)
  const logsOut = world.forecast?.(host).logsOut
  const first = world.distributes ? ', which all accept before any sends it' : ''
  return world.secrets
    .filter(({ name }) => values?.pending.has(name) ?? true)
    .map(spec => {
      const { name } = spec
      const made = `made by rota, ${world.secretShape(host, name).length} characters`
      const value = spec.given
        ? 'given by the operator'
        : spec.issued === undefined
          ? made
          : 'issued by others'
      return {
        name,
        value: `${value}${spec.shared ? `, the same on all hosts${first}` : ''}`,
        replaces: values?.current.has(name) ?? false,
        logsOut: logsOut?.get(name) ?? null,
      }
    })
}
