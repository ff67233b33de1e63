import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Reporter, RunEvent, Stamped } from '../core/event.ts'
import type { Play, Task } from '../core/play.ts'
import type { Application, Duty } from '../core/policy.ts'
import type { Redactor } from '../core/redact.ts'
import { Template } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import type { Agreement, LastRotation } from '../policy/standing.ts'
import { createRunId, stateFolder } from '../rotation/run-folder.ts'
import type { Config } from './config.ts'
import type { Credentials } from './credentials.ts'
import { runEngine } from './engine-run.ts'
import { parseExtraVars } from './extra-vars.ts'
import { journalsOnHost, type LastRotations, parseJournalsOnHost } from './last-rotations.ts'
import { createPlaybookLoader } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { openOutput } from './output.ts'
import { createRunState } from './run-state.ts'
import { selectSettings } from './settings.ts'
import type { RunVault } from './vault-passwords.ts'

/** What was found, by `HOST SECRET`, and the hosts that did not answer. */
export interface Agreements {
  readonly found: ReadonlyMap<string, readonly Agreement[]>
  readonly unreachable: ReadonlySet<string>
  /** What any machine rotated there, by `HOST SECRET`, as the hosts' copies of journals tell. */
  readonly last: LastRotations
}

export interface AskOptions {
  readonly flags: RunFlags
  readonly config: Config
  readonly vault: RunVault
  readonly inventory: Inventory
  readonly redactor: Redactor
  readonly credentials: Credentials
  readonly version: string
}

/** Modules whose failure is an answer; of any other nobody can say whether the place disagrees or could not be asked. */
const answering = new Set(['process_env', 'assert', 'fail'])

type HostEnd = Extract<RunEvent, { type: 'host.end' }>
interface Check {
  readonly duty: Duty
  readonly task: Task
}

/**
 * Asks every place that the policy names of an application whether it holds the value that the others hold. The tasks are those of a
 * play in check mode: what they would change is what disagrees. Nothing is changed on any host.
 */
export async function askAgreements(application: Application, options: AskOptions): Promise<Agreements> {
  const { flags, config, vault, inventory, redactor, credentials, version } = options
  const checks = new Map<string, Check>(
    application.duties
      .flatMap(duty => duty.agrees.map(task => ({ duty, task })))
      .map((check, index) => [`agrees ${index}`, check]),
  )
  const registry = createRegistry(modules)
  const id = createRunId(new Date(), randomBytes)
  const extraVars = parseExtraVars(flags.extraVars ?? [], vault)
  const collector = createCollector(checks)
  const now = (): Date => new Date()
  await runEngine({
    playbooks: [{ file: application.playbook, plays: [makePlay(application.play, checks)] }],
    files: [application.playbook],
    flags,
    config: config.values,
    notes: [],
    vault,
    loadPlaybook: createPlaybookLoader({ registry, vault }, config.values),
    credentials,
    settings: { ...selectSettings(flags, config.values, { id, version, extraVars }), check: true },
    registry,
    inventory,
    redactor,
    state: createRunState(id, join(stateFolder(process.env), 'runs', id), []),
    operator: {},
    output: openOutput(
      { ...flags, output: undefined },
      { now, clean: redactor.clean, required: [], createText: () => [collector.reporter] },
    ),
    now,
  })
  return collector.agreements()
}

const JOURNALS = 'what was rotated here'

/** Asks the host for its copies of journals; a host that has none, or does not show them, is no failure. */
function journalsTask({ at }: Play): Task {
  const folder = new Template("{{ rota_host_folder | default('') }}", at)
  return {
    kind: 'task',
    name: JOURNALS,
    module: 'shell',
    moduleAt: at,
    args: new Map([['cmd', journalsOnHost]]),
    argsAt: new Map(),
    environment: [new Map([['ROTA_HOST_FOLDER', folder]])],
    checkMode: false,
    changedWhen: [false],
    ignoreErrors: true,
    at,
  }
}

/** What the application reads, then each check by itself: one that fails does not keep the next from being asked. */
function makePlay(play: Play, checks: ReadonlyMap<string, Check>): Play {
  const asked = [...checks].map(([name, { task }]): Task => ({ ...task, name, ignoreErrors: true }))
  return { ...play, tasks: [journalsTask(play), ...play.tasks, ...asked] }
}

/** Reads the answers off the events of the run: the same that a terminal would show. */
function createCollector(checks: ReadonlyMap<string, Check>) {
  const tasks = new Map<string, string>()
  const found = new Map<string, Agreement[]>()
  const broken = new Map<string, Agreement['message']>()
  const unreachable = new Set<string>()
  const last = new Map<string, LastRotation>()
  const onEnd = (event: HostEnd): void => {
    if (event.status === 'unreachable') unreachable.add(event.host)
    const name = tasks.get(event.task) ?? ''
    const check = checks.get(name)
    if (name === JOURNALS) keepRotations(last, event)
    else if (check && event.status !== 'skipped') {
      const key = `${event.host} ${check.duty.secret}`
      found.set(key, [...(found.get(key) ?? []), toAgreement(check, event)])
    } else if (event.status === 'failed' || event.status === 'unknown') broken.set(event.host, event.message)
  }
  const reporter: Reporter = {
    on(event: Stamped) {
      if (event.type === 'task.start') tasks.set(event.task, event.name)
      if (event.type === 'host.end') onEnd(event)
    },
    close: async () => {},
  }
  return {
    reporter,
    agreements: (): Agreements => ({ found: withBroken(found, broken, checks), unreachable, last }),
  }
}

/** A host tells of itself alone. */
function keepRotations(last: Map<string, LastRotation>, { host, result }: HostEnd): void {
  const { stdout } = JSON.parse(result ?? '{}') as { readonly stdout?: unknown }
  for (const [key, rotation] of parseJournalsOnHost(typeof stdout === 'string' ? stdout : ''))
    if (key.startsWith(`${host} `)) last.set(key, rotation)
}

function toAgreement({ task }: Check, { status, message, result }: HostEnd): Agreement {
  const module = String(task.module)
  const check =
    typeof task.name === 'string' ? task.name : task.name instanceof Template ? task.name.text : module
  if (status === 'ok') return { check, found: 'agrees' }
  if (status === 'changed') return { check, found: 'differs', message }
  const isAnswer = answering.has(module.replace(/^.*\./, '')) && !/"found": ?"unreadable"/.test(result ?? '')
  return { check, found: isAnswer ? 'differs' : 'unknown', message }
}

/** On a host where reading failed, no check was asked. */
function withBroken(
  found: ReadonlyMap<string, readonly Agreement[]>,
  broken: ReadonlyMap<string, Agreement['message']>,
  checks: ReadonlyMap<string, Check>,
): Agreements['found'] {
  const all = new Map(found)
  for (const [host, message] of broken)
    for (const { duty } of checks.values())
      all.set(`${host} ${duty.secret}`, [{ check: 'read', found: 'unknown', message }])
  return all
}
