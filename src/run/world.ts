import { problem } from '../core/error.ts'
import type { Prove } from '../core/fence.ts'
import type { Target } from '../core/module.ts'
import type { Phase } from '../core/play.ts'
import type { Ran, ScriptParams } from '../core/remote.ts'
import type { Script } from '../core/script.ts'
import type { Apply, Change, HostSecrets, PhaseResult, RotationWorld } from '../core/transaction.ts'
import { selectConnection } from './act.ts'
import { isOfIdle, renderTurns } from './alternate.ts'
import { driveHosts } from './drive.ts'
import type { HostState } from './fleet.ts'
import { selectFleetRule } from './fleet-rule.ts'
import { createHandlers } from './handlers.ts'
import { scopeOfTask } from './host-vars.ts'
import { findJoined, withHosts } from './joined-hosts.ts'
import type { Reading } from './keyword.ts'
import { createOperator } from './operator.ts'
import type { Keywords } from './plan.ts'
import type { PlayPlan } from './play-plan.ts'
import type { PlayRun } from './play-run.ts'
import { renderLabel } from './result.ts'
import {
  findSpec,
  renderCurrent,
  renderForecast,
  renderGates,
  renderGraceMs,
  renderIssued,
  renderShape,
} from './rotation-secrets.ts'
import { showSecrets } from './secrets-in-force.ts'
import { restoreHosts, snapshotHosts } from './snapshot.ts'
import type { AnyStateModule } from './state-change.ts'
import { createTarget } from './target.ts'

/** A play with `rotation:` as a transaction sees it: its phases as functions, its changes one by one. */
export function createWorld(
  begun: PlayRun,
  plan: PlayPlan,
  cut: (hosts: readonly string[]) => readonly (readonly string[])[],
): RotationWorld {
  let base = begun
  const specs = plan.play.rotation!.secrets
  const { fleet } = base
  const values = new Map<string, HostSecrets>()
  const counts = new Map<Phase, number>()
  const turnsOf = (host: string) =>
    renderTurns(readingOf(base, plan, host), plan.play.rotation!.alternates ?? [])
  const distributes = plan.play.rotation!.phases.distribute.length > 0
  return {
    get hosts() {
      return base.hosts
    },
    get waves() {
      return cut(base.hosts)
    },
    secrets: specs,
    rule: selectFleetRule(plan, base.hosts.length),
    // What waits for a provider has not ended either.
    hasFinalise:
      plan.play.rotation!.phases.finalise.length > 0 || plan.play.rotation!.providerGates.length > 0,
    distributes,
    isReadying: change => isOfIdle(change, turnsOf(change.owner ?? change.host)),
    ...(base.deps.refreshInventory && {
      joined: () => findJoined(base, plan),
      async setHosts(hosts) {
        base = await withHosts(base, plan, hosts)
      },
    }),
    async runPhase(phase, hosts, inForce, apply, isBack = false) {
      const count = (counts.get(phase) ?? 0) + 1
      counts.set(phase, count)
      const hasRead = phase !== 'preflight' && phase !== 'backup'
      for (const host of hosts) {
        const turns = hasRead ? turnsOf(host) : []
        showSecrets(fleet.host(host), values.get(host), inForce, distributes && phase, turns)
      }
      const run = phaseRun(base, plan, phase, count, hosts, apply)
      return runPhase(isBack ? unstoppable(run) : run, plan, phase)
    },
    async currentSecrets(host) {
      // Whether it is anybody's turn is known before anything is changed.
      turnsOf(host)
      return renderCurrent(base, readingOf(base, plan, host), specs)
    },
    issuedSecrets: async host => renderIssued(base, readingOf(base, plan, host), specs),
    secretShape: (host, name) => renderShape(readingOf(base, plan, host), findSpec(specs, name)),
    providerGates: host => renderGates(base, readingOf(base, plan, host), plan.play.rotation!.providerGates),
    graceMs: (host, name) => renderGraceMs(readingOf(base, plan, host), findSpec(specs, name)),
    forecast: host => renderForecast(readingOf(base, plan, host), plan.play.rotation!),
    setSecrets(host, secrets) {
      values.set(host, secrets)
      for (const secret of [...secrets.current.values(), ...secrets.pending.values()])
        base.deps.redactor.add(secret)
      showSecrets(fleet.host(host), secrets, 'pending', false, [])
    },
    reread: async change => stateModule(base, change).reread(changeTarget(base, plan, change), change.after),
    async write(change, from, to) {
      await stateModule(base, change).write(changeTarget(base, plan, change), from, to)
    },
    runOnHost: (host, script, params) => runOnHost(base, plan, host, script, params),
    setFence: (host, prove) => void fleet.fences.set(host, prove),
    snapshot: () => snapshotHosts(fleet, base.hosts),
    restore: snapshot => restoreHosts(fleet, snapshot),
  }
}

function phaseRun(
  base: PlayRun,
  plan: PlayPlan,
  phase: Phase,
  count: number,
  hosts: readonly string[],
  apply: Apply,
): PlayRun {
  return {
    ...base,
    // Task ids are unique within the run; step ids are the same whenever the phase is run, so that recovery finds them again.
    id: `${base.id}.${phase}${count > 1 ? `#${count}` : ''}`,
    stepId: `${base.id}.${phase}`,
    hosts,
    handlers: createHandlers(plan.handlers),
    apply,
    isUndoable: phase === 'change' || phase === 'distribute',
    phase,
    ended: 'no',
  }
}

/** An undo goes on after ^C: a rotation must not be left half way. */
function unstoppable(run: PlayRun): PlayRun {
  return { ...run, deps: { ...run.deps, stop: new AbortController().signal } }
}

/** A host that failed an earlier phase takes part again: recovery has to reach it. */
async function runPhase(run: PlayRun, plan: PlayPlan, phase: Phase): Promise<Map<string, PhaseResult>> {
  const states = run.hosts.map(run.fleet.host)
  for (const state of states) {
    state.standing = 'in'
    state.failure = undefined
    state.flake = undefined
  }
  await driveHosts(run, plan, plan.phases.get(phase) ?? [])
  return new Map(states.map(state => [state.name, phaseResult(run, state)]))
}

function phaseResult({ deps }: PlayRun, { standing, failure, flake }: HostState): PhaseResult {
  if (deps.stop.aborted) return { status: 'failed', message: failure ?? deps.redactor.clean('stopped by ^C') }
  if (standing !== 'in')
    return { status: standing, message: failure ?? deps.redactor.clean('another host failed') }
  return flake === undefined ? { status: 'ok' } : { status: 'failed', message: flake, isFlaky: true }
}

function readingOf(run: PlayRun, plan: PlayPlan, host: string): Reading {
  return {
    templar: run.deps.templar,
    scope: scopeOfTask(run, host, plan.outer, new Map()),
    at: plan.play.rotation!.at,
  }
}

function stateModule({ deps }: PlayRun, change: Change): AnyStateModule {
  const module = deps.registry.get(change.module)
  if (module?.kind === 'state') return module
  throw problem('E_JOURNAL', `the module ${change.module} of a recorded change is not known here`, {
    hint: 'use the version of rota that began the rotation',
  })
}

/** A target for a change alone: its host and user, and the connection variables of the host; no task. */
function changeTarget(run: PlayRun, plan: PlayPlan, change: Change): Target {
  const keywords = {
    ...plan.outer,
    become: change.become !== undefined,
    ...(change.become ? { becomeUser: change.become.user, becomeMethod: change.become.method } : {}),
  }
  const fence = run.fleet.fences.get(change.host)
  return bareTarget(run, plan, { task: change.step, host: change.host }, keywords, fence)
}

function bareTarget(
  run: PlayRun,
  plan: PlayPlan,
  ref: { readonly task: string; readonly host: string },
  keywords: Keywords,
  fence?: Prove,
): Target {
  const reading = readingOf(run, plan, ref.host)
  const { deps } = unstoppable(run)
  return createTarget({
    deps,
    ...selectConnection(run, reading, ref.host, keywords),
    fence,
    environment: {},
    operator: createOperator(deps, reading.scope, () => [run.folder], plan.play.at),
    ref,
    check: false,
    diff: false,
    isUndoable: true,
    timeoutMs: 0,
    stop: deps.stop,
    isSilent: true,
    warnings: [],
  })
}

/** The transaction's own scripts: as the user that the play becomes, whatever its tasks become. */
function runOnHost(
  run: PlayRun,
  plan: PlayPlan,
  host: string,
  script: Script,
  params: ScriptParams,
): Promise<Ran> {
  const { templar, scope } = readingOf(run, plan, host)
  const given = scope.get('rota_host_folder')
  const folder = given === undefined ? '' : renderLabel(templar.render(given, scope))
  if (folder !== '' && !folder.startsWith('/'))
    throw problem('E_PLAYBOOK', `rota_host_folder of ${host} is no absolute path: ${folder}`, {
      at: plan.play.rotation!.at,
      hint: 'write rota_host_folder: /var/lib/rota, or leave it out',
    })
  const target = bareTarget(run, plan, { task: 'rotation', host }, plan.outer)
  return target.run(script, { ...params, folder })
}
