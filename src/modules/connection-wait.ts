import { setTimeout as sleep } from 'node:timers/promises'
import { problem, RotaError } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'

const alive = sh`:`

/** Errors that waiting may cure: a login that is refused is not one of them. */
const isPassing = (error: unknown): boolean =>
  error instanceof RotaError && (error.code === 'E_UNREACHABLE' || error.code === 'E_UNKNOWN')

export async function rest(t: Target, ms: number): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: t.stop })
  } catch {
    throw problem('E_TASK', 'the run was stopped')
  }
}

/**
 * Connects anew until `isReady` says so. Throws E_UNREACHABLE when the time is up, and at once what waiting does not cure.
 * Times in milliseconds.
 */
export async function waitForHost(
  t: Target,
  times: { readonly timeoutMs: number; readonly sleepMs: number; readonly connectTimeoutMs: number },
  isReady: () => Promise<boolean> = async () => true,
): Promise<void> {
  const start = Date.now()
  let why = 'it did not become ready'
  for (;;) {
    try {
      await t.reconnect()
      await t.run(alive, {}, { timeoutMs: times.connectTimeoutMs })
      if (await isReady()) return
    } catch (error) {
      if (!isPassing(error)) throw error
      why = (error as Error).message
    }
    if (Date.now() - start + times.sleepMs > times.timeoutMs)
      throw problem('E_UNREACHABLE', `timed out waiting for ${t.name}: ${why}`, {
        hint: 'look at the console of the host, or give a longer timeout',
      })
    await rest(t, times.sleepMs)
  }
}
