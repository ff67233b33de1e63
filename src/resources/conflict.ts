import { problem } from '../core/error.ts'
import { isSameState, type State } from '../core/value.ts'

/**
 * For things that are changed by a tool of the host's and not by a script of rota's own: what they are is read once more
 * just before. Throws E_CONFLICT when that is not `before`; the tool's own lock covers the moment in between.
 */
export async function requireUnchanged<S extends State>(
  what: string,
  before: S,
  reread: () => Promise<S>,
): Promise<void> {
  if (isSameState(await reread(), before)) return
  throw problem('E_CONFLICT', `${what} is no longer as it was read`, {
    hint: 'somebody else changed it in the meantime; look at it and run again',
  })
}
