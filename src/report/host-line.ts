import type { HostStatus, Stamped } from '../core/event.ts'
import { renderResult, renderSaid } from './result-text.ts'

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
/** Modules that are there to say something: Ansible shows it without `-v`, and nothing else of them. */
const sayers: ReadonlySet<string> = new Set(['debug', 'assert'])

/**
 * The line of a host's result, as ansible-playbook words it: `changed: [host]`, with `-v` the result behind it; a failure always with
 * its result. `module` is the task's.
 */
export function renderHostLine(event: HostEvent, module: string | undefined, verbosity: number): string {
  const item = event.type === 'host.item' ? event.label : undefined
  const isBad = words[event.status] === 'fatal' || event.status === 'unknown'
  if (isBad) return renderFailure(event, item, verbosity)
  const head = `${words[event.status]}: [${event.host}]${item === undefined ? '' : ` => (item=${item})`}`
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
  if (isSaid && sayers.has(module ?? '')) return renderSaid(message)
  if (verbosity > 0 && result !== undefined) return renderResult(result, verbosity)
  return isSaid ? message : ''
}
