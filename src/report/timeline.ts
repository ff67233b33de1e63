import type { HostStatus, Stamped } from '../core/event.ts'
import { type Html, html } from './html.ts'

/** One task on one host; times in milliseconds since the run began. */
interface Span {
  readonly title: string
  readonly status: HostStatus
  readonly fromMs: number
  readonly toMs: number
}

const ROW_PX = 18
const NAME_PX = 180
const WIDTH_PX = 1000
/** More rows than this nobody looks at. */
const MOST_HOSTS = 200

/** A row for each host, a bar for each task, as wide as it took; undefined when no task ran. */
export function renderTimeline(events: readonly Stamped[]): Html | undefined {
  const rows = [...selectSpans(events)]
  if (rows.length === 0) return undefined
  const shown = rows.slice(0, MOST_HOSTS)
  const totalMs = Math.max(1, ...shown.flatMap(([, spans]) => spans.map(({ toMs }) => toMs)))
  const scale = (ms: number): number => Math.round((ms / totalMs) * (WIDTH_PX - NAME_PX) * 10) / 10
  const bar = (span: Span, y: number): Html => {
    const width = Math.max(1, scale(span.toMs - span.fromMs))
    return html`<rect class="${span.status}" x="${NAME_PX + scale(span.fromMs)}" y="${y + 2}" width="${width}" height="${ROW_PX - 4}"><title>${span.title}: ${span.status}, ${renderMs(span.toMs - span.fromMs)}</title></rect>`
  }
  const row = ([host, spans]: readonly [string, readonly Span[]], index: number): Html =>
    html`<text x="0" y="${index * ROW_PX + 13}">${host}</text>${spans.map(span => bar(span, index * ROW_PX))}\n`
  const more = rows.length > shown.length ? html`<p>${rows.length - shown.length} more hosts</p>` : undefined
  return html`<svg viewBox="0 0 ${WIDTH_PX} ${shown.length * ROW_PX}" role="img" aria-label="tasks over time, ${renderMs(totalMs)}">
${shown.map(row)}</svg>
<p class="axis">0 to ${renderMs(totalMs)}</p>${more}`
}

function selectSpans(events: readonly Stamped[]): ReadonlyMap<string, readonly Span[]> {
  const begin = Date.parse(events[0]?.at ?? '')
  const names = new Map<string, string>()
  const rows = new Map<string, Span[]>()
  for (const event of events) {
    if (event.type === 'task.start') names.set(event.task, event.name)
    if (event.type !== 'host.end') continue
    const toMs = Date.parse(event.at) - begin
    const spans = rows.get(event.host) ?? []
    rows.set(event.host, spans)
    const fromMs = Math.max(0, toMs - event.elapsedMs)
    spans.push({ title: names.get(event.task) ?? event.task, status: event.status, fromMs, toMs })
  }
  return rows
}

export function renderMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}
