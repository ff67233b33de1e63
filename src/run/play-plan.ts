import { dirname, resolve } from 'node:path'
import { problem } from '../core/error.ts'
import { type Item, type Phase, type Play, phases, type Task } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, type Scope, Template, type Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import type { RunDeps } from './deps.ts'
import { checkHandlers, planHandlers } from './handler-plan.ts'
import type { Handler } from './handlers.ts'
import { scopeOfPlay } from './host-vars.ts'
import { expandImport } from './imports.ts'
import { type Reading, renderName, renderTexts } from './keyword.ts'
import {
  inheritKeywords,
  type Keywords,
  type Node,
  type PlanOptions,
  planItems,
  playKeywords,
} from './plan.ts'
import { createShelf, parseRoleEntry, planRole, type RolePlanner } from './roles.ts'
import { isSelectedByTags } from './tags.ts'

/** A play with its static imports in place, its tags selected and its keywords handed down: the same for all hosts. */
export interface PlayPlan {
  readonly play: Play
  readonly folder: string
  /** What the play itself says in keywords that are not handed down. */
  readonly reading: Reading
  /** Of `vars_prompt`, once they were asked for. */
  readonly answers: Map<string, Value>
  readonly outer: Keywords
  readonly nodes: readonly Node[]
  readonly phases: ReadonlyMap<Phase, readonly Node[]>
  readonly handlers: readonly Handler[]
  readonly planOptions: PlanOptions
  readonly planner: RolePlanner
}

/** Throws RotaError for imports that cannot be loaded and for what is not supported. Nothing has been touched by then. */
export function planPlay(
  deps: RunDeps,
  play: Play,
  file: string,
  above: Keywords | undefined,
  startAt: StartAt,
): PlayPlan {
  const folder = resolve(dirname(file))
  const inherited = playKeywords(play)
  const outer = above ? mergeAbove(above, inherited) : inherited
  const values = (play.vars ?? new Map()) as ReadonlyMap<string, Value>
  const answers = new Map<string, Value>()
  const playLayers: readonly Layer[] = [
    { rank: 'play vars', from: 'play', values },
    { rank: 'play vars_prompt', from: 'vars_prompt', values: answers },
  ]
  const scope = scopeOfPlay({ deps, folder }, [...playLayers, ...outer.layers])
  const reading: Reading = { templar: deps.templar, scope, at: play.at }
  const planner = createPlanner(deps, folder, reading, playLayers)
  const options = planOptions(planner, scope, playLayers, startAt)
  planner.options = () => options
  const handlerOptions = planHandlerOptions(planner, playLayers)
  planner.handlerOptions = () => handlerOptions
  const roles = planRoles(planner, play, outer)
  const ofRoles = [...planner.shelf.handlers]
  const sections = planSections(deps, play, outer, options, roles)
  // A play that ends before --start-at-task has nothing to gather facts for.
  const nodes = startAt.hasBegun ? [...planFacts(deps, play, outer), ...sections] : sections
  const own = planner.planHandlers(planItems(checkHandlers(play.handlers), outer, handlerOptions))
  return {
    play,
    folder,
    reading,
    answers,
    outer,
    nodes,
    phases: planPhases(play, outer, options),
    // As in Ansible: those of `roles`, the play's own, those of import_role.
    handlers: [...ofRoles, ...own, ...planner.shelf.handlers.slice(ofRoles.length)],
    planOptions: options,
    planner,
  }
}

function createPlanner(
  deps: RunDeps,
  folder: string,
  reading: Reading,
  playLayers: readonly Layer[],
): RolePlanner & { options: () => PlanOptions; handlerOptions: () => PlanOptions } {
  return {
    deps,
    folder,
    shelf: createShelf(),
    read: new Map(),
    importing: [],
    seenBy: new Map(),
    placed: new Set(),
    render: value => deps.templar.render(value, reading.scope),
    planHandlers: nodes =>
      planHandlers(nodes, ({ keywords }) => ({
        ...reading,
        scope: scopeOfPlay({ deps, folder }, [...playLayers, ...keywords.layers]),
      })),
    warn: text => deps.emit({ type: 'note', level: 'warn', text: deps.redactor.clean(text) }),
    // Options plan roles and roles need options: they are joined by planPlay.
    options: () => ({ expandImport: () => null, isWanted: () => true }),
    handlerOptions: () => ({ expandImport: () => null, isWanted: () => true }),
  }
}

/** The play's `roles`, as tasks before its own. */
function planRoles(planner: RolePlanner, play: Play, outer: Keywords): Node[] {
  const places = play.valuesAt?.get('roles')
  return (play.roles ?? []).flatMap((entry, index) =>
    planRole(planner, parseRoleEntry(planner, entry, places?.[index] ?? play.at), outer),
  )
}

/** import_playbook's tags, conditions and variables go to every task of the imported plays. */
function mergeAbove(above: Keywords, own: Keywords): Keywords {
  return {
    ...own,
    when: [...above.when, ...own.when],
    tags: [...above.tags, ...own.tags],
    layers: [...above.layers, ...own.layers],
  }
}

/** Whether the task named by `--start-at-task` has been met, and which tags have. */
export interface StartAt {
  hasBegun: boolean
  readonly pattern: RegExp | undefined
  readonly tags: Set<string>
  /** What is included while the play runs may have other tags. */
  hasIncludes: boolean
}
export function createStartAt(name: string | undefined): StartAt {
  const seen = { tags: new Set<string>(), hasIncludes: false }
  if (name === undefined) return { hasBegun: true, pattern: undefined, ...seen }
  const source = name
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return { hasBegun: false, pattern: new RegExp(`^${source}$`), ...seen }
}

function planOptions(
  planner: RolePlanner,
  scope: Scope,
  playLayers: readonly Layer[],
  startAt: StartAt,
): PlanOptions {
  const { deps, folder } = planner
  const { settings } = deps
  const options: PlanOptions = {
    expandImport: (task, keywords) =>
      expandImport(
        planner,
        scopeOfPlay({ deps, folder }, [...playLayers, ...keywords.layers]),
        task,
        keywords,
      ),
    isWanted(task, keywords) {
      const reading: Reading = { templar: deps.templar, scope, at: task.at }
      startAt.hasBegun ||= startAt.pattern!.test(renderName(reading, task))
      const tags = renderTexts(reading, 'tags', keywords.tags)
      for (const tag of tags) startAt.tags.add(tag)
      startAt.hasIncludes ||= typeof task.module !== 'string' || /(^|\.)include/.test(task.module)
      return startAt.hasBegun && isSelectedByTags(tags, settings.tags, settings.skipTags)
    },
  }
  return options
}

/** What handlers import are handlers too: they may listen, and no tags select them. */
function planHandlerOptions(planner: RolePlanner, playLayers: readonly Layer[]): PlanOptions {
  const { deps, folder } = planner
  const inner: RolePlanner = {
    ...planner,
    deps: { ...deps, loadTasks: file => checkHandlers(deps.loadHandlers(file)) },
    options: () => options,
  }
  const options: PlanOptions = {
    isWanted: () => true,
    expandImport: (task, keywords) =>
      expandImport(inner, scopeOfPlay({ deps, folder }, [...playLayers, ...keywords.layers]), task, keywords),
  }
  return options
}

/** The play's order: each section followed by the handlers that were notified, even when it has no task of its own. */
function planSections(
  deps: RunDeps,
  play: Play,
  outer: Keywords,
  options: PlanOptions,
  roles: readonly Node[],
): Node[] {
  const isForced =
    play.forceHandlers === undefined ? deps.settings.forceHandlers : play.forceHandlers === true
  const flush = metaNode('flush_handlers', play.at, outer)
  const section = (items: readonly Item[], before: readonly Node[] = []): Node[] => {
    const nodes = [...before, ...planItems(items, outer, options)]
    if (!isForced) return [...nodes, flush]
    return [{ kind: 'block', block: nodes, always: [flush] }]
  }
  if (play.rotation) return []
  return [...section(play.preTasks), ...section(play.tasks, roles), ...section(play.postTasks)]
}

/** Each phase of a rotation ends with the handlers it notified. */
function planPhases(play: Play, outer: Keywords, options: PlanOptions): Map<Phase, Node[]> {
  const { rotation } = play
  if (!rotation) return new Map()
  const others = [play.roles ?? [], play.preTasks, play.tasks, play.postTasks]
  if (others.some(each => each.length > 0))
    throw problem('E_PLAYBOOK', 'a play with rotation has no tasks and roles beside its phases', {
      at: rotation.at,
      hint: 'move them into preflight, change, converge or verify, or into a play of their own',
    })
  const flush = metaNode('flush_handlers', play.at, outer)
  return new Map(phases.map(phase => [phase, [...planItems(rotation.phases[phase], outer, options), flush]]))
}

function metaNode(what: string, at: Source, outer: Keywords): Node {
  const keywords: Keywords = { ...outer, when: [] }
  return { kind: 'task', task: makeTask('meta', at, { freeForm: what }), keywords, outer }
}

function makeTask(module: string, at: Source, more: Partial<Task>): Task {
  return { kind: 'task', module, at, moduleAt: at, args: new Map(), argsAt: new Map(), ...more }
}

/** Gathering facts is a task like any other, when the play or the settings want it. */
function planFacts(deps: RunDeps, play: Play, outer: Keywords): Node[] {
  const isWanted = play.gatherFacts ?? deps.settings.gatherFacts
  if (isWanted === false) return []
  const options: readonly (readonly [string, Value | undefined])[] = [
    ['gather_subset', play.gatherSubset],
    ['gather_timeout', play.gatherTimeout],
    ['fact_path', play.factPath],
  ]
  const args: Dict = new Map(options.filter((option): option is [string, Value] => option[1] !== undefined))
  const { tags, skipTags } = deps.settings
  const own = outer.tags.filter(tag => typeof tag === 'string')
  if (!isSelectedByTags([...own, 'always'], tags, skipTags)) return []
  const task = makeTask('gather_facts', play.at, { name: 'Gathering Facts', args })
  const when = typeof isWanted === 'boolean' ? [] : [toCondition(isWanted, play.at)]
  // Each host has facts of its own, whatever run_once says of the play.
  const keywords: Keywords = { ...outer, runOnce: false, when: [...outer.when, ...when] }
  return [{ kind: 'task', task, keywords, outer }]
}

function toCondition(value: Value, at: Source): Template | boolean {
  if (value instanceof Template) return new Template(value.text.replace(/^\s*\{\{(.*)\}\}\s*$/s, '$1'), at)
  return value === true
}

/** A handler for the play whose tags and conditions come from an import_playbook. */
export function importKeywords(
  above: Keywords | undefined,
  entry: Parameters<typeof inheritKeywords>[1],
): Keywords {
  return inheritKeywords(above ?? playKeywords({ at: entry.at }), entry, 'play vars')
}
