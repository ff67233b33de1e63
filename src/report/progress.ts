import type { Reporter } from '../core/event.ts'
import { renderSafe } from './safe-text.ts'

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const HEARTBEAT_MS = 30_000
const FRAME_MS = 120
/** A line appears only for work that takes this long: a fast run never flickers. */
const PATIENCE_MS = 400

/**
 * What runs right now. On a terminal: one line at the bottom, redrawn; elsewhere: a line every 30 s, so that a CI log
 * shows life. `write` goes to stderr. `clear` has to be called before anything else is written to the terminal.
 */
export function createProgress(options: {
  readonly isTerminal: boolean
  readonly columns: () => number
  readonly write: (text: string) => void
}): Reporter & { clear(): void } {
  let name = ''
  let startedMs = 0
  let frame = 0
  let drawn = false
  let text = ''
  const running = new Set<string>()

  const clear = (): void => {
    if (drawn) options.write('\r\u001b[K')
    drawn = false
  }
  const draw = (): void => {
    const elapsedMs = Date.now() - startedMs
    if (running.size === 0 || elapsedMs < PATIENCE_MS) return
    const hosts = running.size > 3 ? `${running.size} hosts` : [...running].join(', ')
    const seconds = `${Math.floor(elapsedMs / 1000)}s`
    if (options.isTerminal) {
      frame = (frame + 1) % FRAMES.length
      const shown = `${FRAMES[frame]} ${seconds} ${name} · ${hosts}${text ? ` · ${text}` : ''}`
      options.write(`\r\u001b[K${shown.slice(0, Math.max(20, options.columns() - 1))}`)
      drawn = true
    } else options.write(`still running ${seconds}: ${name} · ${hosts}\n`)
  }
  const timer = setInterval(draw, options.isTerminal ? FRAME_MS : HEARTBEAT_MS)
  timer.unref()

  return {
    clear,
    on(event) {
      if (event.type === 'task.start') {
        name = event.name
        startedMs = Date.now()
        text = ''
      } else if (event.type === 'host.start') running.add(event.host)
      else if (event.type === 'host.end') running.delete(event.host)
      else if (event.type === 'host.text')
        text = renderSafe(event.text.trim().split('\n').at(-1)?.slice(0, 60) ?? '')
    },
    async close() {
      clearInterval(timer)
      clear()
    },
  }
}
