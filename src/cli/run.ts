import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { nextRunId, stateFolder } from '../rotation/run-folder.ts'
import { configureFlags } from './config-flags.ts'
import { executePlaybooks } from './execute.ts'
import type { RunFlags } from './options.ts'
import { createRunState } from './run-state.ts'

/** `rota run PLAYBOOK…` */
export async function runCommand(
  files: readonly string[],
  given: RunFlags,
  version: string,
): Promise<number> {
  const { flags, config } = configureFlags(given)
  const folder = stateFolder(process.env)
  const id = await nextRunId(folder, new Date(), randomBytes)
  const state = createRunState(id, join(folder, 'runs', id), flags.recipient ?? [])
  return executePlaybooks({ mode: 'run', files, flags, config, state, version })
}
