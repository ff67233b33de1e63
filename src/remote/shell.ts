import { randomBytes } from 'node:crypto'
import type { Redactor } from '../core/redact.ts'
import type { Call, Ended } from '../core/remote.ts'
import { createAnswerReader, type Mark } from './answer.ts'
import type { Channel } from './connection.ts'
import { renderCall, renderPipe, renderPrelude, renderScript } from './frame.ts'
import { type Fate, Pending, type Stream } from './pending.ts'

export interface ShellOptions {
  /** Runs `bootstrap`. */
  readonly link: Channel
  /** Path of sh on the target. */
  readonly path: string
  readonly redactor: Redactor
  /** Ends the shell and everything that it has started: when a call's time is up, or the shell died in a call. */
  kill(shell: Shell): void
}

/** Output of a login that never comes to the loop is kept up to this size, for the error message. */
const NOISE_BYTES = 4096

/** How long a shell that has ended must be silent before what it left in the background is ended too. */
const QUIET_MS = 250

/** The loop, running on one link. Nothing is waited for: calls may be sent at once. */
export class Shell {
  /** Resolves when the link is gone and every call has its fate. */
  readonly over: Promise<Ended>
  /** Resolves to `target`; to undefined when the link is gone and the loop never ran. */
  readonly ready: Promise<string | undefined>
  /** What `kill` takes to end the shell and its children; undefined until the loop runs. */
  target: string | undefined
  /** True from the moment that nothing can be sent any more. */
  isOver = false
  /** True when the shell ended in the middle of a call: what the call has started may still run. */
  hasLost = false
  readonly link: Channel
  readonly #options: ShellOptions
  readonly #queue: Pending[] = []
  readonly #known = new Set<string>()
  #readBytes = 0
  #noise = ''
  #setReady!: (target: string | undefined) => void

  constructor(options: ShellOptions) {
    this.#options = options
    this.link = options.link
    this.ready = new Promise(resolve => {
      this.#setReady = resolve
    })
    // A byte that output hardly ever ends with comes first: an end that could be the nonce's beginning is held back.
    const nonce = `\x02${randomBytes(16).toString('hex')}`
    this.#listen('stdout', nonce)
    this.#listen('stderr', nonce)
    // What a broken pipe means is said by `ended`.
    this.link.stdin.on('error', () => {})
    this.link.stdin.write(renderPrelude(options.path, nonce))
    void this.link.exited.then(() => this.#exited())
    this.over = this.link.ended.then(ended => {
      this.#finish(ended)
      return ended
    })
  }

  /** Calls were sent and not answered. */
  get isBusy(): boolean {
    return this.#queue.length > 0
  }

  /** What the login printed before the loop ran. */
  get noise(): string {
    return this.#options.redactor.clean(this.#noise).trim()
  }

  run(call: Call): Promise<Fate> {
    return this.#send(renderCall(call), call)
  }

  /** The last call of a shell: its stdin is what is written to the link from now on, its stdout goes to `sink`. */
  pipe(call: Call, sink: (bytes: Buffer) => void): Promise<Fate> {
    return this.#send(renderPipe(call), call, sink)
  }

  /** Lets the shell end by itself. */
  close(): void {
    this.isOver = true
    this.link.stdin.end()
  }

  #send(frame: Buffer, call: Call, sink?: (bytes: Buffer) => void): Promise<Fate> {
    const isKnown = this.#known.has(call.script.sha256)
    this.#known.add(call.script.sha256)
    const pending = new Pending(call, this.#options.redactor, sink)
    this.#queue.push(pending)
    this.link.stdin.write(isKnown ? frame : Buffer.concat([renderScript(call.script), frame]))
    this.#beginNext()
    return pending.fate
  }

  #listen(stream: Stream, nonce: string): void {
    let isReady = false
    const current = (): Pending | undefined => this.#queue.find(pending => !pending.isOver(stream))
    const reader = createAnswerReader(nonce, {
      text: bytes => {
        if (isReady) current()?.text(stream, bytes)
        else if (this.#noise.length < NOISE_BYTES) this.#noise += bytes.toString()
      },
      mark: mark => {
        if (mark.kind === 'ready') {
          isReady = true
          this.#ready(mark.target)
        } else this.#settle(current(), stream, mark)
      },
    })
    this.link[stream].on('data', (chunk: Buffer) => {
      this.#readBytes += chunk.length
      reader.push(chunk)
    })
    this.link[stream].on('error', () => {})
    // Who listened to the link before the shell may have left it paused.
    this.link[stream].resume()
  }

  #ready(target: string): void {
    if (!/^-?[1-9][0-9]*$/.test(target)) return
    this.target = target
    this.#setReady(target)
    this.#beginNext()
  }

  #settle(pending: Pending | undefined, stream: Stream, mark: Mark): void {
    if (pending === undefined) return
    pending.mark(stream, mark)
    if (!pending.isOver('stdout') || !pending.isOver('stderr')) return
    this.#queue.splice(this.#queue.indexOf(pending), 1)
    this.#beginNext()
  }

  /** A call's time counts from when the loop comes to it. */
  #beginNext(): void {
    if (this.target !== undefined) this.#queue[0]?.begin(() => this.#options.kill(this))
  }

  /**
   * The shell's last words may still be on their way, or wait for a slow reader. When no more come, something in the
   * background holds its pipes open, and that is part of the call that the shell died in.
   */
  #exited(): void {
    this.isOver = true
    if (!this.isBusy) {
      this.link.close()
      return
    }
    const before = this.#readBytes
    setTimeout(() => {
      const isReading = this.#readBytes !== before || this.link.stdout.isPaused()
      if (!this.isBusy || isReading) this.#exited()
      else this.#options.kill(this)
    }, QUIET_MS)
  }

  #finish(ended: Ended): void {
    this.isOver = true
    this.#setReady(undefined)
    // After a clean end all that the shell wrote has been read, so only its first call can have been begun.
    const isClean = !('unknown' in ended)
    for (const [index, pending] of this.#queue.splice(0).entries()) {
      const isBegun = isClean ? index === 0 && this.target !== undefined : true
      this.hasLost ||= isBegun
      pending.settle(isBegun ? { status: 'unknown', why: pending.why ?? describeEnd(ended) } : 'unbegun')
    }
  }
}

/** Why a call that was begun has no result. */
export function describeEnd(ended: Ended): string {
  if ('code' in ended)
    return `the shell on the target ended with exit status ${ended.code} in the middle of it`
  if ('signal' in ended) return `the shell on the target was ended by ${ended.signal} in the middle of it`
  return ended.unknown
}
