import { problem } from '../core/error.ts'
import { type Act, createAct, isLocalhost, selectWhereabouts } from './act.ts'
import { isConditionTrue, renderText } from './keyword.ts'
import type { PlayRun } from './play-run.ts'
import { cleanProblem } from './report.ts'
import { failedBy } from './result.ts'
import type { Answers, Due } from './strategy.ts'
import type { Answer } from './walk.ts'

/** What `meta: X` does on a host. No answer: the host is done with the play. */
type Meta = (act: Act) => Answer | undefined | Promise<Answer | undefined>

const on = { ok: true } as const

const metas: ReadonlyMap<string, Meta> = new Map<string, Meta>([
  ['noop', noop],
  ['flush_handlers', flushHandlers],
  ['end_host', endHost],
  ['end_play', act => end(act, 'play')],
  ['end_batch', act => end(act, 'batch')],
  ['clear_host_errors', clearHostErrors],
  ['clear_facts', clearFacts],
  ['reset_connection', resetConnection],
  ['refresh_inventory', refreshInventory],
])
/** These look at the first host only and are for all. */
const once: ReadonlySet<string> = new Set(['end_play', 'end_batch', 'clear_host_errors', 'refresh_inventory'])

/** Metas are no tasks: they count in no recap and are not shown, unless one fails. */
export async function takeMeta(run: PlayRun, due: readonly Due[]): Promise<Answers> {
  const byHost = new Map<string, Answer>(due.map(({ host }) => [host, on]))
  const name = String(due[0]!.step.node.task.freeForm ?? '')
  const isKnown = (host: string): boolean => run.fleet.inventory.hosts.has(host) || isLocalhost(host)
  const wereKnown = due.filter(({ host }) => isKnown(host))
  for (const { host, step } of once.has(name) ? due.slice(0, 1) : due) {
    const answer = await runMeta(run, host, step)
    if (answer?.clears) for (const other of due) byHost.set(other.host, answer)
    else if (answer) byHost.set(host, answer)
    else byHost.delete(host)
  }
  for (const { host } of wereKnown) if (!isKnown(host)) byHost.delete(host)
  return { byHost, isFatal: false }
}

async function runMeta(run: PlayRun, host: string, step: Due['step']): Promise<Answer | undefined> {
  try {
    const act = createAct(run, host, step, { task: run.id, host })
    const name = renderText(act, 'meta', step.node.task.freeForm) ?? ''
    if (!step.node.keywords.when.every(condition => isConditionTrue(act, condition, run.warn))) {
      const reason = `${name} conditional evaluated to False, continuing execution for ${host}`
      say(act, reason)
      note(act, `skipping: [${host}] => {"changed": false, "skip_reason": "${reason}"}`)
      return on
    }
    const meta = metas.get(name)
    if (!meta)
      throw problem('E_PLAYBOOK', `meta: ${name} is not supported`, {
        at: act.at,
        hint: `one of ${[...metas.keys()].join(', ')}`,
      })
    return await meta(act)
  } catch (error) {
    const { problem: found } = failedBy(error, step.node.task.at)
    run.deps.emit({ type: 'problem', problem: cleanProblem(run.deps, found!) })
    run.fleet.host(host).recap.failed++
    return { ok: false }
  }
}

/** With `-vv`, in Ansible's words. */
function say(act: Act, text: string): void {
  note(act, `META: ${text}`)
}

function note({ run }: Act, text: string): void {
  const { deps } = run
  if (deps.settings.verbosity > 1) deps.emit({ type: 'note', level: 'info', text: deps.redactor.clean(text) })
}

function noop(act: Act): Answer {
  say(act, 'noop')
  return on
}

function flushHandlers(act: Act): Answer {
  say(act, 'ran handlers')
  return { ok: true, more: act.run.handlers.flush(act.host) }
}

function endHost(act: Act): undefined {
  say(act, `ending play for ${act.host}`)
  act.run.gone.add(act.host)
}

function end(act: Act, what: 'batch' | 'play'): Answer {
  say(act, `ending ${what}`)
  act.run.ended = what
  return on
}

/** Hosts that failed or were lost take part in the plays that follow. */
function clearHostErrors(act: Act): Answer {
  const { run } = act
  say(act, 'cleared host errors')
  for (const host of run.hosts) run.fleet.host(host).standing = 'in'
  return { ok: true, clears: true }
}

function clearFacts(act: Act): Answer {
  const { run, host } = act
  say(act, 'facts cleared')
  const { facts, cache } = run.fleet.host(host)
  facts.clear()
  cache?.drop(host)
  return on
}

async function resetConnection(act: Act): Promise<Answer> {
  await act.run.deps.connections.reset(selectWhereabouts(act).address())
  say(act, 'reset connection')
  return on
}

/** Hosts that are gone take no further part in the play. */
async function refreshInventory(act: Act): Promise<Answer> {
  const { run, at } = act
  if (!run.deps.refreshInventory)
    throw problem('E_PLAYBOOK', 'the inventory cannot be read again here', { at, hint: 'leave the task out' })
  run.fleet.setInventory(await run.deps.refreshInventory())
  say(act, 'inventory successfully refreshed')
  return on
}
