import { problem } from '../core/error.ts'
import type { Shown, Target } from '../core/module.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'
import { readService, writeService } from './service-script.ts'

export type ServiceManager = 'systemd' | 'openrc' | 'sysv'

/** What is fixed when a service is first read. */
export type ServiceTerms = {
  readonly manager: ServiceManager
  readonly scope: 'system' | 'user' | 'global'
  readonly runlevel: string
  /** Text of the process list by which an init script's service is known to run. */
  readonly pattern: string
  readonly sleepSeconds: number
  readonly isForced: boolean
  readonly isNotAwaited: boolean
  /** What `systemctl show` said at first. */
  readonly status: Readonly<Record<string, string>>
}

/** One service. Plain data. */
export type ServiceState = {
  readonly name: string
  readonly isThere: boolean
  readonly isActive: boolean
  readonly isEnabled: boolean
  readonly isMasked: boolean
  /** Asked for at once, and no state that could be read again. */
  readonly once?: 'restart' | 'reload' | undefined
  readonly terms: ServiceTerms
}

export interface ServiceAsked {
  readonly name: string
  readonly use?: ServiceManager | undefined
  readonly scope?: ServiceTerms['scope']
  readonly runlevel?: string
  readonly pattern?: string | undefined
  readonly sleepSeconds?: number | undefined
  readonly isForced?: boolean
  readonly isNotAwaited?: boolean
  /** systemd: read all unit files again first. */
  readonly isReloaded?: boolean
  readonly isReexecuted?: boolean
}

/** Unit file states that start the service at boot (systemctl(1), is-enabled). */
const ENABLED = ['enabled', 'enabled-runtime', 'alias', 'static', 'indirect', 'generated', 'linked']

async function look(t: Target, asked: ServiceAsked) {
  const ran = await t.run(readService, {
    name: asked.name,
    use: asked.use ?? '',
    scope: asked.scope ?? 'system',
    runlevel: asked.runlevel ?? 'default',
    pattern: asked.pattern ?? '',
    reload: asked.isReloaded ?? false,
    reexec: asked.isReexecuted ?? false,
  })
  const { values } = accept(t, ran)
  const status = Object.fromEntries(
    (values['show'] ?? '').split('\n').flatMap(line => {
      const at = line.indexOf('=')
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]]
    }),
  )
  return { values, status, manager: values['manager'] as ServiceManager }
}

function parse(
  values: Readonly<Record<string, string>>,
  status: ServiceTerms['status'],
  manager: ServiceManager,
) {
  const enabled = values['enabled'] ?? ''
  const isUnit = status['LoadState'] !== undefined && status['LoadState'] !== 'not-found'
  return {
    isThere: manager === 'systemd' ? isUnit || enabled !== '' : values['there'] === '1',
    isActive: ['active', 'activating', 'reloading'].includes(values['active'] ?? ''),
    isEnabled: ENABLED.includes(enabled),
    isMasked: enabled.startsWith('masked') || status['LoadState'] === 'masked',
  }
}

/** Reads one service: one round trip. Throws E_TASK where the host has no service manager that is known. */
export async function readServiceState(t: Target, asked: ServiceAsked): Promise<ServiceState> {
  const { values, status, manager } = await look(t, asked)
  const { name } = asked
  const terms = {
    manager,
    scope: asked.scope ?? 'system',
    runlevel: asked.runlevel ?? 'default',
    pattern: asked.pattern ?? '',
    sleepSeconds: asked.sleepSeconds ?? 0,
    isForced: asked.isForced ?? false,
    isNotAwaited: asked.isNotAwaited ?? false,
    status,
  }
  const state = { name, ...parse(values, status, manager), terms }
  if (state.isThere || name === '' || t.check) return state
  throw problem('E_TASK', `Could not find the requested service ${name}: ${t.name} has none of that name`, {
    hint: 'check the name; a unit file that was just made needs systemd with daemon_reload: true',
  })
}

export async function rereadService(t: Target, { name, terms }: ServiceState): Promise<ServiceState> {
  const { values, status } = await look(t, { name, use: terms.manager, ...terms })
  return { name, ...parse(values, status, terms.manager), terms }
}

/** Throws E_CONFLICT when the service is no longer `before`, E_TASK with what its manager says. */
export async function writeServiceState(t: Target, before: ServiceState, after: ServiceState): Promise<void> {
  const { name, terms } = after
  const { once: _, ...found } = before
  await requireUnchanged(`service ${name}`, found, () => rereadService(t, before))
  const isMoved = before.isActive !== after.isActive
  const ran = await t.run(writeService, {
    name,
    use: terms.manager,
    scope: terms.scope,
    runlevel: terms.runlevel,
    sleep: terms.sleepSeconds,
    force: terms.isForced,
    no_block: terms.isNotAwaited,
    mask: before.isMasked === after.isMasked ? '' : after.isMasked ? 'mask' : 'unmask',
    enable: before.isEnabled === after.isEnabled ? '' : after.isEnabled ? 'enable' : 'disable',
    act: after.once ?? (isMoved ? (after.isActive ? 'start' : 'stop') : ''),
  })
  accept(t, ran)
}

export interface ServiceWanted {
  readonly state?: 'started' | 'stopped' | 'restarted' | 'reloaded' | undefined
  readonly enabled?: boolean | undefined
  readonly masked?: boolean | undefined
}

/** The state asked for. Throws E_TASK for what the manager cannot do. */
export function wantService({ state, enabled, masked }: ServiceWanted, before: ServiceState): ServiceState {
  if (masked !== undefined && before.terms.manager !== 'systemd')
    throw problem(
      'E_TASK',
      `${before.name}: only systemd can mask a service, and this host has ${before.terms.manager}`,
    )
  const once =
    state === 'restarted' ? 'restart' : state === 'reloaded' && before.isActive ? 'reload' : undefined
  return {
    ...before,
    isActive: state === undefined ? before.isActive : state !== 'stopped',
    isEnabled: enabled ?? before.isEnabled,
    isMasked: masked ?? before.isMasked,
    ...(once === undefined ? {} : { once }),
  }
}

/** Throws E_TASK for what cannot be undone, in the change phase of a rotation. */
export function requireUndoable(t: Target, name: string, state: ServiceWanted['state']): void {
  if (!t.undoable || (state !== 'restarted' && state !== 'reloaded')) return
  throw problem('E_TASK', `${name}: state ${state} cannot be undone`, {
    hint: 'restart in the phase after the change, which is run again when the rotation is undone',
  })
}

export function showService({ name, isActive, isEnabled, isMasked, once }: ServiceState): Shown {
  const words = [isActive ? 'active' : 'inactive', isEnabled ? 'enabled' : 'disabled']
  if (isMasked) words.push('masked')
  if (once !== undefined) words.push(`(${once})`)
  return { header: `service ${name}`, text: `${words.join(' ')}\n` }
}
