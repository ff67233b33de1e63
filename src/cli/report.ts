import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exits, problem } from '../core/error.ts'
import type { Stamped } from '../core/event.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import { renderPage } from '../report/page.ts'
import { findRun, isRunId, stateFolder } from '../rotation/run-folder.ts'

/** `rota report RUN | EVENTS`: a rotation's evidence, or what `--events FILE` wrote of any run, as a page for a browser. */
export async function reportCommand(name: string, { output }: { output?: string }): Promise<number> {
  const isRun = name === 'latest' || isRunId(name)
  const page = isRun ? await pageOfRun(name) : pageOfFile(name)
  if (output === undefined) {
    process.stdout.write(page)
    return exits.ok.code
  }
  try {
    // For its owner alone: what hosts said may be private.
    writeFileSync(output, page, { mode: 0o600 })
  } catch (cause) {
    const why = `the report cannot be written to ${output}: ${(cause as Error).message}`
    throw problem('E_FILE', why, { cause, hint: 'name another file with -o' })
  }
  return exits.ok.code
}

/** A file that anybody may have written. Throws E_EVIDENCE where its events lack what events have. */
function pageOfFile(file: string): string {
  const events = readEvents(file)
  try {
    return renderPage(events, undefined)
  } catch (cause) {
    throw problem('E_EVIDENCE', `${file} holds events that no run writes: ${(cause as Error).message}`, {
      cause,
      hint: 'rota report reads a run’s name, or the file that --events wrote',
    })
  }
}

async function pageOfRun(name: string): Promise<string> {
  const evidence = join((await findRun(stateFolder(process.env), name)).folder, 'evidence')
  const { problems, seal = '' } = await verifyEvidence(evidence)
  const why = problems.map(({ message }) => message).join('; ')
  const proof = why === '' ? ({ ok: true, seal } as const) : ({ ok: false, why } as const)
  return renderPage(readEvents(join(evidence, 'events.jsonl')), proof)
}

/** Throws E_FILE, and E_EVIDENCE at the first line that is no event. */
function readEvents(file: string): readonly Stamped[] {
  return readLines(file).map((line, index) => {
    const event = parseEvent(line)
    if (event) return event
    throw problem('E_EVIDENCE', 'this is no event of a run', {
      at: { file, line: index + 1, col: 1 },
      hint: 'rota report reads a run’s name, or the file that --events wrote',
    })
  })
}

function readLines(file: string): readonly string[] {
  try {
    // What a run that was killed wrote last has no end.
    return readFileSync(file, 'utf8').split('\n').slice(0, -1)
  } catch (cause) {
    throw problem('E_FILE', `cannot read ${file}: ${(cause as Error).message}`, {
      cause,
      hint: 'rota report RUN (rota status lists them), or the file that --events wrote',
    })
  }
}

function parseEvent(line: string): Stamped | undefined {
  try {
    const event = JSON.parse(line) as Partial<Stamped> | null
    return typeof event?.type === 'string' && typeof event.at === 'string' ? (event as Stamped) : undefined
  } catch {
    return undefined
  }
}
