import { dirname } from 'node:path'
import { problem } from '../core/error.ts'
import type { Conditional, Field } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import type { Act } from './act.ts'
import { isApplicable, parseApply } from './apply.ts'
import { loadIncluded } from './bad-input.ts'
import type { RunDeps } from './deps.ts'
import { checkHandlers } from './handler-plan.ts'
import type { Handler } from './handlers.ts'
import { inheritInclude } from './includes.ts'
import { createOptions, requireOption } from './options.ts'
import {
  inheritKeywords,
  type Keywords,
  type Node,
  type PlanOptions,
  planItems,
  type RoleRef,
} from './plan.ts'
import { fromOutcome, renderLabel, type TaskResult } from './result.ts'
import { loadRole, mainFiles, type Near, namesIn, type Role, type RoleFiles } from './role.ts'
import { renderCheck } from './role-check.ts'
import { walkNodes } from './walk.ts'

/** What planning roles brings beside their tasks. It grows as roles are planned, and again when one is included at run time. */
export interface RoleShelf {
  readonly handlers: Handler[]
  /** Defaults and vars of roles that the whole play sees. */
  readonly layers: Layer[]
  readonly names: string[]
  /** Those that only other roles asked for. */
  readonly dependents: string[]
  /** Roles that ran with the same parameters: a second time is left out. */
  readonly seen: Set<string>
}
export function createShelf(): RoleShelf {
  return { handlers: [], layers: [], names: [], dependents: [], seen: new Set() }
}

export interface RolePlanner {
  readonly deps: RunDeps
  /** Of the playbook. */
  readonly folder: string
  readonly shelf: RoleShelf
  readonly options: () => PlanOptions
  /** For handlers: no tags select them, nor what they import. */
  readonly handlerOptions: () => PlanOptions
  /** Roles that were read, by folder and files. */
  readonly read: Map<string, Role>
  /** The files of tasks that are being imported, each by the one before. */
  readonly importing: string[]
  /** Uses of roles whose handlers are on the shelf. */
  readonly placed: Set<string>
  /** By host, the roles that includes have run on it. */
  readonly seenBy: Map<string, Set<string>>
  /** With the play's variables. */
  render(value: Value): Value
  planHandlers(nodes: readonly Node[]): Handler[]
  warn(text: string): void
}

/** One use of a role: in `roles`, in a role's dependencies, by import_role or include_role. */
export interface RoleUse {
  readonly name: string
  readonly files: RoleFiles
  /** Keywords for each of its tasks. */
  readonly apply: Conditional
  /** `vars` beside the role's name. Weaker than the role's own vars/ and, like those, seen by the whole play. */
  readonly vars: ReadonlyMap<string, Value>
  /** Role params: variables above those of the tasks. */
  readonly params: ReadonlyMap<string, Value>
  /** Other roles of the play see its defaults and vars. */
  readonly isPublic: boolean
  /** Whether it runs even if it ran before; undefined: as the role's own meta/ says. */
  readonly isRepeated?: boolean
  /** By import_role or include_role: another use than one by `roles`, even when all else is the same. */
  readonly isIncluded?: boolean
  /** `rolespec_validate: false`: its argument specs are not checked. */
  readonly isUnchecked?: boolean
  readonly at: Source
}

/** An entry of `roles` or `dependencies`: a name, or a dict with the name, keywords and parameters. Throws E_PLAYBOOK. */
export function parseRoleEntry({ render }: RolePlanner, entry: Field, at: Source): RoleUse {
  const dict: Dict = isDict(entry) ? entry : new Map([['role', entry]])
  const name = dict.get('role') ?? dict.get('name')
  if (name === undefined || isDict(name) || Array.isArray(name))
    throw problem('E_PLAYBOOK', 'an entry of roles names no role', { at, hint: 'write - role: NAME' })
  if (typeof entry === 'string' && entry.includes(','))
    throw problem('E_PLAYBOOK', `Invalid old style role requirement: ${entry}`, {
      at,
      hint: 'write - role: NAME',
    })
  const others = [...dict].filter(([key]) => key !== 'role' && key !== 'name')
  const keywords = others.filter(([key]) => isApplicable(String(key)))
  const params = others.filter(([key]) => !isApplicable(String(key)))
  const { vars, ...apply } = parseApply(new Map(keywords), at)
  return {
    name: renderLabel(render(name)),
    files: mainFiles,
    apply,
    vars: textKeys(vars ?? []),
    params: textKeys(params),
    isPublic: true,
    at,
  }
}

function textKeys(entries: Iterable<readonly [unknown, Value]>): Map<string, Value> {
  return new Map([...entries].map(([key, value]) => [String(key), value]))
}

/** A role's dependencies, then its tasks, as nodes; its handlers and public variables go to the shelf. */
export function planRole(planner: RolePlanner, use: RoleUse, outer: Keywords): Node[] {
  const { shelf } = planner
  const folders = outer.role ? [dirname(outer.role.path)] : []
  const role = readRole(planner, use, { folders, collections: namesIn(outer.collections) })
  const key = renderKey(role, use)
  if (!(use.isRepeated ?? role.allowsDuplicates) && shelf.seen.has(key)) return []
  shelf.seen.add(key)
  const isDependency = outer.role !== undefined && !use.isIncluded
  const names = isDependency ? shelf.dependents : shelf.names
  names.push(role.name)
  if (use.isPublic) shelf.layers.push(...layersOf(role, use))
  const keywords = roleKeywords(role, use, outer)
  const dependencies = role.dependencies.flatMap(entry => {
    const dependency = parseRoleEntry(planner, entry, use.at)
    refuseCycle(keywords.role!, dependency)
    return planRole(planner, dependency, keywords)
  })
  addHandlers(planner, role, use, keywords)
  const own = {
    ...keywords,
    layers: [...outer.layers, ...dependencyLayers(planner, role, use), ...newLayers(outer, keywords)],
  }
  const tasks = role.tasks(keywords.when.length > 0)
  return [...dependencies, ...planItems([...renderCheck(role, use), ...tasks], own, planner.options())]
}

/** Variables of a role's dependencies: its tasks see them above those of the roles that it is a dependency of. */
function dependencyLayers(planner: RolePlanner, role: Role, use: RoleUse): readonly Layer[] {
  return role.dependencies.flatMap(entry => {
    const dependency = parseRoleEntry(planner, entry, use.at)
    const found = readRole(planner, dependency, {
      folders: [dirname(role.path)],
      collections: role.collections,
    })
    return [...dependencyLayers(planner, found, dependency), ...found.layers]
  })
}

function newLayers(outer: Keywords, { layers }: Keywords): readonly Layer[] {
  return layers.slice(outer.layers.length)
}

function readRole(planner: RolePlanner, use: RoleUse, near: Near): Role {
  const key = JSON.stringify([use.name, use.files, near])
  const role =
    planner.read.get(key) ?? loadRole(planner.deps, planner.folder, use.name, use.files, near, use.at)
  planner.read.set(key, role)
  return role
}

/** Uses that are the same in Ansible's eyes: the role, its parameters, its tags and its conditions. */
function renderKey(role: Role, { files, params, vars, apply, isIncluded }: RoleUse): string {
  return JSON.stringify([role.path, files, [...params], [...vars], apply.tags, apply.when, isIncluded])
}

/** What a role and its use define, weakest first within each rank. */
function layersOf(role: Role, { vars }: RoleUse): readonly Layer[] {
  if (vars.size === 0) return role.layers
  return [{ rank: 'role vars', from: `vars of the role ${role.name}`, values: vars }, ...role.layers]
}

function refuseCycle({ name, parents }: RoleRef, { name: next, at }: RoleUse): void {
  if ([name, ...parents].includes(next))
    throw problem('E_PLAYBOOK', `the role ${next} depends on itself`, {
      at,
      hint: 'remove it from the dependencies in meta/main.yml',
    })
}

function roleKeywords(role: Role, use: RoleUse, outer: Keywords): Keywords {
  const inner = inheritKeywords(outer, use.apply, 'role params')
  const params: Layer[] =
    use.params.size > 0
      ? [{ rank: 'role params', from: `params of the role ${role.name}`, values: use.params }]
      : []
  const parents = outer.role ? [outer.role.name, ...outer.role.parents] : []
  const parentPaths = outer.role ? [outer.role.path, ...outer.role.parentPaths] : []
  return {
    ...inner,
    layers: [...inner.layers, ...layersOf(role, use), ...params],
    role: { name: role.name, path: role.path, parents, parentPaths },
    collections: role.collections,
  }
}

/**
 * Once for each place that uses the role: of handlers with one name the last one is meant. Tags select tasks, never handlers.
 */
function addHandlers(planner: RolePlanner, role: Role, use: RoleUse, keywords: Keywords): void {
  const { shelf, handlerOptions, planHandlers, placed } = planner
  const { file, line, col } = use.at
  const place = `${file}:${line}:${col} ${renderKey(role, use)}`
  if (placed.has(place)) return
  placed.add(place)
  const nodes = planItems(checkHandlers(role.handlers), { ...keywords, tags: [] }, handlerOptions())
  shelf.handlers.push(...planHandlers(nodes))
}

/** Options of include_role and import_role, rendered but for `apply`. `imported`: the task that imports it. */
export function parseRoleOptions(
  action: string,
  args: Dict,
  where: { readonly at: Source; readonly argsAt: ReadonlyMap<string, Source> },
  imported?: { readonly vars?: Dict | undefined },
): RoleUse {
  const options = createOptions(action, args, where)
  const name = requireOption(action, 'name', options.takeText('name', 'role'), where.at)
  const file = (kind: string): string => options.takeText(`${kind}_from`) ?? 'main'
  const apply = parseApply(options.take('apply'), where.at)
  const isPublic = isYes(options.take('public') ?? false)
  const isRepeated = isYes(options.take('allow_duplicates') ?? true)
  const isChecked = isYes(options.take('rolespec_validate') ?? true)
  const files = {
    tasks: file('tasks'),
    handlers: file('handlers'),
    vars: file('vars'),
    defaults: file('defaults'),
  }
  options.refuseRest()
  return {
    name,
    files,
    apply,
    vars: textKeys(imported?.vars ?? []),
    params: new Map(),
    isPublic: imported !== undefined || isPublic,
    isRepeated,
    isIncluded: true,
    isUnchecked: !isChecked,
    at: where.at,
  }
}

/** Rendered options of the engine's own actions have not been coerced. */
function isYes(value: Value): boolean {
  return value === true || (typeof value === 'string' && /^(?:y|yes|true|on|1|t)$/i.test(value))
}

/** `include_role`: the role's tasks come next on this host; its handlers join the play's. */
export function includeRole(act: Act, args: Dict): TaskResult {
  const { run, host } = act
  const { task, outer, keywords } = act.step.node
  const { collections } = keywords
  const rendered = new Map([...args].filter(([key]) => key !== 'apply'))
  const raw = task.args.get('apply')
  if (raw !== undefined) rendered.set('apply', raw)
  const use = loadIncluded(run, () => parseRoleOptions('include_role', rendered, task))
  const { planner } = run
  const seen = planner.seenBy.get(host) ?? new Set(planner.shelf.seen)
  planner.seenBy.set(host, seen)
  const nodes = loadIncluded(run, () =>
    planRole(
      { ...planner, shelf: { ...planner.shelf, seen } },
      use,
      inheritInclude(act, { ...outer, ...(collections && { collections }) }, { at: act.at }),
    ),
  )
  run.handlers.add(planner.shelf.handlers)
  return {
    ...fromOutcome({ changed: false, values: { include_role: use.name } }, false),
    message: `included: ${use.name}`,
    okCount: 0,
    included: [
      {
        key: JSON.stringify([use.name, use.files]),
        walk: (at, isRescuable) => walkNodes(nodes, at, isRescuable),
      },
    ],
  }
}
