// What ansible-playbook makes of a playbook: the same data that our events give.
import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { hostsFile, makeFolder, type Real } from './real.ts'

/** What a playbook did: by host the ends of its tasks in order, with what of a result the two must agree on; and the recap. */
export interface Account {
  readonly hosts: Readonly<Record<string, readonly unknown[]>>
  readonly recap: Readonly<Record<string, Readonly<Record<string, number>>>>
}
interface Line {
  readonly host: string
  readonly status: string
  readonly result: unknown
}

export const version = spawnSync('ansible-playbook', ['--version'], { encoding: 'utf8' }).stdout?.split(
  '\n',
)[0]

/** A case's text to its files: the playbook and what follows `--- NAME` lines. */
export function filesOf(text: string): Record<string, string> {
  const [main, ...others] = text.split(/^--- /m)
  return {
    'play.yml': main!,
    hosts: hostsFile,
    ...Object.fromEntries(
      others.map(part => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
    ),
  }
}

export async function runAnsible(text: string): Promise<Account> {
  const folder = makeFolder(filesOf(text))
  try {
    const output = await new Promise<string>(resolve => {
      execFile(
        'ansible-playbook',
        ['-i', 'hosts', 'play.yml'],
        {
          cwd: folder.path,
          env: {
            ...process.env,
            ANSIBLE_STDOUT_CALLBACK: 'json',
            ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
            ANSIBLE_RETRY_FILES_ENABLED: '0',
            ANSIBLE_LOCALHOST_WARNING: '0',
          },
          maxBuffer: 2 ** 26,
        },
        (_, stdout) => resolve(stdout),
      )
    })
    return accountOfAnsible(JSON.parse(output.slice(output.indexOf('{'))))
  } finally {
    folder.remove()
  }
}

function accountOfAnsible(report: any): Account {
  const lines = report.plays.flatMap((play: any) =>
    play.tasks
      // A meta whose condition is false has a line there, and is no task in the recap.
      .filter((task: any) => task.task.name !== 'meta')
      .flatMap((task: any) =>
        Object.entries(task.hosts as Record<string, any>).map(
          ([host, result]): Line => ({ host, status: statusOf(result), result: comparable(result) }),
        ),
      ),
  )
  const recap = Object.fromEntries(
    Object.entries(report.stats as Record<string, any>).map(([host, counts]) => [
      host,
      {
        ok: counts.ok,
        changed: counts.changed,
        unreachable: counts.unreachable,
        failed: counts.failures,
        skipped: counts.skipped,
        rescued: counts.rescued,
        ignored: counts.ignored,
      },
    ]),
  )
  return { hosts: groupByHost(lines), recap }
}

function statusOf(result: any): string {
  if (result.failed) return 'failed'
  if (result.skipped) return 'skipped'
  return result.changed ? 'changed' : 'ok'
}

/** Our events as the same account. A failure that is rescued or ignored is a failure in Ansible's report. */
export function accountOf({ events, recap }: Real): Account {
  const lines: Line[] = []
  for (const event of events) {
    if (event.type !== 'host.end') continue
    const status = ['rescued', 'ignored', 'unknown'].includes(event.status) ? 'failed' : event.status
    const result = comparable(JSON.parse(event.result ?? '{}'))
    lines.push({ host: event.host, status, result })
  }
  const counts = Object.entries(recap).map(([host, { unknown: _, ...rest }]) => [host, rest])
  return { hosts: groupByHost(lines), recap: Object.fromEntries(counts) }
}

/** The members that mean the same in both. Messages of errors are each program's own. */
function comparable(result: any): unknown {
  const kept = [
    'rc',
    'stdout',
    'stdout_lines',
    'attempts',
    'ansible_facts',
    'skip_reason',
    'failed_when_result',
  ]
  const members = kept.filter(name => result[name] !== undefined).map(name => [name, result[name]])
  const msg = !result.failed && !result.skipped && result.msg ? [['msg', result.msg]] : []
  const items = Array.isArray(result.results) ? [['results', result.results.map(comparable)]] : []
  return Object.fromEntries([...members, ...msg, ...items])
}

function groupByHost(lines: readonly Line[]): Record<string, unknown[]> {
  const groups = new Map<string, unknown[]>(lines.map(({ host }) => [host, []]))
  for (const { host, status, result } of lines) groups.get(host)!.push([status, result])
  return Object.fromEntries(groups)
}

export const playFile = (folder: string): string => join(folder, 'play.yml')
