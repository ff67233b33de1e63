import { createHash } from 'node:crypto'
import { problem } from '../core/error.ts'
import type { Stamped } from '../core/event.ts'

/** Where a chain stands: how many lines, and the sha256 of the last one with its newline. */
export interface Head {
  readonly count: number
  readonly sha256: string
}

const emptyHead: Head = { count: 0, sha256: '0'.repeat(64) }

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** What every line begins with, so that a verifier in sh can compare it as text. */
function renderStart(head: Head): string {
  return `{"v":1,"seq":${head.count},"prev":"${head.sha256}",`
}

/** The next line of a chain. `seq` counts lines of the folder, over all sessions of the run. */
export function renderLine(head: Head, event: Stamped): { readonly line: string; readonly head: Head } {
  const { seq: _seq, ...rest } = event
  const line = `${renderStart(head)}${JSON.stringify(rest).slice(1)}\n`
  return { line, head: { count: head.count + 1, sha256: sha256(line) } }
}

export function renderHead(head: Head): string {
  return `${head.count} ${head.sha256}\n`
}

export interface Chain {
  readonly head: Head
  /** Bytes of whole lines; a killed process may have left the beginning of one more. */
  readonly sizeBytes: number
  readonly events: readonly Stamped[]
}

/** Reads lines as far as they are whole. Throws E_EVIDENCE at the first line that does not follow the one before it. */
export function parseChain(bytes: Buffer, file: string): Chain {
  let head = emptyHead
  let start = 0
  const events: Stamped[] = []
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    const line = bytes.subarray(start, end + 1)
    const begin = renderStart(head)
    if (line.subarray(0, begin.length).toString('latin1') !== begin)
      throw problem('E_EVIDENCE', `${file}: line ${head.count + 1} does not follow the one before it`, {
        at: { file, line: head.count + 1, col: 1 },
        hint: 'a line was changed, added, moved or taken away here or just before',
      })
    events.push(parseEvent(line, file, head.count + 1))
    head = { count: head.count + 1, sha256: sha256(line) }
    start = end + 1
  }
  return { head, sizeBytes: start, events }
}

function parseEvent(line: Buffer, file: string, number: number): Stamped {
  try {
    return JSON.parse(line.toString('utf8')) as Stamped
  } catch (cause) {
    throw problem('E_EVIDENCE', `${file}: line ${number} is not JSON`, {
      at: { file, line: number, col: 1 },
      cause,
    })
  }
}
