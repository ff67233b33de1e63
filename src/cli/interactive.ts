import { problem } from '../core/error.ts'
import type { Terminal } from '../run/deps.ts'
import { askLine, readKeys } from './prompt.ts'

/** The operator's terminal; undefined where nobody can answer. `stop` is what the first ^C does. */
export function openTerminal(stop: () => void): Terminal | undefined {
  if (!process.stdin.isTTY) return undefined
  return { ask: askLine, readKeys, say: text => void process.stderr.write(text), stop }
}

/** `--step`: asks before each task, until the operator says `c`. Throws E_USAGE where there is no terminal. */
export function createStepper({ ask, stop }: Partial<Terminal> = {}): (title: string) => Promise<boolean> {
  if (!ask || !stop)
    throw problem('E_USAGE', '--step asks before each task, and there is no terminal', {
      hint: 'leave it out, or run it in a terminal',
    })
  let isFree = false
  return async title => {
    if (isFree) return true
    const answer = await ask(`Perform task: TASK: ${title} (N)o/(y)es/(c)ontinue: `)
    if (answer === undefined) stop()
    const word = answer?.trim().toLowerCase() ?? ''
    isFree = word === 'c' || word === 'continue'
    return isFree || word === 'y' || word === 'yes'
  }
}
