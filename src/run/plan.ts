import type { Block, Common, Condition, Conditional, Field, Item, Task } from '../core/play.ts'
import { type Dict, Template, type Value } from '../core/value.ts'
import type { Layer, Rank } from '../core/vars.ts'
import { InheritingTemplate } from './keyword.ts'

/** What a task inherits from its blocks, its includes and its play, worked out once for all hosts. */
export interface Keywords extends Omit<Conditional, 'vars' | 'moduleDefaults' | 'name'> {
  readonly when: readonly Condition[]
  readonly tags: readonly Field[]
  readonly environment: readonly Field[]
  readonly notify: readonly Field[]
  /** Outermost first. */
  readonly moduleDefaults: readonly Dict[]
  /** Variables of blocks, includes and the task; outermost first. */
  readonly layers: readonly Layer[]
  /** Folder of the role that the task belongs to. */
  readonly role?: RoleRef | undefined
  /** How many includes, one in the other, the task stands in. */
  readonly depth?: number
}
export interface RoleRef {
  readonly name: string
  readonly path: string
  /** The roles that brought this one in, nearest first. */
  readonly parents: readonly string[]
  readonly parentPaths: readonly string[]
}

export interface TaskNode {
  readonly kind: 'task'
  readonly task: Task
  readonly keywords: Keywords
  /** Without the task's own: what the tasks of a dynamic include inherit. */
  readonly outer: Keywords
}
export interface BlockNode {
  readonly kind: 'block'
  readonly block: readonly Node[]
  readonly rescue?: readonly Node[] | undefined
  readonly always?: readonly Node[] | undefined
}
export type Node = TaskNode | BlockNode

/** Keywords of a play as the start of every inheritance. */
export function playKeywords(play: Common): Keywords {
  const start: Keywords = {
    at: play.at,
    when: [],
    tags: [],
    environment: [],
    notify: [],
    moduleDefaults: [],
    layers: [],
  }
  // Play vars are a layer of their own rank, held by the play and not by each task.
  return inheritKeywords(start, { ...play, vars: new Map() }, 'play vars')
}

/**
 * Adds a block's or task's own keywords: the nearest wins, except that conditions, tags, environments, notifications, defaults
 * and variables add up.
 */
export function inheritKeywords(outer: Keywords, own: Conditional, rank: Rank): Keywords {
  const add = <T>(before: readonly T[], more: readonly T[] | undefined): readonly T[] =>
    more && more.length > 0 ? [...before, ...more] : before
  const hasVars = own.vars !== undefined && own.vars.size > 0
  return {
    ...outer,
    ...pickNearest(outer, own),
    at: own.at,
    when: add(outer.when, own.when),
    tags: add(outer.tags, own.tags),
    environment: add(outer.environment, own.environment),
    notify: add(outer.notify, own.notify),
    moduleDefaults: add(outer.moduleDefaults, own.moduleDefaults && [own.moduleDefaults]),
    layers: hasVars ? [...outer.layers, varsLayer(rank, own, own.vars!)] : outer.layers,
  }
}

/** Keywords of which the nearest definition wins. */
const nearest = [
  'become',
  'becomeUser',
  'becomeMethod',
  'connection',
  'remoteUser',
  'port',
  'noLog',
  'checkMode',
  'diff',
  'ignoreErrors',
  'ignoreUnreachable',
  'anyErrorsFatal',
  'runOnce',
  'throttle',
  'debugger',
  'timeout',
  'delegateTo',
  'delegateFacts',
  'collections',
] as const satisfies readonly (keyof Conditional)[]

function pickNearest(outer: Keywords, own: Conditional): Partial<Conditional> {
  return Object.fromEntries(
    nearest.flatMap(name => {
      const [field, around] = [own[name], outer[name]]
      if (field === undefined) return []
      const mayBeOmit = field instanceof Template && around !== undefined
      return [[name, mayBeOmit ? new InheritingTemplate(field, around) : field]]
    }),
  )
}

function varsLayer(rank: Rank, own: Common, vars: Dict): Layer {
  return {
    rank,
    from: `${rank} at ${own.at.file}:${own.at.line}`,
    values: vars as ReadonlyMap<string, Value>,
  }
}

export interface PlanOptions {
  /** Static imports become the items they name; null: the task is no import. */
  expandImport(task: Task, keywords: Keywords): readonly Node[] | null
  /** Whether `--tags`, `--skip-tags` and `--start-at-task` want the task. */
  isWanted(task: Task, keywords: Keywords): boolean
}

/** Items to nodes with their inherited keywords. Tasks that are not wanted are gone, and so are blocks that became empty. */
export function planItems(items: readonly Item[], outer: Keywords, options: PlanOptions): Node[] {
  return items.flatMap(item =>
    item.kind === 'block' ? planBlock(item, outer, options) : planTask(item, outer, options),
  )
}

function planBlock(item: Block, outer: Keywords, options: PlanOptions): Node[] {
  const keywords = inheritKeywords(outer, item, 'block vars')
  const plan = (items: readonly Item[] | undefined): Node[] | undefined => {
    const nodes = items && planItems(items, keywords, options)
    return nodes && nodes.length > 0 ? nodes : undefined
  }
  const [block, rescue, always] = [plan(item.block), plan(item.rescue), plan(item.always)]
  return block || always ? [{ kind: 'block', block: block ?? [], rescue, always }] : []
}

function planTask(task: Task, outer: Keywords, options: PlanOptions): Node[] {
  const keywords = inheritKeywords(outer, task, 'task vars')
  const imported = options.expandImport(task, keywords)
  if (imported) return [...imported]
  return options.isWanted(task, keywords) ? [{ kind: 'task', task, keywords, outer }] : []
}
