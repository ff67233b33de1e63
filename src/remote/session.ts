import type { Duplex } from 'node:stream'
import { type ErrorCode, problem, type RotaError } from '../core/error.ts'
import type { Redactor } from '../core/redact.ts'
import type { Call, Done, Session } from '../core/remote.ts'
import type { Channel } from './connection.ts'
import type { Fate } from './pending.ts'
import { type PipeEnds, runPipe } from './pipe.ts'
import { killGroup } from './prelude.ts'
import { describeEnd, Shell } from './shell.ts'

export interface SessionOptions {
  /** What messages call the host. */
  readonly name: string
  /** Path of sh on the target. */
  readonly path: string
  readonly redactor: Redactor
  /** A new channel that runs `bootstrap` as the session's user. Throws RotaError when there can be none. */
  openLink(): Promise<Channel>
  /**
   * For links that are there before the host is reached: nothing is sent until the loop says that it runs, so that a
   * host that cannot be reached is never an unknown outcome. Gets what was said instead; returns the error's code.
   */
  readonly blame?: (said: string) => ErrorCode
  forward: Session['forward']
}

/** How long a killed shell's channel may take to say that it is gone before it is taken for lost. */
const KILL_MS = 5_000

/** One persistent sh on one host as one user, opened anew on the same connection when a call has killed it. */
export class ShellSession implements Session {
  readonly #options: SessionOptions
  #opening: Promise<Shell> | undefined
  #shell: Shell | undefined
  #isClosed = false
  readonly #killing = new WeakMap<Shell, Promise<void>>()

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** Opens the shell's channel. Need not be awaited before `run`. */
  async open(): Promise<void> {
    await this.#current()
  }

  async run(call: Call): Promise<Done> {
    for (;;) {
      const shell = await this.#current()
      const fate = await shell.run(call)
      if (fate !== 'unbegun') return fate
      if (shell.target === undefined) throw await this.#noShell(shell)
    }
  }

  async pipe(call: Omit<Call, 'stdin' | 'onText'>, ends: PipeEnds): Promise<Done> {
    const shell = await this.#start()
    const fate: Fate = await runPipe(shell, call, ends, () => this.#kill(shell))
    if (fate === 'unbegun') throw await this.#noShell(shell)
    return fate
  }

  forward(to: Parameters<Session['forward']>[0]): Promise<Duplex> {
    return this.#options.forward(to)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const shell = await this.#opening?.catch(() => undefined)
    if (shell === undefined || shell.isOver) return
    if (shell.isBusy) await this.#kill(shell)
    else shell.close()
  }

  #current(): Promise<Shell> {
    if (this.#isClosed) throw problem('E_UNREACHABLE', `the session with ${this.#options.name} is closed`)
    if (this.#shell?.isOver) this.#opening = undefined
    this.#opening ??= this.#replace(this.#shell)
    return this.#opening
  }

  async #replace(last: Shell | undefined): Promise<Shell> {
    try {
      if (last?.hasLost) await this.#kill(last)
      this.#shell = await this.#start()
      return this.#shell
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  async #start(): Promise<Shell> {
    const { path, redactor } = this.#options
    const link = await this.#options.openLink()
    const shell = new Shell({ link, path, redactor, kill: late => void this.#kill(late) })
    if (this.#options.blame && (await shell.ready) === undefined) throw await this.#noShell(shell)
    return shell
  }

  #kill(shell: Shell): Promise<void> {
    const killing = this.#killing.get(shell) ?? this.#killOnce(shell)
    this.#killing.set(shell, killing)
    return killing
  }

  /** Ends the shell with all that it started, over a channel of its own; then the channel itself, whatever happens. */
  async #killOnce(shell: Shell): Promise<void> {
    const late = new Promise<undefined>(resolve => setTimeout(() => resolve(undefined), KILL_MS).unref())
    const target = await Promise.race([shell.ready, late])
    if (target !== undefined) await Promise.race([this.#sendKill(target), late])
    await Promise.race([shell.over, late])
    shell.link.close()
    await shell.over
  }

  async #sendKill(target: string): Promise<void> {
    const killer = await this.#start().catch(() => undefined)
    await killer?.run({ script: killGroup, params: { target } })
    killer?.link.close()
  }

  async #noShell(shell: Shell): Promise<RotaError> {
    const { name, path } = this.#options
    const noise = shell.noise.replace(/\s*\n\s*/g, '; ')
    const said = noise === '' ? '' : `; it said: ${noise}`
    const ended = await shell.over
    const how = 'code' in ended ? `exit status ${ended.code}` : describeEnd(ended)
    const code = this.#options.blame?.(shell.noise) ?? 'E_UNREACHABLE'
    if (this.#options.blame && !('code' in ended) && noise !== '')
      return problem(code, `${name}: ssh did not log in: ${noise}`, { hint: `try: ssh -v ${name} true` })
    return problem(code, `${path} did not start on ${name}: ${how}${said}`, {
      hint: `try: ssh ${name} ${path} -c true`,
    })
  }
}
