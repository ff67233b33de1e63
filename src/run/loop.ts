import { setTimeout as sleep } from 'node:timers/promises'
import { problem } from '../core/error.ts'
import type { Loop } from '../core/play.ts'
import type { Clean } from '../core/redact.ts'
import { isDict, type List, Omit, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import { runItem } from './item.ts'
import { renderBoolean, renderNumber, renderText } from './keyword.ts'
import { censored, renderPatch, renderStatus, renderValues } from './report.ts'
import { renderJson, renderLabel, skipped, type TaskResult, toMap } from './result.ts'

/**
 * The items of `loop` or `with_NAME`. Throws E_TASK when that is no list, and what the template throws.
 */
export function renderItems(act: Act, loop: Loop): List {
  const value = act.templar.render(loop.items, act.scope)
  if (needsList.has(loop.kind) && !Array.isArray(value))
    throw problem('E_TASK', `with_${loop.kind} expects a list`, {
      at: loop.at,
      hint: 'for a dict: with_dict',
    })
  const found =
    loop.kind === 'loop' ? value : act.run.deps.runLookup(loop.kind, renderTerms(value), act.scope)
  if (Array.isArray(found)) return (found as List).filter(item => !(item instanceof Omit))
  throw problem('E_TASK', `${loop.kind === 'loop' ? 'loop' : `with_${loop.kind}`} is given no list`, {
    at: loop.at,
    hint: 'give it a list; for a dict: loop: "{{ NAME | dict2items }}"',
  })
}

const needsList: ReadonlySet<string> = new Set(['list', 'indexed_items'])

/** A lookup takes a list or a dict; anything else is a list of one. */
function renderTerms(value: Value): Value {
  return Array.isArray(value) || isDict(value) ? value : [value]
}

interface Names {
  readonly item: string
  readonly index: string | undefined
  readonly isExtended: boolean
  /** ansible_loop has the list of all items. */
  readonly hasAllItems: boolean
  readonly pauseMs: number
}

/**
 * Runs the task for each item, one after the other, and sums up. A host that is lost takes no further item; when the options cannot be
 * rendered, that is the result of the task as a whole, as in Ansible.
 */
export async function runLoop(act: Act, items: List): Promise<TaskResult> {
  if (items.length === 0)
    return skipped({ skipped_reason: 'No items in the list', results: [] }, 'No items in the list')
  const control = act.step.node.task.loopControl
  const names: Names = {
    item: renderText(act, 'loop_var', control?.loopVar) ?? 'item',
    index: renderText(act, 'index_var', control?.indexVar),
    isExtended: renderBoolean(act, 'extended', control?.extended) ?? false,
    hasAllItems: renderBoolean(act, 'extended_allitems', control?.extendedAllitems) ?? true,
    pauseMs: 1000 * (renderNumber(act, 'pause', control?.pause) ?? 0),
  }
  const results: TaskResult[] = []
  for (const [index, item] of items.entries()) {
    if (act.run.deps.stop.aborted) break
    if (index > 0 && names.pauseMs > 0)
      await sleep(names.pauseMs, undefined, { signal: act.run.deps.stop }).catch(() => undefined)
    setItem(act, names, items, index)
    const result = await runItem({ ...act, index })
    if (result.isUnrendered) {
      clearItem(act, names)
      return { ...result, changed: results.some(each => each.changed) }
    }
    const named = { ...result, values: new Map([...result.values, ...itemValues(act, names)]) }
    results.push(named)
    showItem(act, named, renderItemLabel(act, item))
    if (result.status === 'unreachable' || result.status === 'unknown') break
  }
  clearItem(act, names)
  return sumUp(results)
}

function setItem({ overlay }: Act, names: Names, items: List, index: number): void {
  overlay.set(names.item, items[index]!)
  overlay.set('ansible_loop_var', names.item)
  if (names.index !== undefined) {
    overlay.set(names.index, index)
    overlay.set('ansible_index_var', names.index)
  }
  if (names.isExtended) overlay.set('ansible_loop', extendedOf(items, index, names.hasAllItems))
}

function clearItem({ overlay }: Act, names: Names): void {
  for (const name of [names.item, names.index, 'ansible_loop_var', 'ansible_index_var', 'ansible_loop'])
    if (name !== undefined) overlay.delete(name)
}

/** `ansible_loop` of `loop_control: {extended: true}`. */
function extendedOf(items: List, index: number, hasAllItems: boolean): Value {
  const { length } = items
  return toMap({
    allitems: hasAllItems ? items : undefined,
    index: index + 1,
    index0: index,
    revindex: length - index,
    revindex0: length - index - 1,
    first: index === 0,
    last: index === length - 1,
    length,
    previtem: index > 0 ? items[index - 1] : undefined,
    nextitem: index < length - 1 ? items[index + 1] : undefined,
  })
}

/** What each of `results` gets beside the module's own values: how it came about. */
function itemValues({ overlay }: Act, names: Names): [string, Value][] {
  const wanted = [names.item, 'ansible_loop_var', names.index, 'ansible_index_var', 'ansible_loop']
  return wanted.flatMap(name => {
    const value = name === undefined ? undefined : overlay.get(name)
    return value === undefined ? [] : [[name!, value] as [string, Value]]
  })
}

function renderItemLabel(act: Act, item: Value): Clean {
  const { redactor } = act.run.deps
  if (act.isSilent) return redactor.clean('(censored due to no_log)')
  const label = act.step.node.task.loopControl?.label
  try {
    return redactor.clean(renderLabel(label === undefined ? item : act.templar.render(label, act.scope)))
  } catch {
    // A label that cannot be rendered is no reason to fail what has been done.
    return redactor.clean(renderLabel(item))
  }
}

function showItem(act: Act, result: TaskResult, label: Clean): void {
  const { deps } = act.run
  const isShown = !act.isSilent
  const message = isShown && result.message !== undefined ? deps.redactor.clean(result.message) : undefined
  const diff = isShown ? renderPatch(deps, result) : undefined
  deps.emit({
    type: 'host.item',
    ...act.ref,
    status: renderStatus(result),
    label,
    ...(message === undefined ? {} : { message }),
    ...(diff === undefined ? {} : { diff }),
    result: isShown ? renderValues(deps, result) : deps.redactor.clean(renderJson(censored(result))),
  })
}

/** One result for the task: changed and failed if any item is, skipped if all are. */
function sumUp(results: readonly TaskResult[]): TaskResult {
  const worst = (['unknown', 'unreachable', 'failed'] as const).find(status =>
    results.some(result => result.status === status),
  )
  const isSkipped = results.every(result => result.status === 'skipped')
  const changed = results.some(result => result.changed)
  const message = worst ? 'One or more items failed' : isSkipped ? 'All items skipped' : 'All items completed'
  return {
    status: worst ?? (isSkipped ? 'skipped' : 'ok'),
    changed,
    message: worst || isSkipped ? message : undefined,
    problem: results.find(result => result.status === worst)?.problem,
    flaky: worst === 'failed' && results.every(result => result.status !== 'failed' || result.flaky),
    values: toMap({
      results: results.map(result => result.values),
      changed,
      failed: worst === 'failed',
      msg: message,
      skipped: isSkipped || undefined,
      unreachable: worst === 'unreachable' || undefined,
    }),
    notify: results.flatMap(result => result.notify ?? []),
    included: results.flatMap((result, index) =>
      (result.included ?? []).map(each => ({ ...each, key: `${index}:${each.key}` })),
    ),
    ...mergeFacts(results),
    ...countOks(results),
    missingCount: results.filter(({ status, problem }) => status === 'failed' && problem?.code === 'E_FILE')
      .length,
  }
}

/** For a run_once loop: the other hosts get the facts of all items. */
function mergeFacts(results: readonly TaskResult[]): Pick<TaskResult, 'facts' | 'factsKind'> {
  const withFacts = results.filter(result => result.facts && result.status === 'ok')
  if (withFacts.length === 0) return {}
  return {
    facts: new Map(withFacts.flatMap(result => [...result.facts!])),
    factsKind: withFacts[0]!.factsKind,
  }
}

/** Only includes count otherwise than once. */
function countOks(results: readonly TaskResult[]): Pick<TaskResult, 'okCount'> {
  const includes = results.filter(result => result.included)
  if (includes.length === 0) return {}
  return { okCount: includes.reduce((sum, { okCount = 1 }) => sum + okCount, 0) }
}
