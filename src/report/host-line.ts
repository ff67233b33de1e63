import type { HostStatus, Stamped } from '../core/event.ts'
import { IN_LINES, renderResult, renderSaid } from './result-text.ts'

type HostEvent = Extract<Stamped, { type: 'host.end' | 'host.item' }>

const words: Readonly<Record<HostStatus, string>> = {
  ok: 'ok',
  changed: 'changed',
  skipped: 'skipping',
  failed: 'fatal',
  unreachable: 'fatal',
  unknown: 'unknown',
  rescued: 'fatal',
  ignored: 'fatal',
}

/**
 * The line of a host's result, as ansible-playbook words it: `changed: [host]`, with `-v` the result behind it; a failure always with
 * its result; of an included role, which is no task, nothing. `module` is the task's.
 */
export function renderHostLine(event: HostEvent, module: string | undefined, verbosity: number): string {
  const item = event.type === 'host.item' ? event.label : undefined
  const isBad = words[event.status] === 'fatal' || event.status === 'unknown'
  if (isBad) return renderFailure(event, item, verbosity)
  const ofItem = item === undefined ? '' : ` => (item=${item})`
  if (event.status === 'ok' && module === 'include_role') return ''
  if (event.status === 'ok' && event.message?.startsWith('included: '))
    return `${event.message} for ${event.host}${ofItem}`
  const head = `${words[event.status]}: [${event.host}]${ofItem}`
  const more = renderMore(event, module, verbosity)
  return more === '' ? head : `${head} => ${more}`
}

function renderFailure(
  { status, host, result, message }: HostEvent,
  item: string | undefined,
  verbosity: number,
): string {
  const told = result === undefined ? (message ?? '') : renderResult(result, verbosity)
  if (status === 'unknown')
    return `unknown: [${host}]${item === undefined ? '' : ` (item=${item})`} => ${told}`
  if (item !== undefined) return `failed: [${host}] (item=${item}) => ${told}`
  return `fatal: [${host}]: ${status === 'unreachable' ? 'UNREACHABLE' : 'FAILED'}! => ${told}`
}

function renderMore(
  { status, result, message }: HostEvent,
  module: string | undefined,
  verbosity: number,
): string {
  const isSaid = message !== undefined && status !== 'skipped'
  // These are there to say something: Ansible shows it without `-v`.
  if (isSaid && module === 'debug') return renderSaid(message)
  if (isSaid && module === 'assert' && result !== undefined)
    return message === '' && verbosity === 0 ? '' : renderResult(result, IN_LINES)
  if (verbosity > 0 && result !== undefined) return renderResult(result, verbosity)
  return isSaid ? message : ''
}
