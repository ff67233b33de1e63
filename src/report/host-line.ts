import type { HostStatus, Stamped } from '../core/event.ts'
import { type ResultOptions, renderResult, renderSaid } from './result-text.ts'

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

/** Whether the event says that something went wrong, be it rescued or ignored. */
export function isFailure({ status }: HostEvent): boolean {
  return words[status] === 'fatal' || status === 'unknown'
}

/**
 * The line of a host's result, as ansible-playbook words it: `changed: [host]`, with `-v` the result behind it; a failure always with
 * its result; of an included role, which is no task, nothing. `module` is the task's.
 */
export function renderHostLine(event: HostEvent, module: string | undefined, options: ResultOptions): string {
  const item = event.type === 'host.item' ? event.label : undefined
  if (isFailure(event)) return renderFailure(event, item, module, options)
  const ofItem = item === undefined ? '' : ` => (item=${item})`
  if (event.status === 'ok' && module === 'include_role') return ''
  if (event.status === 'ok' && event.message?.startsWith('included: '))
    return `${event.message} for ${event.host}${ofItem}`
  // The blank behind a skipped item is Ansible's.
  const end = event.status === 'skipped' && item !== undefined ? ' ' : ''
  const head = `${words[event.status]}: [${event.host}]${ofItem}${end}`
  const more = renderMore(event, module, options)
  return more === '' ? head : `${head} => ${more}`
}

function renderFailure(
  event: HostEvent,
  item: string | undefined,
  module: string | undefined,
  options: ResultOptions,
): string {
  const { status, host } = event
  const told = renderWhy(event, module, options)
  if (status === 'unknown')
    return `unknown: [${host}]${item === undefined ? '' : ` (item=${item})`} => ${told}`
  if (item !== undefined) return `failed: [${host}] (item=${item}) => ${told}`
  return `fatal: [${host}]: ${status === 'unreachable' ? 'UNREACHABLE' : 'FAILED'}! => ${told}`
}

function renderWhy(
  { type, result, message }: HostEvent,
  module: string | undefined,
  options: ResultOptions,
): string {
  if (result === undefined) return message ?? ''
  // That of a loop says only that items failed.
  const isLoop = type === 'host.end' && /"results":/.test(result)
  return module === 'debug' ? renderSaid(result, options, !isLoop) : renderResult(result, options)
}

function renderMore(
  { status, result, message }: HostEvent,
  module: string | undefined,
  options: ResultOptions,
): string {
  const isSaid = message !== undefined && status !== 'skipped'
  if (result === undefined) return isSaid ? message : ''
  // These are there to say something: Ansible shows it without `-v`.
  if (isSaid && module === 'debug') return renderSaid(result, options)
  if (isSaid && module === 'assert')
    return message === '' && options.verbosity === 0 ? '' : renderResult(result, options, { inLines: true })
  if (options.verbosity > 0)
    return module === 'debug'
      ? renderSaid(result, options, false)
      : renderResult(result, options, { isSkipped: status === 'skipped' })
  return isSaid ? message : ''
}
