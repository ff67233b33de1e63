import type { Session } from '../../src/core/remote.ts'
import { openSpawnSession } from './spawn-session.ts'

export async function openTestSession(shell: readonly string[]): Promise<Session> {
  return openSpawnSession(shell)
}
