/** What the loop says between the bytes of a script's own output. */
export type Mark =
  /** The loop runs. `target` is what `kill` takes to end it: `-pgid`, or a pid where it leads no group. */
  | { readonly kind: 'ready'; readonly target: string }
  | { readonly kind: 'value'; readonly name: string; readonly value: string }
  | { readonly kind: 'end'; readonly exit: number }

/** Takes one stream of a shell apart. `text` gets output bytes as they come, `mark` what stands between them. */
export interface AnswerReader {
  push(chunk: Buffer): void
}

interface Handlers {
  text(bytes: Buffer): void
  mark(mark: Mark): void
}

/** Length of the longest end of `bytes` that a nonce could begin with. */
function heldBack(bytes: Buffer, nonce: Buffer): number {
  for (let size = Math.min(bytes.length, nonce.length - 1); size > 0; size--)
    if (bytes.subarray(bytes.length - size).equals(nonce.subarray(0, size))) return size
  return 0
}

/** Size of the mark that `bytes` begins with, and the mark; undefined when it has not all come yet. */
function parseMark(bytes: Buffer): { readonly mark: Mark; readonly sizeBytes: number } | undefined {
  const line = bytes.indexOf(10)
  if (line < 0) return undefined
  const [, kind, first = '', second] = bytes.toString('latin1', 0, line).split(' ')
  if (kind === 'r') return { mark: { kind: 'ready', target: first }, sizeBytes: line + 1 }
  if (kind === 'e') return { mark: { kind: 'end', exit: Number(first) }, sizeBytes: line + 1 }
  const end = line + 1 + Number(second)
  if (bytes.length < end) return undefined
  return {
    mark: { kind: 'value', name: first, value: bytes.toString('utf8', line + 1, end) },
    sizeBytes: end,
  }
}

/** A reader for one stream. The nonce is a random text that stands before every mark. */
export function createAnswerReader(nonceText: string, on: Handlers): AnswerReader {
  const nonce = Buffer.from(nonceText)
  let rest: Buffer = Buffer.alloc(0)
  const emit = (bytes: Buffer): void => {
    if (bytes.length > 0) on.text(bytes)
  }
  return {
    push(chunk) {
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (;;) {
        const at = bytes.indexOf(nonce)
        if (at < 0) break
        emit(bytes.subarray(0, at))
        bytes = bytes.subarray(at)
        const found = parseMark(bytes.subarray(nonce.length))
        if (found === undefined) {
          rest = bytes
          return
        }
        bytes = bytes.subarray(nonce.length + found.sizeBytes)
        on.mark(found.mark)
      }
      const size = heldBack(bytes, nonce)
      emit(bytes.subarray(0, bytes.length - size))
      rest = bytes.subarray(bytes.length - size)
    },
  }
}
