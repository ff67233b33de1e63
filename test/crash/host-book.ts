// What rota keeps on a host (locks, copies of journals), in memory: the four scripts of src/rotation as TypeScript, one point a
// line that changes something. The scripts themselves are tried in test/rotation/host-lock.test.ts and host-journal.test.ts, and struck
// by the real trials; doors.test.ts fails when one gets a line that is not here.
import { fenceParams } from '../../src/core/fence.ts'
import type { Ran, ScriptParams } from '../../src/core/remote.ts'

/** Told of each line that changes the host; may throw when the shell is killed there, or when there is no room. */
export type OnLine = (what: string, writes: boolean) => void

const folder = '/var/lib/rota'
const text = (value: ScriptParams[string] | undefined): string => String(value ?? '')

function ran(exit: number, stdout = '', values: Record<string, string> = {}, stderr = ''): Ran {
  return {
    status: 'ran',
    exit,
    stdout: Buffer.from(stdout),
    stderr: Buffer.from(stderr),
    values,
  } as unknown as Ran
}

function wholeLines(journal: string): readonly string[] {
  return journal.split('\n').filter(line => /^\d+ [0-9a-f]{16} \{/.test(line))
}

export class HostBook {
  /** Locks by number, and journals by run. */
  readonly locks = new Map<number, string>()
  readonly journals = new Map<string, string>()

  /** Which script it is, its parameters tell. */
  run(params: ScriptParams, onLine: OnLine): Ran {
    if ('lines' in params) return this.#append(params, onLine)
    if ('held' in params) return this.#free(params, onLine)
    if ('known' in params) return this.#take(params, onLine)
    return this.#takeOver(params, onLine)
  }
  get highest(): number {
    return Math.max(0, ...this.locks.keys())
  }
  /** The guard of core/fence.ts: what it would set as `fenced`, or undefined when the host is the fence's. */
  guard(fence: Parameters<typeof fenceParams>[0]): string | undefined {
    const { fence_epoch, fence_token } = fenceParams(fence)
    const epoch = Number(fence_epoch)
    const isHeld = this.locks.get(epoch)?.split('\n')[0] === `held ${text(fence_token)}`
    if (isHeld && !this.locks.has(epoch + 1)) return undefined
    return this.locks.get(this.highest) ?? ''
  }
  isHeld(): boolean {
    return this.locks.get(this.highest)?.startsWith('held ') ?? false
  }

  #state(): { readonly state: string; readonly run: string } {
    const [state = '', run = ''] = (this.locks.get(this.highest) ?? '').split('\n')
    return { state, run }
  }
  #makeNext(state: string, params: ScriptParams, onLine: OnLine): void {
    onLine('printf draft', true)
    onLine('ln lock', true)
    const lines = [state, params['run'], params['operator'], params['since']].map(line => `${text(line)}\n`)
    const mine = this.highest + 1
    this.locks.set(mine, lines.join(''))
    onLine('sync', false)
    for (const number of this.locks.keys()) if (number <= mine - 16) this.locks.delete(number)
    onLine('rm', false)
  }
  /** True when the copy ends with a record that the process knows, or there is none. */
  #isKnown(params: ScriptParams): boolean {
    const journal = this.journals.get(text(params['run']))
    if (journal === undefined) return true
    const sum = wholeLines(journal).at(-1)?.split(' ')[1] ?? ''
    return sum === '' || text(params['known']).split(' ').includes(sum)
  }
  #take(params: ScriptParams, onLine: OnLine): Ran {
    onLine('mkdir', true)
    if (!this.#isKnown(params)) return ran(5)
    const { state, run } = this.#state()
    if (state.startsWith('held') && run !== params['run']) return ran(3, this.locks.get(this.highest))
    this.#makeNext(`held ${text(params['token'])}`, params, onLine)
    return this.#isKnown(params) ? ran(0, `${this.highest}\n${folder}\n`) : ran(5)
  }
  #free(params: ScriptParams, onLine: OnLine): Ran {
    const { state, run } = this.#state()
    const held = text(params['held'])
    if (!state.startsWith('held') || run !== params['run']) return ran(4)
    if (held !== '' && state !== `held ${held}`) return ran(4)
    if (params['known'] !== undefined && !this.#isKnown(params)) return ran(5)
    if (Number(params['over']) === 1) this.#keepEnd(text(params['run']), onLine)
    this.#makeNext('free', params, onLine)
    return ran(0)
  }
  /** Of the copy only the last record is left. */
  #keepEnd(run: string, onLine: OnLine): void {
    const journal = this.journals.get(run)
    if (journal === undefined) return
    onLine('printf journal.new', true)
    onLine('mv journal.new', true)
    this.journals.set(run, `\n${wholeLines(journal).at(-1)}\n`)
  }
  #append(params: ScriptParams, onLine: OnLine): Ran {
    const fence = {
      folder,
      epoch: Number(params['fence_epoch']),
      token: text(params['fence_token']),
      onLost: () => {},
    }
    const fenced = this.guard(fence)
    if (fenced !== undefined) return ran(99, '', { fenced })
    const run = text(params['run'])
    const before = this.journals.get(run) ?? ''
    const added = `\n${text(params['lines'])}`
    // The shell makes the file before anything is written to it.
    this.journals.set(run, before)
    onLine('printf journal', true)
    this.journals.set(run, before + added.slice(0, added.length / 2))
    onLine('printf journal, half', true)
    this.journals.set(run, before + added)
    onLine('sync', false)
    return ran(0)
  }
  #takeOver(params: ScriptParams, onLine: OnLine): Ran {
    const { state, run } = this.#state()
    const isOurs = state.startsWith('held') && run === params['run']
    if (isOurs) this.#makeNext(`held ${text(params['token'])}`, params, onLine)
    const journal = this.journals.get(text(params['run']))
    return ran(journal === undefined ? 4 : 0, journal, isOurs ? { held: '1' } : {})
  }
}
