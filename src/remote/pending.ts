import { StringDecoder } from 'node:string_decoder'
import type { Clean, Redactor } from '../core/redact.ts'
import type { Call, Done } from '../core/remote.ts'
import type { Mark } from './answer.ts'

export type Stream = 'stdout' | 'stderr'

/** What came of a call. `unbegun`: the shell ended before the loop came to it, so it may be sent again. */
export type Fate = Done | 'unbegun'

/** Bytes of one stream to redacted text. */
interface Live {
  push(bytes: Buffer): void
  end(): void
}
function createLive(redactor: Redactor, say: (text: Clean) => void): Live {
  const decoder = new StringDecoder('utf8')
  const stream = redactor.stream()
  const tell = (text: Clean): void => {
    if (text !== '') say(text)
  }
  return {
    push: bytes => tell(stream.push(decoder.write(bytes))),
    end: () => {
      tell(stream.push(decoder.end()))
      tell(stream.end())
    },
  }
}

/** A call that was sent, and what has come back of it so far. */
export class Pending {
  readonly fate: Promise<Fate>
  /** Says why the call has no result, where more is known than that the shell ended. */
  why: string | undefined
  readonly #timeoutMs: number
  readonly #sink: ((bytes: Buffer) => void) | undefined
  readonly #bytes: Record<Stream, Buffer[]> = { stdout: [], stderr: [] }
  readonly #exit: Record<Stream, number | undefined> = { stdout: undefined, stderr: undefined }
  readonly #values: Record<string, string> = Object.create(null)
  readonly #live: Record<Stream, Live> | undefined
  #timer: NodeJS.Timeout | undefined
  #resolve!: (fate: Fate) => void

  /** With a `sink`, it gets the bytes of stdout as they come, and the result has none. */
  constructor(call: Pick<Call, 'timeoutMs' | 'onText'>, redactor: Redactor, sink?: (bytes: Buffer) => void) {
    this.#timeoutMs = call.timeoutMs ?? 0
    this.#sink = sink
    this.fate = new Promise(resolve => {
      this.#resolve = resolve
    })
    const { onText } = call
    this.#live = onText && {
      stdout: createLive(redactor, text => onText(text, 'stdout')),
      stderr: createLive(redactor, text => onText(text, 'stderr')),
    }
  }

  /** The loop has come to this call: its time begins. */
  begin(timeOut: () => void): void {
    if (this.#timeoutMs === 0 || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.why = `it did not end within ${this.#timeoutMs / 1000} s, so it was killed`
      timeOut()
    }, this.#timeoutMs)
  }

  isOver(stream: Stream): boolean {
    return this.#exit[stream] !== undefined
  }

  text(stream: Stream, bytes: Buffer): void {
    if (stream === 'stdout' && this.#sink) this.#sink(bytes)
    else this.#bytes[stream].push(bytes)
    this.#live?.[stream].push(bytes)
  }

  mark(stream: Stream, mark: Mark): void {
    if (mark.kind === 'value') this.#values[mark.name] = mark.value
    if (mark.kind !== 'end') return
    this.#exit[stream] = mark.exit
    if (this.isOver('stdout') && this.isOver('stderr')) this.#ran(mark.exit)
  }

  #ran(exit: number): void {
    const [stdout, stderr] = [Buffer.concat(this.#bytes.stdout), Buffer.concat(this.#bytes.stderr)]
    this.settle({ status: 'ran', exit, stdout, stderr, values: this.#values })
  }

  settle(fate: Fate): void {
    clearTimeout(this.#timer)
    this.#live?.stdout.end()
    this.#live?.stderr.end()
    this.#resolve(fate)
  }
}
