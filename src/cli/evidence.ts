import { join } from 'node:path'
import { exits } from '../core/error.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import { findRun, stateFolder } from '../rotation/run-folder.ts'
import { showProblems } from './terminal.ts'

/** `rota evidence RUN`: does what the folder's VERIFY.sh does, and says where the folder is. */
export async function evidenceCommand(run: string): Promise<number> {
  const { id, folder } = await findRun(stateFolder(process.env), run)
  const path = join(folder, 'evidence')
  const { problems, seal } = await verifyEvidence(path)
  if (problems.length > 0) showProblems(problems)
  process.stdout.write(
    problems.length === 0
      ? `the evidence of run ${id} verifies: ${path}\nseal: ${seal} (the same as noted elsewhere at the end of the run: nothing was rewritten)\n`
      : `the evidence of run ${id} does NOT verify: ${path}\n`,
  )
  return problems.length === 0 ? exits.ok.code : exits.evidence.code
}
