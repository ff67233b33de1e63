import { problem, RotaError } from '../core/error.ts'
import type { TaskRef } from '../core/event.ts'
import type { Address, Become } from '../core/remote.ts'
import { Secret } from '../core/secret.ts'
import { isDict, OMIT, Omit, type Value } from '../core/value.ts'
import type { GetVariable } from './deps.ts'
import { type Overlay, scopeOfTask } from './host-vars.ts'
import { type Reading, renderBoolean, renderNumber, renderText } from './keyword.ts'
import type { Keywords } from './plan.ts'
import type { PlayRun } from './play-run.ts'
import type { Step } from './walk.ts'

/** One task on one host, and in a loop one item of it. */
export interface Act extends Reading {
  readonly run: PlayRun
  readonly host: string
  readonly step: Step
  readonly ref: TaskRef
  /** On top of all variables: the item of the loop, the result under its register name. */
  readonly overlay: Overlay
  /** `no_log`. */
  readonly isSilent: boolean
  /** Position of the item in the loop. */
  readonly index?: number | undefined
}

/** One scope serves all items: what differs between them is in the overlay. */
export function createAct(run: PlayRun, host: string, step: Step, ref: TaskRef): Act {
  const overlay: Overlay = new Map()
  const { keywords, task } = step.node
  const scope = scopeOfTask(run, host, keywords, overlay)
  const reading: Reading = { templar: run.deps.templar, scope, at: task.at }
  const isSilent = renderBoolean(reading, 'no_log', keywords.noLog) ?? false
  return { ...reading, run, host, step, ref, overlay, isSilent }
}

/** Where an act connects to, as whom: its own host, or the one that it is delegated to. */
export interface Whereabouts {
  readonly name: string
  readonly address: () => Address
  readonly become: () => Become | undefined
}

export function selectWhereabouts(act: Act): Whereabouts {
  const { run, host, overlay } = act
  const { keywords } = act.step.node
  const name = renderText(act, 'delegate_to', keywords.delegateTo) ?? host
  const scope = name === host ? act.scope : scopeOfTask(run, name, keywords, overlay)
  return selectConnection(run, { ...act, scope }, name, keywords)
}

/** `reading` has the variables of the host that is connected to. */
export function selectConnection(
  { deps, fleet }: PlayRun,
  reading: Reading,
  name: string,
  keywords: Keywords,
): Whereabouts {
  const get: GetVariable = variable => renderVariable(reading, variable)
  const isImplicit = isLocalhost(name) && !fleet.inventory.hosts.has(name)
  return {
    name,
    address: () =>
      deps.addressOf(name, get, {
        connection:
          renderText(reading, 'connection', keywords.connection) ?? (isImplicit ? 'local' : undefined),
        user: renderText(reading, 'remote_user', keywords.remoteUser),
        port: renderNumber(reading, 'port', keywords.port),
      }),
    become: () =>
      deps.becomeOf(get, {
        become: renderBoolean(reading, 'become', keywords.become),
        user: renderText(reading, 'become_user', keywords.becomeUser),
        method: renderText(reading, 'become_method', keywords.becomeMethod),
      }),
  }
}

/** Ansible's implicit localhost: it need not be in the inventory and is reached without ssh. */
export function isLocalhost(name: string): boolean {
  return name === 'localhost' || name === '127.0.0.1' || name === '::1'
}

function renderVariable({ templar, scope }: Reading, name: string): Value | undefined {
  const value = scope.get(name)
  return value === undefined ? undefined : templar.render(value, scope)
}

/** What facts are gathered for cannot be had before: what is made of `ansible_env` is left out then, as in Ansible. */
function renderFor(act: Act, field: Value): Value {
  const { module } = act.step.node.task
  if (module !== 'gather_facts' && module !== 'setup') return act.templar.render(field, act.scope)
  if (isDict(field))
    return new Map([...field].map(([name, value]) => [name, renderBefore(act, value) ?? OMIT]))
  return renderBefore(act, field) ?? new Map()
}

/** undefined: it needs facts. */
function renderBefore(act: Act, value: Value): Value | undefined {
  try {
    return act.templar.render(value, act.scope)
  } catch (error) {
    if (error instanceof RotaError && /ansible_env|ansible_facts/.test(error.message)) return undefined
    throw error
  }
}

/** The `environment` keyword: dicts from the play inwards, the inner ones win. Throws E_TASK when it is no dict. */
export function renderEnvironment(act: Act): Readonly<Record<string, string | Secret>> {
  const dicts = act.step.node.keywords.environment.flatMap(field => {
    const value = renderFor(act, field)
    return Array.isArray(value) ? (value as readonly Value[]) : [value]
  })
  return Object.fromEntries(dicts.flatMap(dict => entriesOf(act, dict)))
}

function entriesOf(act: Act, dict: Value): [string, string | Secret][] {
  if (!isDict(dict))
    throw problem('E_TASK', 'environment is no dict', {
      at: act.at,
      hint: 'write environment: {NAME: value}',
    })
  return [...dict]
    .filter(([, member]) => !(member instanceof Omit))
    .map(([name, member]) => [
      String(name),
      member instanceof Secret ? member : (renderText(act, 'environment', member) ?? ''),
    ])
}
