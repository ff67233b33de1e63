import { join } from 'node:path'
import pLimit from 'p-limit'
import { type Exit, problem, RotaError } from '../core/error.ts'
import { orderHosts, selectBatches } from './batch.ts'
import type { RunDeps } from './deps.ts'
import { driveHosts, strategyOf } from './drive.ts'
import type { Fleet } from './fleet.ts'
import { createHandlers } from './handlers.ts'
import { renderBoolean, renderText, renderTexts } from './keyword.ts'
import { shortName } from './module-name.ts'
import type { PlanOptions } from './plan.ts'
import { patternOf } from './play-hosts.ts'
import type { PlayPlan } from './play-plan.ts'
import { askPrompts } from './play-prompts.ts'
import type { PlayRun } from './play-run.ts'
import { loadPlayLayers } from './play-vars.ts'
import { isFree } from './strategy.ts'
import { createWorld } from './world.ts'

export interface RunContext {
  readonly deps: RunDeps
  readonly fleet: Fleet
  readonly startedAt: Date
  /** Warnings that were given: each is said once. */
  readonly warned: Set<string>
  /** Some play has found a host. */
  hasMatched: boolean
  /** What the first play says that named a host or group that is not there: an earlier play might have made it. */
  unmatched?: RotaError
}
export interface PlayEnd {
  /** A whole batch failed: no further play is run. */
  readonly isBroken: boolean
  /** Of a rotation. */
  readonly exit?: Exit | undefined
}

/** Runs one play over the hosts it names, batch by batch. */
export async function runPlay(context: RunContext, plan: PlayPlan, index: number): Promise<PlayEnd> {
  const { deps, fleet } = context
  await askPrompts(deps, plan)
  const name = playName(plan)
  const { all, ordered } = selectPlayHosts(context, plan)
  const hosts = ordered.filter(fleet.isIn)
  if (hosts.length === 0) {
    startPlay(deps, plan, { id: `${index}`, name, hosts: [] })
    return { isBroken: false }
  }
  const base = await preparePlay(context, plan, index, name, { all, hosts })
  const cut = (from: readonly string[]): string[][] => selectBatches(from, serialOf(plan), plan.play.at)
  if (plan.play.rotation) return runRotationPlay(base, plan, cut)
  const batches = cut(hosts)
  for (const [turn, batch] of batches.entries()) {
    const id = batches.length > 1 ? `${index}.${turn}` : `${index}`
    const run: PlayRun = { ...base, id, stepId: id, hosts: batch.filter(fleet.isIn) }
    startPlay(deps, plan, { id, name, hosts: run.hosts })
    await driveHosts(run, plan, plan.nodes)
    if (!batch.some(fleet.isIn)) return { isBroken: true }
    if (run.ended === 'play' || deps.stop.aborted) break
  }
  return { isBroken: false }
}

/** Its `name`, or else the hosts it names. */
export function playName({ play, reading }: PlayPlan): string {
  return renderText(reading, 'name', play.name) ?? patternOf(play.hosts, reading)
}

function startPlay(
  deps: RunDeps,
  plan: PlayPlan,
  { id, name, hosts }: { readonly id: string; readonly name: string; readonly hosts: readonly string[] },
): void {
  deps.emit({
    type: 'play.start',
    play: id,
    name: deps.redactor.clean(name),
    hosts,
    check: renderBoolean(plan.reading, 'check_mode', plan.play.checkMode) ?? deps.settings.check,
    free: isFree(strategyOf(plan)),
  })
}

/** The hosts that the pattern and `--limit` name, those that are out of the run too: as the inventory has them, and in the play's order. */
function selectPlayHosts(
  context: RunContext,
  { play, reading }: PlayPlan,
): { readonly all: readonly string[]; readonly ordered: readonly string[] } {
  const { deps, fleet } = context
  const pattern = patternOf(play.hosts, reading)
  if (pattern.trim() === '')
    throw problem('E_PLAYBOOK', 'Hosts list cannot be empty. Please check your playbook', {
      at: play.at,
      hint: 'look at the variables that it is made of',
    })
  const order = renderText(reading, 'order', play.order) ?? 'inventory'
  try {
    const hosts = deps.selectHosts(fleet.inventory, pattern, deps.settings.limit)
    context.hasMatched ||= hosts.length > 0
    return { all: hosts, ordered: orderHosts(hosts, order, deps.random, play.at) }
  } catch (error) {
    if (!(error instanceof RotaError) || error.code !== 'E_HOSTS') throw error
    const { onMismatch = 'warning' } = deps.settings
    if (onMismatch === 'error') throw error
    context.unmatched ??= error
    const text = deps.redactor.clean(`${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`)
    if (onMismatch === 'warning') deps.emit({ type: 'note', level: 'warn', text })
    return { all: [], ordered: [] }
  }
}

function serialOf({ play, reading }: PlayPlan): string[] {
  return play.serial === undefined ? [] : renderTexts(reading, 'serial', [play.serial])
}

/** What all batches of a play share. */
async function preparePlay(
  context: RunContext,
  plan: PlayPlan,
  index: number,
  name: string,
  { all, hosts }: { readonly all: readonly string[]; readonly hosts: readonly string[] },
): Promise<PlayRun> {
  const { deps, fleet, warned } = context
  const orders = new Map<string, number>()
  const draft: PlayRun = {
    deps,
    fleet,
    play: plan.play,
    playName: name,
    startedAt: context.startedAt,
    folder: plan.folder,
    id: `${index}`,
    stepId: `${index}`,
    allHosts: all,
    hosts,
    handlers: createHandlers(plan.handlers),
    planOptions: dynamicOptions(plan.planOptions),
    planner: plan.planner,
    playLayers: new Map(),
    limit: pLimit(Math.max(1, deps.settings.forks)),
    apply: (_, write) => write(),
    isUndoable: false,
    warn(text) {
      if (warned.has(text)) return
      warned.add(text)
      deps.emit({ type: 'note', level: 'warn', text: deps.redactor.clean(text) })
    },
    orderOfInclude(at, key) {
      const place = at.join('.')
      const full = `${place}:${key}`
      const known = orders.get(full)
      if (known !== undefined) return known
      const order = orders.get(place) ?? 0
      orders.set(place, order + 1).set(full, order)
      return order
    },
    gone: new Set(),
    ended: 'no',
  }
  return { ...draft, playLayers: loadPlayLayers(draft, plan) }
}

/** In a file that was included while the play runs, the older `include` is dynamic too. */
function dynamicOptions(options: PlanOptions): PlanOptions {
  return {
    ...options,
    expandImport: (task, keywords) =>
      typeof task.module === 'string' && shortName(task.module) === 'include'
        ? null
        : options.expandImport(task, keywords),
  }
}

async function runRotationPlay(
  run: PlayRun,
  plan: PlayPlan,
  cut: (hosts: readonly string[]) => string[][],
): Promise<PlayEnd> {
  const { deps } = run
  const { rotation } = plan.play
  if (!deps.runRotation)
    throw problem('E_PLAYBOOK', 'a play with rotation cannot be run by this command', {
      at: rotation!.at,
      hint: 'use `rota run`',
    })
  startPlay(deps, plan, { id: run.id, name: run.playName, hosts: run.hosts })
  const name = renderText(plan.reading, 'rotation name', rotation!.name) ?? run.playName
  await driveHosts(run, plan, plan.nodes)
  // A run that is taken up again goes on without a host that does not answer; its facts are in the journal.
  if (!deps.settings.rotationOnly && !run.hosts.every(run.fleet.isIn)) return { isBroken: true }
  const world = createWorld(run, plan, cut)
  const exit = await deps.runRotation(world, { name, play: plan.play })
  return { isBroken: exit !== 'ok', exit }
}

/** Beside the playbook, or where an absolute path says. */
export function playFile(folder: string, path: string): string {
  return path.startsWith('/') ? path : join(folder, path)
}
