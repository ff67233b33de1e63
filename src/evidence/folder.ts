import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { problem, type RotaError } from '../core/error.ts'
import type { Reporter, RunEvent, Stamped } from '../core/event.ts'
import { type Chain, type Head, parseChain, renderHead, renderLine } from './chain.ts'
import { renderSummary, summarize } from './summary.ts'
import { listed, MANIFEST, renderManifest, verifyScript } from './verify.ts'

/** Events whose loss would be a gap in the evidence: on the disk before anything else is written. */
const durable: ReadonlySet<RunEvent['type']> = new Set([
  'run.start',
  'phase.start',
  'change',
  'check',
  'backup',
  'login',
  'secret',
  'rotation.state',
  'problem',
  'run.end',
])

export interface Evidence extends Reporter {
  /** Resolves when everything so far is on the disk. Rejects with E_EVIDENCE when some of it is not and never will be. */
  settle(): Promise<void>
  /** Writes head, summary and manifest. Rejects with E_EVIDENCE: the run's own failure, since it cannot be proved. */
  close(): Promise<void>
}

function fail(folder: string, cause: unknown): RotaError {
  return problem('E_EVIDENCE', `evidence cannot be written in ${folder}: ${(cause as Error).message}`, {
    hint: 'make room or mend the disk; what was done on the targets is in the journal of the run',
    cause,
  })
}

async function readEvents(folder: string): Promise<{ readonly bytes: Buffer; readonly chain: Chain }> {
  const file = join(folder, 'events.jsonl')
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw fail(folder, error)
  })
  return { bytes, chain: parseChain(bytes, file) }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const draft = join(folder, `.${name}`)
  const handle = await open(draft, 'w', 0o600)
  await handle
    .writeFile(text)
    .then(() => handle.sync())
    .finally(() => handle.close())
  await rename(draft, join(folder, name))
}

/** The last files, the manifest after all others: its being there says that the evidence is whole. */
async function writeLast(
  folder: string,
  operator: Readonly<Record<string, string>>,
  head: Head,
): Promise<void> {
  const { chain } = await readEvents(folder)
  if (chain.head.sha256 !== head.sha256) throw new Error('events.jsonl was changed by another process')
  const summary = summarize(chain.events, operator)
  await writeWhole(folder, 'head', renderHead(head))
  await writeWhole(folder, 'summary.json', `${JSON.stringify(summary, null, 2)}\n`)
  await writeWhole(folder, 'summary.txt', renderSummary(summary))
  await writeWhole(folder, 'VERIFY.sh', verifyScript.text)
  const contents = await Promise.all(
    listed.map(async name => [name, await readFile(join(folder, name))] as const),
  )
  await writeWhole(folder, MANIFEST, renderManifest(new Map(contents)))
  await syncFolder(folder)
}

/** Opens events.jsonl where a killed process left it. From here until `close` the folder says that it is not closed. */
async function openEvents(folder: string): Promise<{ file: FileHandle; head: Head }> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { bytes, chain } = await readEvents(folder)
  for (const name of [MANIFEST, 'head']) await rm(join(folder, name), { force: true })
  const file = await open(join(folder, 'events.jsonl'), 'a', 0o600)
  if (chain.sizeBytes < bytes.length) await file.truncate(chain.sizeBytes)
  await syncFolder(folder)
  return { file, head: chain.head }
}

/**
 * Opens a run's evidence, made when missing; a resumed run goes on in the same chain. `operator` is who closes it: `user`,
 * `machine`, and where known `key` (SSH fingerprint), `ci`, `address`. Values are text that may be shown to anybody.
 * Throws E_EVIDENCE when it cannot be written, or when what is there does not verify.
 */
export async function openEvidence(
  folder: string,
  operator: Readonly<Record<string, string>>,
): Promise<Evidence> {
  const { file, head: start } = await openEvents(folder).catch((error: unknown) => {
    throw (error as { code?: unknown }).code === 'E_EVIDENCE' ? error : fail(folder, error)
  })
  let head = start
  let waiting: string[] = []
  let isDurable = false
  let failed: RotaError | undefined
  let writing: Promise<void> | undefined

  const write = async (): Promise<void> => {
    while (waiting.length > 0 && !failed) {
      const text = waiting.join('')
      const wantsSync = isDurable
      waiting = []
      isDurable = false
      await file
        .appendFile(text)
        .then(() => (wantsSync ? file.datasync() : undefined))
        .catch(cause => {
          failed = fail(folder, cause)
        })
    }
    writing = undefined
  }
  const settle = async (): Promise<void> => {
    while (writing !== undefined) await writing
    if (failed) throw failed
    await file.datasync().catch(cause => {
      failed = fail(folder, cause)
      throw failed
    })
  }
  return {
    on(event: Stamped) {
      if (failed) return
      const next = renderLine(head, event)
      head = next.head
      waiting.push(next.line)
      isDurable ||= durable.has(event.type)
      writing ??= write()
    },
    settle,
    async close() {
      await settle().finally(() => file.close())
      await writeLast(folder, operator, head).catch(cause => {
        throw fail(folder, cause)
      })
    },
  }
}
