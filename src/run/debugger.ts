import pLimit from 'p-limit'
import { problem } from '../core/error.ts'
import type { HostStatus } from '../core/event.ts'
import { isDict, type Scope, Template, toValue, type Value } from '../core/value.ts'
import type { Act } from './act.ts'
import type { Terminal } from './deps.ts'
import { createLazyDict } from './dict.ts'
import type { Overlay } from './host-vars.ts'
import { renderName, renderText } from './keyword.ts'
import type { TaskResult } from './result.ts'
import type { Step } from './walk.ts'

/** A task to run, with variables that win over all others. */
export interface Retry {
  readonly step: Step
  readonly vars: Overlay
  /** As the playbook has it. */
  readonly original: Step
}

const occasions: readonly string[] = ['always', 'never', 'on_failed', 'on_unreachable', 'on_skipped']

/**
 * The task debugger: by the keyword `debugger`, the strategy `debug` or the configuration the operator looks at what came of a task, changes its options or variables, and has it
 * run again. Resolves with what to run, or with undefined to go on. What failed and was ignored is no failure, as in Ansible; an outcome
 * that is unknown is nobody's to repeat. Throws E_TASK for an occasion that there is not.
 */
export async function debugTask(
  act: Act,
  result: TaskResult,
  status: HostStatus,
  ran: Retry,
): Promise<Retry | undefined> {
  if (status === 'unknown' || !isOccasion(act, result, status)) return undefined
  const { terminal, stop } = act.run.deps
  if (stop.aborted) return undefined
  if (act.run.phase !== undefined || !terminal) {
    const why = terminal ? 'a rotation does not wait at a prompt' : 'there is no terminal'
    act.run.warn(`debugger is passed over: ${why}`)
    return undefined
  }
  return await turns(() => (stop.aborted ? undefined : talkAbout(act, result, terminal, ran)))
}

function isOccasion(act: Act, result: TaskResult, status: HostStatus): boolean {
  const isFailed = result.status === 'failed' && status !== 'ignored'
  const occasion = renderText(act, 'debugger', act.step.node.keywords.debugger)
  if (occasion === undefined) return (isFailed || result.status === 'unreachable') && isByDefault(act)
  if (!occasions.includes(occasion))
    throw problem('E_TASK', `debugger: "${occasion}" is no occasion`, {
      at: act.at,
      hint: `one of ${occasions.join(', ')}`,
    })
  if (occasion === 'on_failed') return isFailed
  return occasion === 'always' || occasion === `on_${result.status}`
}

function isByDefault(act: Act): boolean {
  const { deps, play } = act.run
  const strategy = renderText(act, 'strategy', play.strategy)
  return deps.settings.debugsFailures === true || strategy?.replace(/^ansible\.builtin\./, '') === 'debug'
}

const help = `p EXPRESSION                 print: task, task.args, task_vars['NAME'], host, result
task.args['OPTION'] = VALUE  change an option
task_vars['NAME'] = VALUE    change a variable
u                            take the task as the playbook has it, with the variables as they are now
r                            run the task again
c                            go on
q                            end the run: no new task is started`

/** One host at a time has the terminal; the others wait for their turn. */
const turns = pLimit(1)

async function talkAbout(
  act: Act,
  result: TaskResult,
  terminal: Terminal,
  ran: Retry,
): Promise<Retry | undefined> {
  const { redactor } = act.run.deps
  const say = (text: string): void => terminal.say(redactor.clean(`${text}\n`))
  const title = renderName(act, act.step.node.task)
  const about = result.message === undefined || act.isSilent ? '' : `: ${result.message}`
  say(`[${act.host}] ${result.status}${about}`)
  let next = ran
  for (;;) {
    const line = await terminal.ask(redactor.clean(`[${act.host}] TASK: ${title} (debug)> `))
    const command = line === undefined ? 'quit' : line.trim()
    if (/^r(?:edo)?$/.test(command)) return next
    const isQuit = /^q(?:uit)?$/.test(command)
    if (isQuit) terminal.stop()
    if (isQuit || /^c(?:ontinue)?$/.test(command)) return undefined
    next = obey(act, result, next, command, say)
  }
}

/** One command that does not end the talk. Returns what would be run now. */
function obey(
  act: Act,
  result: TaskResult,
  next: Retry,
  command: string,
  say: (text: string) => void,
): Retry {
  try {
    const printed = /^p(?:rint)?\s+(.+)$/.exec(command)
    if (printed) say(print(act, next, result, printed[1]!))
    else if (/^u(?:pdate_task)?$/.test(command)) return { ...next, step: next.original }
    else {
      const changed = assign(act, next, command)
      if (changed) return changed
      say(help)
    }
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
  }
  return next
}

/** `task.args['OPTION'] = VALUE` and `task_vars['NAME'] = VALUE`; undefined for any other line. */
function assign(act: Act, next: Retry, line: string): Retry | undefined {
  const found = /^(task\.args|task_vars)\s*\[(.+?)\]\s*=(?!=)\s*(.+)$/.exec(line)
  if (!found) return undefined
  const scope = scopeOfDebugger(act, next)
  const name = String(evaluate(act, found[2]!, scope))
  const value = toTemplates(evaluate(act, found[3]!, scope), act)
  if (found[1] === 'task_vars') return { ...next, vars: new Map(next.vars).set(name, value) }
  const { node } = next.step
  const changed = name === RAW ? { freeForm: value } : { args: new Map(node.task.args).set(name, value) }
  return { ...next, step: { ...next.step, node: { ...node, task: { ...node.task, ...changed } } } }
}

/** Ansible's name for what stands behind a module without an option. */
const RAW = '_raw_params'

/** Text of the operator's with braces is a template, as it would be in the playbook. */
function toTemplates(value: Value, act: Act): Value {
  if (typeof value === 'string') return /\{[{%]/.test(value) ? new Template(value, act.at) : value
  if (Array.isArray(value)) return (value as readonly Value[]).map(each => toTemplates(each, act))
  return isDict(value)
    ? toValue(new Map([...value].map(([key, each]) => [key, toTemplates(each, act)])))
    : value
}

const evaluate = (act: Act, expression: string, scope: Scope): Value =>
  act.templar.evaluate(new Template(expression, act.at), scope)

function print(act: Act, next: Retry, result: TaskResult, expression: string): string {
  if (act.isSilent) return 'hidden by no_log'
  if (expression === 'task') return `TASK: ${renderName(act, next.step.node.task)}`
  const scope = scopeOfDebugger(act, next, result)
  return String(act.templar.render(new Template(`{{ (${expression}) | pprint }}`, act.at), scope, true))
}

/** The names that an expression may use. What is a template stays one: it is shown as it stands. */
function scopeOfDebugger(act: Act, { step, vars }: Retry, result?: TaskResult): Scope {
  const { task } = step.node
  const raw = task.freeForm === undefined ? [] : ([[RAW, task.freeForm]] as const)
  const args = new Map<Value, Value>([...task.args, ...raw])
  const shown = new Map(
    [...args].map(([key, value]) => [key, value instanceof Template ? value.toJSON() : value]),
  )
  const names = new Map<string, Value>([
    ['task', toValue({ name: renderName(act, task), action: String(task.module), args: shown })],
    [
      'task_vars',
      createLazyDict(
        () => act.scope.names(),
        name => vars.get(name) ?? act.scope.get(name),
      ),
    ],
    ['host', act.host],
    ...(result ? [['result', toValue({ _result: result.values, _host: act.host })] as const] : []),
  ])
  return { get: name => names.get(name), names: () => names.keys() }
}
