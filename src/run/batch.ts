import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'

/**
 * Cuts hosts into the batches of `serial`: numbers and percentages of all hosts; the last one repeats until every host has had its
 * turn. 0 or nothing: one batch. Throws E_PLAYBOOK for anything else.
 */
export function selectBatches(
  hosts: readonly string[],
  serial: readonly (number | string)[],
  at: Source,
): string[][] {
  const sizes = serial.map(each => parseSize(each, hosts.length, at))
  const batches: string[][] = []
  let start = 0
  for (let turn = 0; start < hosts.length; turn++) {
    const size = sizes[Math.min(turn, sizes.length - 1)] ?? 0
    const end = size > 0 ? start + size : hosts.length
    batches.push(hosts.slice(start, end))
    start = end
  }
  return batches
}

/** A percentage is rounded down, but at least one host is taken. */
function parseSize(serial: number | string, total: number, at: Source): number {
  const [, digits, percent] = /^\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(String(serial)) ?? []
  if (digits === undefined)
    throw problem('E_PLAYBOOK', `serial: ${serial} is neither a number nor a percentage`, {
      at,
      hint: 'write serial: 2, serial: 25%, or a list of those',
    })
  if (percent === '') return Math.floor(Number(digits))
  return Math.max(1, Math.floor((total * Number(digits)) / 100))
}

const orders = ['inventory', 'reverse_inventory', 'sorted', 'reverse_sorted', 'shuffle'] as const

/** Hosts by the `order` keyword. `random` gives bytes. Throws E_PLAYBOOK for an unknown order. */
export function orderHosts(
  hosts: readonly string[],
  order: string,
  random: (sizeBytes: number) => Buffer,
  at: Source,
): string[] {
  switch (order) {
    case 'inventory':
      return [...hosts]
    case 'reverse_inventory':
      return [...hosts].reverse()
    case 'sorted':
      return [...hosts].sort()
    case 'reverse_sorted':
      return [...hosts].sort().reverse()
    case 'shuffle':
      return hosts
        .map(host => ({ host, key: random(6).readUIntBE(0, 6) }))
        .sort((a, b) => a.key - b.key)
        .map(({ host }) => host)
    default:
      throw problem('E_PLAYBOOK', `there is no order "${order}"`, { at, hint: `one of ${orders.join(', ')}` })
  }
}

/** Ansible's max_fail_percentage: exceeded, not reached. */
export function hasTooManyFailures(failed: number, total: number, percentage: number | undefined): boolean {
  return percentage !== undefined && (failed / total) * 100 > percentage
}
