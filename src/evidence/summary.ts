import type { RotationState, RunEvent, Stamped } from '../core/event.ts'

type Of<T extends RunEvent['type']> = Extract<Stamped, { type: T }>
type Listed<T extends RunEvent['type']> = Omit<Of<T>, 'type' | 'seq'>

/** What an auditor asks first: who did what, when, from where, with which backups, checks, undos and ends. */
export interface Summary {
  readonly v: 1
  readonly run: string
  readonly playbooks: readonly string[]
  /** Every process that worked on the run, as its `run.start` says; `operator` is who closed the evidence. */
  readonly sessions: readonly { readonly at: string; readonly operator: Readonly<Record<string, string>> }[]
  readonly operator: Readonly<Record<string, string>>
  readonly from: string
  readonly to: string
  readonly exit: number | undefined
  readonly hosts: Readonly<Record<string, { readonly state: RotationState; readonly message?: string }>>
  readonly secrets: readonly Listed<'secret'>[]
  readonly logins: readonly Listed<'login'>[]
  readonly backups: readonly Listed<'backup'>[]
  readonly checks: readonly Listed<'check'>[]
  readonly changes: readonly Listed<'change'>[]
  readonly undos: readonly Listed<'change'>[]
  readonly problems: readonly Listed<'problem'>[]
}

function selectOf<T extends RunEvent['type']>(events: readonly Stamped[], type: T): readonly Of<T>[] {
  return events.filter((event): event is Of<T> => event.type === type)
}

function selectListed<T extends RunEvent['type']>(events: readonly Stamped[], type: T): readonly Listed<T>[] {
  return selectOf(events, type).map(({ type: _type, seq: _seq, ...rest }) => rest as unknown as Listed<T>)
}

/** The fold of a run's events. Pure: the same lines give the same summary. */
export function summarize(events: readonly Stamped[], operator: Readonly<Record<string, string>>): Summary {
  const starts = selectOf(events, 'run.start')
  const changes = selectListed(events, 'change')
  const states = selectOf(events, 'rotation.state').map(({ host, state, message }) => [
    host,
    { state, ...(message !== undefined && { message }) },
  ])
  return {
    v: 1,
    run: starts.at(-1)?.run ?? '',
    playbooks: starts.at(-1)?.playbooks ?? [],
    sessions: starts.map(({ at, operator: who }) => ({ at, operator: who })),
    operator,
    from: events[0]?.at ?? '',
    to: events.at(-1)?.at ?? '',
    exit: selectOf(events, 'run.end').at(-1)?.exit,
    hosts: Object.fromEntries(states),
    secrets: selectListed(events, 'secret'),
    logins: selectListed(events, 'login'),
    backups: selectListed(events, 'backup'),
    checks: selectListed(events, 'check'),
    changes: changes.filter(({ record }) => record === 'done'),
    undos: changes.filter(({ record }) => record === 'undone' || record === 'held'),
    problems: selectListed(events, 'problem'),
  }
}

function renderPeople(who: Readonly<Record<string, string>>): string {
  return Object.entries(who)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')
}

/** A title and its lines; `none` says that the list is known to be empty. */
function renderList(title: string, lines: readonly string[]): readonly string[] {
  return ['', title, ...(lines.length > 0 ? lines : ['none']).map(line => `  ${line}`)]
}

/** The summary for people, in plain text. */
export function renderSummary(summary: Summary): string {
  const { hosts, sessions, logins, backups, checks, changes, undos, secrets, problems } = summary
  const say = (text: string | undefined): string => (text === undefined ? '' : `: ${text}`)
  const lines = [
    `Run        ${summary.run}`,
    `Playbooks  ${summary.playbooks.join(', ')}`,
    `From       ${summary.from}`,
    `To         ${summary.to}`,
    `Operator   ${renderPeople(summary.operator)}`,
    `Exit       ${summary.exit ?? 'not reached'}`,
    ...renderList(
      'Hosts',
      Object.entries(hosts).map(([host, { state, message }]) => `${host}  ${state}${say(message)}`),
    ),
    ...renderList(
      'Logins',
      logins.map(l => `${l.at}  ${l.host}  ${l.user}@${l.address}  by ${l.by}  host key ${l.hostKey}`),
    ),
    ...renderList(
      'Secrets (keyed fingerprints)',
      secrets.map(s => `${s.host}  ${s.secret}  ${s.fromFingerprint ?? 'none'} -> ${s.toFingerprint}`),
    ),
    ...renderList(
      'Backups',
      backups.map(b => `${b.host}  ${b.path}  sha256 ${b.sha256}  ${b.sizeBytes} bytes  ${b.proof}`),
    ),
    ...renderList(
      'Checks',
      checks.map(c => `${c.at}  ${c.host}  ${c.ok ? 'ok ' : 'RED'}  ${c.name}${say(c.message)}`),
    ),
    ...renderList(
      'Changes',
      changes.map(c => `${c.at}  ${c.host}  ${c.module}  ${c.what}`),
    ),
    ...renderList(
      'Undone',
      undos.map(c => `${c.at}  ${c.host}  ${c.module}  ${c.what}  ${c.record}`),
    ),
    ...renderList(
      'Problems',
      problems.map(({ problem }) => `${problem.code}  ${problem.message}`),
    ),
    ...renderList(
      'Sessions',
      sessions.map(({ at, operator }) => `${at}  ${renderPeople(operator)}`),
    ),
  ]
  return `${lines.join('\n')}\n`
}
