import { exits } from '../core/error.ts'
import type { Recap, Stamped } from '../core/event.ts'
import { type Html, html } from './html.ts'
import { renderMs, renderTimeline } from './timeline.ts'

type Of<T extends Stamped['type']> = Extract<Stamped, { type: T }>

const selectOf = <T extends Stamped['type']>(events: readonly Stamped[], type: T): readonly Of<T>[] =>
  events.filter((event): event is Of<T> => event.type === type)

/** Whether the evidence that a page is made of verifies; `seal` is what it verifies against. */
export type Proof =
  | { readonly ok: true; readonly seal: string }
  | { readonly ok: false; readonly why: string }

/**
 * A run's events as one page for a browser: what came of it, when what ran, checks, secrets by their fingerprints, backups, changes.
 * It needs nothing else, runs no script and reaches nowhere.
 */
export function renderPage(events: readonly Stamped[], proof: Proof | undefined): string {
  const [start] = selectOf(events, 'run.start')
  const title = `rota ${start?.run ?? 'run'}`
  const page = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${style}</style>
<h1>${title}</h1>
${renderHead(events)}
${renderProof(proof)}
${renderHosts(events)}
${section('Timeline', renderTimeline(events))}
${renderFailures(events)}
${renderRotation(events)}
${renderChanged(events)}
${renderPeople(events)}
</html>
`
  return page.text
}

const style = html`
:root { color-scheme: light dark; --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; --dim: #8888 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--dim); overflow-wrap: anywhere }
pre { overflow-x: auto; white-space: pre-wrap; border-left: 3px solid var(--dim); padding-left: .8rem } code, pre { font-size: 13px }
svg { width: 100%; font: 12px sans-serif } svg text { fill: currentColor } .axis { text-align: right; margin: 0 }
rect.ok { fill: #4ac26b } rect.changed { fill: #d4a72c } rect.skipped { fill: #8888 } rect.failed, rect.unreachable { fill: #cf222e } rect.unknown { fill: #8250df } rect.rescued, rect.ignored { fill: #fa8f4e }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad); font-weight: 600 }
`

function section(title: string, body: Html | undefined): Html | undefined {
  return body && html`<h2>${title}</h2>\n${body}\n`
}

/** undefined without rows: a page has no empty tables. */
function table(heads: readonly string[], rows: readonly (readonly (string | number | undefined | Html)[])[]) {
  if (rows.length === 0) return undefined
  return html`<table><tr>${heads.map(head => html`<th>${head}</th>`)}</tr>
${rows.map(row => html`<tr>${row.map(cell => html`<td>${cell}</td>`)}</tr>\n`)}</table>`
}

function renderHead(events: readonly Stamped[]): Html {
  const starts = selectOf(events, 'run.start')
  const code = selectOf(events, 'run.end').at(-1)?.exit
  const exit = Object.values(exits).find(each => each.code === code)
  const grade = code === 0 ? 'good' : 'bad'
  const [from, to] = [events[0]?.at ?? '', events.at(-1)?.at ?? '']
  const facts = [
    ['Playbooks', starts.at(-1)?.playbooks.join(', ')],
    ['From', `${from} (${renderMs(Date.parse(to) - Date.parse(from))})`],
    ['To', to],
    ['Mode', starts.at(-1)?.check ? 'check: nothing was changed' : undefined],
  ] as const
  return html`<p class="${grade}">${exit ? `${exit.say} (exit ${code})` : 'the run did not reach its end'}</p>
${table(
  [],
  facts.filter(([, value]) => value !== undefined),
)}`
}

function renderProof(proof: Proof | undefined): Html | undefined {
  if (!proof) return undefined
  return proof.ok
    ? html`<p class="good">The evidence verifies. Seal: <code>${proof.seal}</code></p>`
    : html`<p class="bad">The evidence does NOT verify: ${proof.why}</p>`
}

const counts = ['ok', 'changed', 'unreachable', 'failed', 'skipped', 'rescued', 'ignored', 'unknown'] as const

function renderHosts(events: readonly Stamped[]): Html | undefined {
  const recap: Readonly<Record<string, Recap>> = selectOf(events, 'run.end').at(-1)?.recap ?? {}
  const states = new Map(selectOf(events, 'rotation.state').map(event => [event.host, event]))
  const names = [...new Set([...states.keys(), ...Object.keys(recap)])]
  const rows = names.map(host => {
    const state = states.get(host)
    const cells = counts.map(key => {
      const count = recap[host]?.[key] ?? 0
      const isBad = count > 0 && ['unreachable', 'failed', 'unknown'].includes(key)
      return isBad ? html`<span class="bad">${count}</span>` : count
    })
    return [host, ...(states.size > 0 ? [state?.state, state?.message] : []), ...cells]
  })
  return section('Hosts', table(['Host', ...(states.size > 0 ? ['State', ''] : []), ...counts], rows))
}

/** Every task that was not simply ok, with all that is known of why. */
function renderFailures(events: readonly Stamped[]): Html | undefined {
  const tasks = new Map(selectOf(events, 'task.start').map(event => [event.task, event]))
  const bad = selectOf(events, 'host.end').filter(
    ({ status }) => !['ok', 'changed', 'skipped'].includes(status),
  )
  const shown = bad.map(({ host, task, status, message, problem }) => {
    const start = tasks.get(task)
    const hint = problem?.hint === undefined ? '' : `\n→ ${problem.hint}`
    return html`<p><span class="bad">${status}</span> <b>${host}</b> ${start?.name} <code>${start?.place}</code></p>
<pre>${message ?? problem?.message}${hint}</pre>\n`
  })
  const others = selectOf(events, 'problem').map(({ problem }) => {
    const place = problem.at ? `${problem.at.file}:${problem.at.line}:${problem.at.col}` : ''
    return html`<p><span class="bad">${problem.code}</span> ${problem.message} <code>${place}</code></p>\n`
  })
  return section('What went wrong', shown.length + others.length > 0 ? html`${shown}${others}` : undefined)
}

function renderRotation(events: readonly Stamped[]): readonly (Html | undefined)[] {
  const verdict = (ok: boolean): Html =>
    ok ? html`<span class="good">ok</span>` : html`<span class="bad">RED</span>`
  const changes = selectOf(events, 'change').filter(({ record }) => record !== 'intent')
  return [
    section(
      'Checks',
      table(
        ['At', 'Host', '', 'Check', ''],
        selectOf(events, 'check').map(c => [c.at, c.host, verdict(c.ok), c.name, c.message]),
      ),
    ),
    section(
      'Secrets, by keyed fingerprints',
      table(
        ['Host', 'Secret', 'Before', 'After'],
        selectOf(events, 'secret').map(s => [s.host, s.secret, s.fromFingerprint ?? 'none', s.toFingerprint]),
      ),
    ),
    section(
      'Backups',
      table(
        ['Host', 'Backup', 'Bytes', 'sha256', 'Proof'],
        selectOf(events, 'backup').map(b => [
          b.host,
          b.path,
          b.sizeBytes,
          html`<code>${b.sha256}</code>`,
          b.proof,
        ]),
      ),
    ),
    section(
      'Changes',
      table(
        ['At', 'Host', 'Module', 'What', ''],
        changes.map(c => [c.at, c.host, c.module, c.what, c.record]),
      ),
    ),
  ]
}

/** What was changed, with its diff where one was made. */
function renderChanged(events: readonly Stamped[]): Html | undefined {
  const names = new Map(selectOf(events, 'task.start').map(event => [event.task, event.name]))
  const changed = [...selectOf(events, 'host.end'), ...selectOf(events, 'host.item')]
    .filter(({ status, diff }) => status === 'changed' && diff !== undefined)
    .sort((a, b) => a.seq - b.seq)
  const shown = changed.map(
    ({ host, task, diff }) =>
      html`<details><summary>${host}: ${names.get(task)}</summary><pre>${diff}</pre></details>\n`,
  )
  return section('Differences', shown.length > 0 ? html`${shown}` : undefined)
}

function renderPeople(events: readonly Stamped[]): readonly (Html | undefined)[] {
  const who = (operator: Readonly<Record<string, string>>): string =>
    Object.entries(operator)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')
  return [
    section(
      'Who',
      table(
        ['At', 'Operator'],
        selectOf(events, 'run.start').map(({ at, operator }) => [at, who(operator)]),
      ),
    ),
    section(
      'Logins',
      table(
        ['At', 'Host', 'User', 'By', 'Host key'],
        selectOf(events, 'login').map(l => [l.at, l.host, `${l.user}@${l.address}`, l.by, l.hostKey]),
      ),
    ),
  ]
}
