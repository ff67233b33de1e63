import { problem } from '../core/error.ts'
import type { TaskRef } from '../core/event.ts'
import { type Fence, fenceParams, guardScript, requireHeld } from '../core/fence.ts'
import type { Operator, Target } from '../core/module.ts'
import type { Clean } from '../core/redact.ts'
import type { Address, Become, Done, Ran, ScriptParams, Session } from '../core/remote.ts'
import { type Script, sh } from '../core/script.ts'
import type { Secret } from '../core/secret.ts'
import type { RunDeps } from './deps.ts'

export interface TargetOptions {
  readonly deps: RunDeps
  /** Inventory name of the host that is acted on: the delegated one where a task is delegated. */
  readonly name: string
  /** Worked out only when a connection is needed. */
  readonly address: () => Address
  readonly become: () => Become | undefined
  /** Of a host that a rotation holds. */
  readonly fence?: (() => Promise<Fence | undefined>) | undefined
  readonly environment: Readonly<Record<string, string | Secret>>
  readonly operator: Operator
  readonly ref: TaskRef
  readonly check: boolean
  readonly diff: boolean
  readonly isUndoable: boolean
  /** Of the `timeout` keyword; for each call that gives no shorter one. 0: none. */
  readonly timeoutMs: number
  readonly stop: AbortSignal
  /** Nothing of a no_log task is shown while it runs. */
  readonly isSilent: boolean
  /** Where warnings go that the task registers. */
  readonly warnings: string[]
}

/** A Target over the host's session. It connects at the first call: a task that needs no host costs no round trip. */
export function createTarget(options: TargetOptions): Target {
  const { deps, name, ref } = options
  let opening: Promise<Session> | undefined
  const session = (): Promise<Session> => {
    opening ??= deps.connections.open(options.address(), options.become())
    return opening
  }
  const limit = (timeoutMs = 0): number =>
    timeoutMs > 0 && options.timeoutMs > 0
      ? Math.min(timeoutMs, options.timeoutMs)
      : timeoutMs || options.timeoutMs
  const show = (text: Clean, stream: 'stdout' | 'stderr' | 'note'): void => {
    if (!options.isSilent) deps.emit({ type: 'host.text', ...ref, stream, text })
  }
  const fenced = async (
    script: Script,
    params: ScriptParams | undefined,
    send: (call: { readonly script: Script; readonly params?: ScriptParams | undefined }) => Promise<Done>,
  ): Promise<Ran> => {
    const fence = await options.fence?.()
    if (fence === undefined) return requireRan(name, await send({ script, params }))
    const call = { script: guardScript(script), params: { ...params, ...fenceParams(fence) } }
    const ran = requireRan(name, await send(call))
    requireHeld(name, fence, ran)
    return ran
  }
  return {
    name,
    operator: options.operator,
    redactor: deps.redactor,
    environment: options.environment,
    check: options.check,
    diff: options.diff,
    verbosity: deps.settings.verbosity,
    keepsText: deps.settings.keepsText,
    undoable: options.isUndoable,
    stop: options.stop,
    say: text => show(text, 'note'),
    warn(text) {
      options.warnings.push(text)
      show(deps.redactor.clean(`[WARNING]: ${text}`), 'note')
    },
    run: (script, params, { stdin, timeoutMs, live } = {}) =>
      fenced(script, params, async call =>
        (await session()).run({
          ...call,
          stdin,
          timeoutMs: limit(timeoutMs),
          onText: live ? show : undefined,
        }),
      ),
    pipe: (script, params, io, { timeoutMs } = {}) =>
      fenced(script, params, async call =>
        (await session()).pipe({ ...call, timeoutMs: limit(timeoutMs) }, io),
      ),
    async forward(to) {
      // What goes through the channel is no script and cannot prove anything itself.
      if (await options.fence?.()) await fenced(nothing, {}, async call => (await session()).run(call))
      return (await session()).forward(to)
    },
    reconnect: async () => {
      await deps.connections.reset(options.address())
      opening = undefined
    },
  }
}

const nothing = sh`:`

/** Throws E_UNKNOWN: after the call was sent, nobody knows how far it came. */
function requireRan(name: string, done: Done): Ran {
  if (done.status === 'ran') return done
  throw problem('E_UNKNOWN', `${name}: ${done.why}`, {
    hint: 'look at the host before running the playbook again: the task may have been done, half done or not begun',
  })
}
