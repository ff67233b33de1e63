import { existsSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { type Dict, OMIT, type Scope, toValue, type Value } from '../core/value.ts'
import type { InventoryHost, Layer } from '../core/vars.ts'
import { createLazyDict } from './dict.ts'
import { type HostState, selectMembers } from './fleet.ts'
import type { Keywords } from './plan.ts'
import type { PlayRun } from './play-run.ts'

/** Names that win over everything else in one task: loop variables, the result under its register name. */
export type Overlay = Map<string, Value>

/** One host's variables during one task. */
export function scopeOfTask(run: PlayRun, host: string, keywords: Keywords, overlay: Overlay): Scope {
  const layers = [
    ...run.planner.shelf.layers,
    ...hostLayers(run, host),
    ...(run.playLayers.get(host) ?? []),
    ...keywords.layers,
  ]
  const context: MagicContext = { run, host, keywords, scope: () => scope }
  const scope = run.deps.scopeOf(layers, createMagic(context, overlay))
  return scope
}

/** One host's variables as other hosts see them in `hostvars`: without those of the play and the task. */
function scopeOfHost(run: PlayRun, host: string): Scope {
  const context: MagicContext = { run, host, scope: () => scope }
  const scope = run.deps.scopeOf(hostLayers(run, host), createMagic(context, new Map()))
  return scope
}

/** The play's own variables, for what is rendered once for all hosts: names, patterns, imports. */
export function scopeOfPlay(run: Pick<PlayRun, 'deps' | 'folder'>, layers: readonly Layer[]): Scope {
  const { settings } = run.deps
  const magic = new Map<string, Value>([
    ['playbook_dir', run.folder],
    ['ansible_check_mode', settings.check],
    ['rota_run', settings.runId],
    ['rota_force', settings.force ?? false],
    ['rota_reason', settings.reason ?? 'scheduled'],
    ['omit', OMIT],
  ])
  const extra: Layer = { rank: 'extra vars', from: '--extra-vars', values: settings.extraVars }
  return run.deps.scopeOf([...layers, extra], {
    get: name => magic.get(name),
    names: () => magic.keys(),
  })
}

function hostLayers(run: PlayRun, name: string): Layer[] {
  const host = run.fleet.host(name)
  return [
    { rank: 'command line values', from: 'the name of the host', values: new Map([['ansible_host', name]]) },
    ...implicitLayers(run, name),
    ...(inventoryHost(run, name)?.layers ?? []),
    { rank: 'host facts', from: `facts of ${name}`, values: factVars(run, host.facts) },
    { rank: 'include_vars', from: `include_vars on ${name}`, values: host.included },
    { rank: 'set_facts / registered vars', from: `set on ${name}`, values: host.registered },
    { rank: 'extra vars', from: '--extra-vars', values: run.deps.settings.extraVars },
  ]
}

/** Facts as variables of their own: with `inject_facts_as_vars = false` only those that the host has of itself. */
function factVars({ deps }: PlayRun, facts: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  if (deps.settings.hidesFacts !== true) return facts
  const local = facts.get('ansible_local')
  return local === undefined ? new Map() : new Map([['ansible_local', local]])
}

/** What Ansible's implicit localhost is given. */
function implicitLayers({ fleet }: PlayRun, name: string): Layer[] {
  if (name !== 'localhost' || fleet.inventory.hosts.has(name)) return []
  const values = new Map<string, Value>([
    ['ansible_connection', 'local'],
    ['ansible_python_interpreter', findPython()],
  ])
  return [{ rank: 'inventory file host vars', from: 'the implicit localhost', values }]
}

/** `localhost` need not be in the inventory. */
function inventoryHost({ fleet }: PlayRun, name: string): InventoryHost | undefined {
  const { hosts, localhost } = fleet.inventory
  return hosts.get(name) ?? (name === 'localhost' ? localhost : undefined)
}

interface MagicContext {
  readonly run: PlayRun
  readonly host: string
  /** Absent in hostvars. */
  readonly keywords?: Keywords
  readonly scope: () => Scope
}

function createMagic(context: MagicContext, overlay: Overlay): Scope {
  const { secrets } = context.run.fleet.host(context.host)
  return {
    get: name => (overlay.has(name) ? overlay.get(name) : (secrets.get(name) ?? magic.get(name)?.(context))),
    names: () => new Set([...overlay.keys(), ...secrets.keys(), ...magic.keys()]),
  }
}

const isIn = (run: PlayRun, host: string): boolean => run.fleet.isIn(host) && !run.gone.has(host)
const inPlay = ({ run }: MagicContext): string[] => run.allHosts.filter(host => isIn(run, host))
const inBatch = ({ run }: MagicContext): string[] => run.hosts.filter(host => isIn(run, host))
const groupNames = ({ run, host }: MagicContext): string[] =>
  (run.fleet.inventory.hosts.get(host)?.groups ?? []).filter(group => group !== 'all').sort()

/** The ansible-core whose language this is: playbooks ask for at least some version. */
const language = { major: 2, minor: 14, revision: 18 }
const ansibleVersion: Value = toValue({ ...language, full: '2.14.18', string: '2.14.18' })

/** Ansible's "special variables", and rota's own. */
const magic: ReadonlyMap<string, (context: MagicContext) => Value | undefined> = new Map<
  string,
  (context: MagicContext) => Value | undefined
>([
  ['inventory_hostname', ({ host }) => host],
  ['inventory_hostname_short', ({ host }) => host.split('.')[0]!],
  ['group_names', context => (groupNames(context).length > 0 ? groupNames(context) : ['ungrouped'])],
  ['groups', renderGroups],
  ['hostvars', renderHostvars],
  ['vars', ({ run, scope }) => viewOf(run, scope())],
  ['play_hosts', inBatch],
  ['ansible_play_batch', inBatch],
  ['ansible_play_hosts', inPlay],
  ['ansible_play_hosts_all', ({ run }) => [...run.allHosts]],
  ['ansible_play_name', ({ run }) => run.playName],
  ['ansible_facts', ({ run, host }) => renderFacts(run.fleet.host(host))],
  ['ansible_check_mode', ({ run }) => run.deps.settings.check],
  ['ansible_diff_mode', ({ run }) => run.deps.settings.diff],
  ['ansible_verbosity', ({ run }) => run.deps.settings.verbosity],
  ['ansible_version', () => ansibleVersion],
  ['ansible_forks', ({ run }) => run.deps.settings.forks],
  ['ansible_run_tags', ({ run }) => run.deps.settings.tags],
  ['ansible_skip_tags', ({ run }) => run.deps.settings.skipTags],
  ['ansible_limit', ({ run }) => run.deps.settings.limit],
  ['ansible_inventory_sources', ({ run }) => run.fleet.inventory.sources],
  ['inventory_file', inventoryFile],
  ['inventory_dir', inventoryFolder],
  ['playbook_dir', ({ run }) => run.folder],
  ['ansible_playbook_python', findPython],
  ['ansible_search_path', ({ run, keywords }) => keywords && searchPath(run, keywords)],
  ['ansible_delegated_vars', renderDelegatedVars],
  ['role_path', ({ keywords }) => keywords?.role?.path],
  ['role_name', ({ keywords }) => keywords?.role?.name],
  ['ansible_role_name', ({ keywords }) => keywords?.role?.name],
  ['ansible_parent_role_names', ({ keywords }) => someOf(keywords?.role?.parents)],
  ['ansible_parent_role_paths', ({ keywords }) => someOf(keywords?.role?.parentPaths)],
  ['ansible_play_role_names', ({ run }) => [...new Set(run.planner.shelf.names)]],
  ['ansible_dependent_role_names', ({ run }) => [...new Set(run.planner.shelf.dependents)]],
  [
    'ansible_role_names',
    ({ run: { planner } }) => [...new Set([...planner.shelf.names, ...planner.shelf.dependents])],
  ],
  ['role_names', ({ run }) => [...new Set(run.planner.shelf.names)]],
  ['omit', () => OMIT],
  ['rota_run', ({ run }) => run.deps.settings.runId],
  ['rota_force', ({ run }) => run.deps.settings.force ?? false],
  ['rota_reason', ({ run }) => run.deps.settings.reason ?? 'scheduled'],
  ['rota_version', ({ run }) => run.deps.settings.version],
  ['rota_timestamp', ({ run }) => renderTimestamp(run.startedAt)],
])

/** Not there at all where a task has no such role. */
function someOf(names: readonly string[] | undefined): Value | undefined {
  return names && names.length > 0 ? names : undefined
}

/** `20261123T034500Z`: UTC, and fit for a file name. */
function renderTimestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** Folders in which files are looked for, nearest first: the role, the folder of the tasks file, the playbook. */
export function searchPath(run: PlayRun, keywords: Keywords): string[] {
  const role = keywords.role ? [keywords.role.path] : []
  return [...new Set([...role, resolve(dirname(keywords.at.file)), run.folder])]
}

/** Playbooks use it as the interpreter of local connections, and start it: the operator's own python3, since rota itself is none. */
function findPython(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const places = ['/usr/bin/python3', ...folders.map(folder => join(folder, 'python3'))]
  return places.find(place => existsSync(place)) ?? '/usr/bin/python3'
}

function inventoryFolder({ run }: MagicContext): Value | undefined {
  const first = run.fleet.inventory.sources.find(source => !source.includes(','))
  return first === undefined ? undefined : resolve(dirname(first))
}

/** The first source, by its full path when it is one. */
function inventoryFile({ run }: MagicContext): Value | undefined {
  const [source] = run.fleet.inventory.sources
  return source === undefined || source.includes(',') ? source : resolve(source)
}

function renderGroups({ run }: MagicContext): Dict {
  const { inventory } = run.fleet
  return new Map([...inventory.groups.keys()].map(name => [name, selectMembers(inventory, name)]))
}

function renderHostvars({ run }: MagicContext): Dict {
  const views = new Map<string, Dict>()
  const view = (name: string): Dict | undefined => {
    const isKnown = run.fleet.inventory.hosts.has(name) || run.allHosts.includes(name)
    if (!isKnown && name !== 'localhost') return undefined
    const made = views.get(name) ?? viewOf(run, scopeOfHost(run, name))
    views.set(name, made)
    return made
  }
  return createLazyDict(() => run.fleet.inventory.hosts.keys(), view)
}

/** Names that would lead round in a circle, or mean something in one place only. */
const hidden: ReadonlySet<string> = new Set(['hostvars', 'vars', 'omit'])

/** A scope as a Dict. Its values are rendered with the scope itself, not with that of the host that looks. */
function viewOf(run: PlayRun, scope: Scope): Dict {
  return createLazyDict(
    () => [...scope.names()].filter(name => !hidden.has(name)),
    name => {
      const value = scope.get(name)
      return value === undefined ? undefined : run.deps.templar.render(value, scope)
    },
  )
}

/** In a delegated task: the variables of the host that it is delegated to, under that host's name. */
function renderDelegatedVars({ run, host, keywords, scope }: MagicContext): Dict | undefined {
  if (keywords?.delegateTo === undefined) return undefined
  const name = run.deps.templar.render(keywords.delegateTo, scope())
  if (typeof name !== 'string') return undefined
  const delegate = scopeOfHost(run, name)
  // As in Ansible the task stays one of its own host, also where the delegate's variables name the host.
  const view = viewOf(run, {
    get: variable => (variable === 'inventory_hostname' ? host : delegate.get(variable)),
    names: () => delegate.names(),
  })
  return createLazyDict(
    () => [name],
    key => (key === name ? view : undefined),
  )
}

/** Facts under their short names: `ansible_facts.distribution` is `ansible_distribution`. */
function renderFacts(host: HostState): Dict {
  const short = (name: string): string => name.replace(/^ansible_/, '')
  return createLazyDict(
    () => [...host.facts.keys()].map(short),
    name => host.facts.get(`ansible_${name}`) ?? host.facts.get(name),
  )
}
