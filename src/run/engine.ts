import { dirname, resolve } from 'node:path'
import { type Exit, problem, type RotaError } from '../core/error.ts'
import type { Recap } from '../core/event.ts'
import type { Playbook } from '../core/play.ts'
import { Template } from '../core/value.ts'
import { BadInput } from './bad-input.ts'
import type { RunDeps } from './deps.ts'
import { createFleet } from './fleet.ts'
import { scopeOfPlay } from './host-vars.ts'
import { refuseCircle } from './imports.ts'
import type { Keywords } from './plan.ts'
import { playFile, type RunContext, runPlay } from './play.ts'
import { createStartAt, importKeywords, type PlayPlan, planPlay, type StartAt } from './play-plan.ts'
import { decideExit, renderRecap } from './recap.ts'
import { renderLabel } from './result.ts'

export type { RunDeps, Settings } from './deps.ts'

export interface RunEnd {
  readonly recap: Readonly<Record<string, Recap>>
  /** Hosts that failed by a role that is not there, which the recap does not count. */
  readonly missingRole: readonly string[]
  readonly exit: Exit
}

/**
 * Runs playbooks from their first play to the last one, or until a whole batch of hosts has failed. What happens goes out as
 * events; what goes wrong on a host is that host's result. Throws RotaError for input that is wrong, mostly before any host is
 * touched: imports, host patterns, keywords of plays.
 */
export async function runPlaybooks(playbooks: readonly Playbook[], deps: RunDeps): Promise<RunEnd> {
  const plans = planPlaybooks(playbooks, deps).flatMap(({ plays }, book, all) =>
    plays.map(plan => ({ plan, hasMore: book < all.length - 1 && plan === plays.at(-1) })),
  )
  if (deps.settings.flushesCache) for (const host of deps.inventory.hosts.keys()) deps.factCache?.drop(host)
  const context: RunContext = {
    deps,
    fleet: createFleet(deps.inventory, deps.factCache),
    startedAt: deps.now(),
    warned: new Set(),
    hasMatched: false,
  }
  const { limit } = deps.settings
  if (limit !== undefined) deps.selectHosts(deps.inventory, 'all', limit)
  let rotated: Exit = 'ok'
  for (const [index, { plan, hasMore }] of plans.entries()) {
    if (deps.stop.aborted) break
    if (deps.settings.rotationOnly && !plan.play.rotation) continue
    const { isBroken, exit = 'ok' } = await runPlay(context, plan, index).catch(unwrap)
    if (exit !== 'ok') rotated = exit
    if (isBroken) break
    if (hasMore) deps.emit({ type: 'playbook.end', ...countHosts(context) })
  }
  if (context.unmatched && !context.hasMatched) throw context.unmatched
  const exit = decideExit(context.fleet, deps.stop.aborted)
  return { ...countHosts(context), exit: rotated === 'ok' ? exit : rotated }
}

function countHosts({ fleet }: RunContext): Pick<RunEnd, 'recap' | 'missingRole'> {
  const missingRole = [...fleet.states()].filter(host => host.isMissingRole).map(({ name }) => name)
  return { recap: renderRecap(fleet), missingRole }
}

/** A playbook's plays and those it imports. */
export interface PlaybookPlan {
  readonly file: string
  readonly plays: readonly PlayPlan[]
}

/** Throws RotaError for imports that cannot be loaded and for a task to start at that is not there. Nothing is touched. */
export function planPlaybooks(playbooks: readonly Playbook[], deps: RunDeps): readonly PlaybookPlan[] {
  const startAt = createStartAt(deps.settings.startAtTask)
  const plans = playbooks.map(playbook => {
    const plays = planPlaybook(deps, playbook, undefined, startAt)
    if (deps.settings.verbosity > 1)
      deps.emit({
        type: 'note',
        level: 'info',
        text: deps.redactor.clean(`${plays.length} plays in ${playbook.file}`),
      })
    return { file: playbook.file, plays }
  })
  if (!startAt.hasBegun) throw noStart(deps.settings.startAtTask!)
  warnOfTags(deps, startAt)
  return plans
}

const SPECIAL: ReadonlySet<string> = new Set(['all', 'tagged', 'untagged', 'always', 'never'])

/** A misspelt tag selects nothing, or skips nothing, without a word: here it is said. */
function warnOfTags({ settings, emit, redactor }: RunDeps, { tags, hasIncludes }: StartAt): void {
  if (hasIncludes) return
  const known = [...tags].filter(tag => !SPECIAL.has(tag)).sort()
  const there = known.length > 0 && known.length <= 12 ? `; there are: ${known.join(', ')}` : ''
  for (const tag of [...settings.tags, ...settings.skipTags])
    if (!SPECIAL.has(tag) && !tags.has(tag))
      emit({ type: 'note', level: 'warn', text: redactor.clean(`no task has the tag ${tag}${there}`) })
}

function noStart(name: string): RotaError {
  return problem('E_USAGE', `there is no task ${JSON.stringify(name)} to start at`, {
    hint: '--list-tasks shows the names; a task that is included while running cannot be started at',
  })
}

function unwrap(error: unknown): never {
  throw error instanceof BadInput ? error.error : error
}

/** All plays of a playbook and of those it imports, in order. */
function planPlaybook(
  deps: RunDeps,
  playbook: Playbook,
  above: Keywords | undefined,
  startAt: StartAt,
  importing: readonly string[] = [],
): PlayPlan[] {
  const folder = resolve(dirname(playbook.file))
  const files = [...importing, resolve(playbook.file)]
  return playbook.plays.flatMap(entry => {
    if (entry.kind === 'play') return [planPlay(deps, entry, playbook.file, above, startAt)]
    const keywords = importKeywords(above, entry)
    const scope = scopeOfPlay({ deps, folder }, keywords.layers)
    const path =
      entry.playbook instanceof Template ? deps.templar.render(entry.playbook, scope) : entry.playbook
    const file = playFile(folder, renderLabel(path))
    refuseCircle(files, file, entry.at)
    return planPlaybook(deps, deps.loadPlaybook(file), keywords, startAt, files)
  })
}
