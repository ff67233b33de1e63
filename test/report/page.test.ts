import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { RunEvent, Stamped } from '../../src/core/event.ts'
import type { Clean } from '../../src/core/redact.ts'
import { renderPage } from '../../src/report/page.ts'

const clean = (text: string): Clean => text as Clean
const counts = {
  ok: 1,
  changed: 1,
  unreachable: 0,
  failed: 0,
  skipped: 0,
  rescued: 0,
  ignored: 0,
  unknown: 0,
}

/** Events a second apart. */
function stamp(events: readonly RunEvent[]): Stamped[] {
  return events.map((event, seq) => ({ ...event, seq, at: new Date(seq * 1000).toISOString() }))
}

/** A run in which every text that anybody can choose is `text`. */
function eventsWith(text: string): Stamped[] {
  const said = clean(text)
  const ref = { task: '1', host: text }
  return stamp([
    {
      type: 'run.start',
      run: text,
      version: '1',
      playbooks: [text],
      check: false,
      operator: { user: text },
    },
    { type: 'login', host: text, address: text, user: text, by: said, hostKey: text },
    { type: 'task.start', task: '1', name: said, module: text, place: text, handler: false },
    { type: 'host.end', ...ref, status: 'changed', elapsedMs: 500, diff: said },
    { type: 'host.end', ...ref, status: 'failed', elapsedMs: 10, message: said },
    { type: 'change', host: text, step: text, module: text, what: said, record: 'done' },
    { type: 'check', host: text, name: said, ok: false, message: said },
    { type: 'backup', host: text, path: said, sha256: text, sizeBytes: 1, proof: said },
    { type: 'secret', host: text, secret: text, toFingerprint: text },
    { type: 'rotation.state', host: text, state: 'rolled_back', message: said },
    { type: 'problem', problem: { code: 'E_TASK', message: said, hint: text } },
    { type: 'run.end', run: text, exit: 10, recap: { [text]: counts } },
  ])
}

it('says what came of a run, host by host, and shows when what ran', () => {
  const page = renderPage(eventsWith('web1'), { ok: true, seal: 'abc' })
  for (const part of [
    'a rotation was undone: every host is on its old secrets (exit 10)',
    'The evidence verifies. Seal: <code>abc</code>',
    '<td>web1</td><td>rolled_back</td>',
    '<title>web1: changed, 500 ms</title>',
    '<span class="bad">RED</span>',
  ])
    expect(page).toContain(part)
  const titles = [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title)
  expect(titles.join(' · ')).toBe(
    'Hosts · Timeline · What went wrong · Checks · Secrets, by keyed fingerprints · Backups · Changes · Differences · Who · Logins',
  )
})

it('reaches nowhere, runs nothing, and says when there is nothing to trust', () => {
  const page = renderPage(stamp([]), { ok: false, why: 'events.jsonl: changed' })
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
  expect(page).not.toMatch(/https?:|<script|<h2>/)
  expect(page).toContain('the run did not reach its end')
  expect(page).toContain('The evidence does NOT verify: events.jsonl: changed')
})

it('nothing that anybody says becomes markup, or hides', () => {
  const bare = renderPage(eventsWith(''), undefined)
  const markup = (page: string): string => page.replace(/[^<>"']/g, '')
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '</script><img onerror=a>',
      '"\' onload="x',
      '\u001b[31m\u202e\u0007',
      '&lt;b&gt;',
      '</pre>',
    ),
  )
  fc.assert(
    fc.property(hostile, text => {
      const page = renderPage(eventsWith(text), undefined)
      expect(markup(page)).toBe(markup(bare))
      expect(page).not.toMatch(/\p{Bidi_Control}|(?![\n\t])\p{Cc}/u)
    }),
    { numRuns: 200 },
  )
})
