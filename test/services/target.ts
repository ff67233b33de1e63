// Modules against this machine: a real session, and the engine's few steps around a module.
import { afterAll } from 'vitest'
import type { Module, Outcome, Target } from '../../src/core/module.ts'
import type { Session } from '../../src/core/remote.ts'
import { isSameState, type State, type Value } from '../../src/core/value.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget as makePlainTarget } from '../support/target.ts'

export const shells: Readonly<Record<string, readonly string[]>> = {
  dash: ['/bin/dash'],
  busybox: ['/bin/busybox', 'sh'],
  bash: ['/bin/bash', '--posix'],
}

/** Sessions of this file's tests by shell and PATH, opened when first used and closed at the end. */
const sessions = new Map<string, Promise<Session>>()
afterAll(async () => {
  for (const session of sessions.values()) await (await session).close()
  sessions.clear()
})

function lazySession(shell: readonly string[]): Session {
  const key = `${process.env['PATH']} ${shell.join(' ')}`
  const open = (): Promise<Session> => {
    const session = sessions.get(key) ?? openLocalSession({ shell })
    sessions.set(key, session)
    return session
  }
  return {
    run: async call => (await open()).run(call),
    pipe: async (call, io) => (await open()).pipe(call, io),
    forward: async to => (await open()).forward(to),
    close: async () => {},
  }
}

export interface TargetOptions {
  readonly shell?: readonly string[]
  readonly environment?: Target['environment']
  readonly verbosity?: number
  /** Refuse forwarding, as an sshd with AllowTcpForwarding no does. */
  readonly noForward?: boolean
  /** Folder of the playbook. */
  readonly files?: string
  readonly evaluate?: (expression: Value) => Value
}

export function makeTarget(options: TargetOptions = {}): Target {
  const { environment = {}, verbosity = 0, evaluate = (value: Value) => value } = options
  const target = makePlainTarget({
    session: lazySession(options.shell ?? shells['dash']!),
    ...(options.files === undefined ? {} : { folder: options.files }),
  })
  const refuse = async (): Promise<never> => {
    throw new Error('administratively prohibited')
  }
  return {
    ...target,
    ...(options.noForward ? { forward: refuse } : {}),
    operator: { ...target.operator, evaluate },
    environment,
    verbosity,
  }
}

/** Fills in defaults as checkArgs does; what it refuses is its own tests' business. */
function withDefaults(module: Module, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defaults = Object.entries(module.params).flatMap(([name, param]) =>
    'default' in param && param.default !== undefined ? [[name, param.default]] : [],
  )
  return { ...Object.fromEntries(defaults), ...args }
}

export async function runAction(
  t: Target,
  module: Module,
  args: Readonly<Record<string, unknown>> = {},
): Promise<Outcome & { readonly values: Readonly<Record<string, any>> }> {
  if (module.kind !== 'action') throw new Error(`${module.name} is no action`)
  const outcome = await module.run(t, withDefaults(module, args))
  return { values: {}, ...outcome }
}

export interface Applied {
  readonly before: State
  readonly after: State
  readonly changed: boolean
  undo(): Promise<unknown>
  /** The same write once more, as a resumed run would send it. */
  replay(): Promise<unknown>
}

/** read → want → write, as the engine does it. */
export async function applyState(
  t: Target,
  module: Module,
  args: Readonly<Record<string, unknown>>,
): Promise<Applied> {
  if (module.kind !== 'state') throw new Error(`${module.name} is no state module`)
  const full = withDefaults(module, args)
  const input = module.prepare ? await module.prepare(t, full) : full
  const before = await module.read(t, input)
  const after = module.want(input, before)
  const changed = !isSameState(before, after)
  if (changed && !t.check) await module.write(t, before, after)
  return {
    before,
    after,
    changed,
    undo: () => module.write(t, after, before),
    replay: () => module.write(t, before, after),
  }
}
