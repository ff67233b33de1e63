import type { Dict, Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import type { Act } from './act.ts'
import { includeVars } from './include-vars.ts'
import { include, includeTasks } from './includes.ts'
import { createOptions, requireOption } from './options.ts'
import { fromOutcome, renderJson, type TaskResult } from './result.ts'
import { includeRole } from './roles.ts'

/** A task that is about the run itself and not about the host: it gets its rendered options, free text as `_raw`. */
export type Action = (act: Act, args: Dict) => Promise<TaskResult> | TaskResult

/** By module name. `meta` and the static imports are not among them: those are no tasks of a host. */
export const actions: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['include_tasks', includeTasks],
  ['include', include],
  ['include_role', includeRole],
  ['include_vars', includeVars],
  ['add_host', addHost],
  ['group_by', groupBy],
])

/** Actions that run once for all hosts, whatever `run_once` says. */
export const onceForAll: ReadonlySet<string> = new Set(['add_host', 'pause'])

function addHost(act: Act, args: Dict): TaskResult {
  const options = createOptions('add_host', args, act.step.node.task)
  const given = options.takeText('name', 'hostname', 'host')
  const full = requireOption('add_host', 'name', given, act.at)
  // `host:port`; an IPv6 address with a port has brackets.
  const [, name = full, port] = /^(\[.+\]|[^:]+):(\d+)$/.exec(full) ?? []
  const groups = options.takeList('groups', 'groupname', 'group')
  const values = new Map<string, Value>([
    ...(port === undefined ? [] : [['ansible_ssh_port', Number(port)] as const]),
    ...options.rest(),
  ])
  const { fleet } = act.run
  const old = fleet.inventory.hosts.get(name)
  const known = new Map(old?.layers.flatMap(layer => [...layer.values]))
  const isNew = ([key, value]: readonly [string, Value]): boolean =>
    renderJson(known.get(key) ?? null) !== renderJson(value)
  const changed = !old || groups.some(group => !old.groups.includes(group)) || [...values].some(isNew)
  const own: Layer = { rank: 'inventory file host vars', from: `add_host at ${act.at.file}`, values }
  fleet.join(name, groups, [
    ...groupLayers(act, name, groups),
    ...(old ? [] : (fleet.inventory.layersOf?.host(name) ?? [])),
    own,
  ])
  return fromOutcome({ changed, values: { add_host: { host_name: name, groups, host_vars: values } } }, false)
}

function groupBy(act: Act, args: Dict): TaskResult {
  const options = createOptions('group_by', args, act.step.node.task)
  const key = requireOption('group_by', 'key', options.takeText('key'), act.at)
  const parents = options.takeList('parents')
  options.refuseRest()
  const name = key.replaceAll(' ', '-')
  const groups = [name, ...parents.filter(parent => parent !== 'all')]
  const { fleet } = act.run
  const changed = !fleet.inventory.hosts.get(act.host)?.groups.includes(name)
  const layers = groupLayers(act, act.host, [...groups].reverse())
  fleet.join(act.host, groups, layers)
  const shown = parents.length > 0 ? parents : ['all']
  return fromOutcome({ changed, values: { add_group: name, parent_groups: shown } }, false)
}

/** group_vars of the groups that the host was not in yet; parents first. */
function groupLayers({ run }: Act, host: string, groups: readonly string[]): Layer[] {
  const { inventory } = run.fleet
  const old = inventory.hosts.get(host)
  const added = groups.filter(group => !old?.groups.includes(group))
  const find = inventory.layersOf?.group
  return (old ? added : ['all', ...added]).flatMap(group => find?.(group) ?? [])
}
