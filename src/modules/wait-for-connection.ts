import { defineAction } from '../core/module.ts'
import { rest, waitForHost } from './connection-wait.ts'

export const waitForConnection = defineAction({
  name: 'wait_for_connection',
  summary: 'Wait until the host can be reached and a login works.',
  notes: ['A login that is refused, and a host key that is another, end the wait at once.'],
  reads: true,
  params: {
    timeout: { type: 'int', default: 600, doc: 'Seconds to wait at the most.' },
    delay: { type: 'int', default: 0, doc: 'Seconds to wait before the first try.' },
    sleep: { type: 'int', default: 1, doc: 'Seconds between two tries.' },
    connect_timeout: { type: 'int', default: 5, doc: 'Seconds for the answer of one try.' },
  },
  returns: { elapsed: { doc: 'Seconds.' } },
  examples: `
- wait_for_connection: { delay: 10, timeout: 300 }
`,
  async run(t, { timeout, delay, sleep, connect_timeout }) {
    const start = Date.now()
    await rest(t, delay * 1000)
    await waitForHost(t, {
      timeoutMs: timeout * 1000,
      sleepMs: sleep * 1000,
      connectTimeoutMs: connect_timeout * 1000,
    })
    return { changed: false, values: { elapsed: Math.floor((Date.now() - start) / 1000) } }
  },
})
