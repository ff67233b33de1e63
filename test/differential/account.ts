// What a run did, in the same words for both programs, and how two such accounts differ.

export interface Line {
  readonly host: string
  readonly task: string
  readonly status: string
  /** What `register` would get. */
  readonly result: Readonly<Record<string, unknown>>
}
export type Counts = Readonly<Record<string, number>>
export interface Account {
  /** Ends of tasks on hosts, in the order of each host. */
  readonly lines: readonly Line[]
  readonly recap: Readonly<Record<string, Counts>>
  /** What lies in the case's folder on the host afterwards, by path: kind, mode and content. */
  readonly files: Readonly<Record<string, string>>
  readonly isSuccess: boolean
}

/** One place where two accounts differ. `where` is stable: docs/differences.md names it. */
export interface Difference {
  readonly where: string
  readonly ansible: unknown
  readonly rota: unknown
}

type Row = readonly [where: string, ansible: unknown, rota: unknown]

export function differencesOf(ansible: Account, rota: Account): Difference[] {
  const rows: Row[] = [
    ['success', ansible.isSuccess, rota.isSuccess],
    ...members('recap', ansible.recap, rota.recap),
    ...hostsOf(ansible, rota).flatMap(host => linesOf(ansible, rota, host)),
    ...members('file', ansible.files, rota.files),
  ]
  return rows
    .filter(([, one, other]) => JSON.stringify(one) !== JSON.stringify(other))
    .map(([where, one, other]) => ({ where, ansible: one, rota: other }))
}

function hostsOf(...accounts: readonly Account[]): string[] {
  return [...new Set(accounts.flatMap(({ lines }) => lines.map(({ host }) => host)))].sort()
}

/** Both programs' lines of a host side by side: by name where a name is in one only, so that one more task is one difference. */
function linesOf(ansible: Account, rota: Account, host: string): Row[] {
  const ours = rota.lines.filter(line => line.host === host)
  const rows: Row[] = []
  for (const line of ansible.lines.filter(other => other.host === host)) {
    const at = ours.findIndex(({ task }) => task === line.task)
    const [mine] = at < 0 ? [] : ours.splice(at, 1)
    if (at > 0) rows.push([`${line.task} (order)`, 'now', `after ${ours[0]!.task}`])
    rows.push(...lineRows(line, mine))
  }
  return [...rows, ...ours.map((line): Row => [`${line.task} (missing)`, undefined, line.status])]
}

function lineRows(ansible: Line, rota: Line | undefined): Row[] {
  if (!rota) return [[`${ansible.task} (missing)`, ansible.status, undefined]]
  return [
    [`${ansible.task} (status)`, ansible.status, rota.status],
    ...members(ansible.task, ansible.result, sharedOf(ansible.result, rota.result)),
  ]
}

/**
 * Without the members that only rota registers: a playbook written for Ansible does not read them. A number that Ansible made text
 * of, as its templates do, is the same value.
 */
function sharedOf(ansible: unknown, rota: unknown): unknown {
  if (typeof ansible === 'string' && typeof rota === 'number' && Number(ansible) === rota) return ansible
  if (Array.isArray(ansible) && Array.isArray(rota))
    return rota.map((item, index) => (index < ansible.length ? sharedOf(ansible[index], item) : item))
  if (!isMapping(ansible) || !isMapping(rota)) return rota
  const shared = Object.entries(rota).filter(([name]) => name in ansible)
  return Object.fromEntries(shared.map(([name, member]) => [name, sharedOf(ansible[name], member)]))
}

/** Differences of two values, down to the members that differ. */
function members(where: string, ansible: unknown, rota: unknown): Row[] {
  if (!isMapping(ansible) || !isMapping(rota)) {
    if (!Array.isArray(ansible) || !Array.isArray(rota) || ansible.length !== rota.length)
      return [[where, ansible, rota]]
    return ansible.flatMap((item, index) => members(`${where}[]`, item, rota[index]))
  }
  const names = [...new Set([...Object.keys(ansible), ...Object.keys(rota)])].sort()
  return names.flatMap(name => members(`${where} ${name}`, ansible[name], rota[name]))
}
function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
