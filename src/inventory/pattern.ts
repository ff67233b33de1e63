import { statSync } from 'node:fs'
import { problem } from '../core/error.ts'
import { parseGlob } from '../core/glob.ts'
import { translateRegex } from '../core/python-regex.ts'
import type { Inventory } from '../core/vars.ts'
import { selectNearest } from '../load/problem.ts'
import { loadText } from '../load/text-file.ts'

/** Ansible's names of the machine itself: they match without being in the inventory. */
const localhosts = ['localhost', '127.0.0.1', '::1']

/**
 * The hosts that a pattern names, in the order of the parts and of each group: names, groups, `*` globs, `~regex`, slices `web[0:2]`
 * (both ends count), joined by `:` or `,`; `&x` keeps only hosts of x, `!x` takes them out, whatever the order.
 * `limit` is a pattern too, and may be `@FILE` with one pattern a line. A name that is no host and no group throws E_HOSTS,
 * also behind `!` and `&`; a glob or regex may match nothing. Throws E_FILE for the limit's file.
 */
export function selectHosts(inventory: Inventory, pattern: string, limit?: string): readonly string[] {
  const hosts = selectParts(inventory, splitPattern(pattern))
  if (limit === undefined || limit.trim() === '') return hosts
  const parts = splitLimit(limit)
  // An empty file of hosts limits nothing, as in Ansible.
  if (parts.length === 0) return hosts
  const limited = new Set(selectParts(inventory, parts))
  return hosts.filter(host => limited.has(host))
}

/** The parts of a pattern. A colon within brackets belongs to a slice, and in an IPv6 address to the address. */
export function splitPattern(pattern: string): readonly string[] {
  return pattern
    .split(',')
    .flatMap(part => (isAddress(part.trim()) ? [part] : (part.match(/(?:[^\s:[\]]|\[[^\]]*\])+/g) ?? [])))
    .map(part => part.trim())
    .filter(part => part !== '')
}

function isAddress(text: string): boolean {
  return /^[!&]?(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}$/.test(text)
}

function splitLimit(limit: string): readonly string[] {
  return splitPattern(limit).flatMap(part => {
    if (!part.startsWith('@')) return [part]
    const file = part.slice(1)
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
      throw problem('E_FILE', `the limit ${part} must be a file`, {
        hint: 'name a file with a pattern a line',
      })
    const lines = loadText(file).split(/\r?\n/)
    return lines.filter(line => line.trim() !== '' && !line.startsWith('#')).flatMap(splitPattern)
  })
}

function selectParts(inventory: Inventory, parts: readonly string[]): string[] {
  const unions = parts.filter(part => !/^[!&]/.test(part))
  const selected = new Set<string>()
  for (const part of unions.length > 0 ? unions : ['all'])
    for (const host of matchPart(inventory, part)) selected.add(host)
  for (const part of parts.filter(part => part.startsWith('&'))) {
    const kept = new Set(matchPart(inventory, part.slice(1)))
    for (const host of selected) if (!kept.has(host)) selected.delete(host)
  }
  for (const part of parts.filter(part => part.startsWith('!')))
    for (const host of matchPart(inventory, part.slice(1))) selected.delete(host)
  return [...selected]
}

/** One part without its `&` or `!`. */
function matchPart(inventory: Inventory, part: string): readonly string[] {
  if (inventory.hosts.has(part)) return [part]
  const [, name, index, from, to] = part.startsWith('~')
    ? []
    : (/^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$/.exec(part) ?? [])
  if (name === undefined) return matchName(inventory, part)
  const hosts = matchName(inventory, name)
  if (index === undefined) return hosts.slice(Number(from), to === '' ? undefined : Number(to) + 1)
  const host = hosts.at(Number(index))
  if (host !== undefined) return [host]
  throw problem('E_HOSTS', `${part} does not exist: ${name} has ${hosts.length} hosts`, {
    hint: 'the first host is [0], the last is [-1]',
  })
}

function matchName(inventory: Inventory, name: string): readonly string[] {
  const matches = matcherOf(name)
  const groups = [...inventory.groups.keys()].filter(matches)
  const found = new Set(groups.flatMap(group => hostsOfGroup(inventory, group)))
  if (groups.length === 0 || /^~|[.?*[]/.test(name))
    for (const host of inventory.hosts.keys()) if (matches(host)) found.add(host)
  if (found.size > 0 || groups.length > 0) return [...found]
  if (localhosts.includes(name)) return [name]
  if (/^~|[?*[]/.test(name)) return []
  throw unknownName(inventory, name)
}

function unknownName(inventory: Inventory, name: string) {
  const known = [...inventory.groups.keys(), ...inventory.hosts.keys()]
  const near = selectNearest(name, known)
  const hint = near
    ? `did you mean ${near}?`
    : inventory.hosts.size === 0
      ? 'the inventory is empty: name one with -i'
      : 'rota inventory --graph shows what there is (with the same -i)'
  return problem('E_HOSTS', `there is no host and no group ${name}`, { hint })
}

/** All hosts of a group and of the groups below it: the group's own first, then level by level. */
function hostsOfGroup(inventory: Inventory, group: string): readonly string[] {
  const groups = new Set([group])
  const hosts = new Set<string>()
  for (const name of groups) {
    const { hosts: own = [], children = [] } = inventory.groups.get(name) ?? {}
    for (const host of own) hosts.add(host)
    for (const child of children) groups.add(child)
  }
  return [...hosts]
}

function matcherOf(name: string): (text: string) => boolean {
  if (!name.startsWith('~')) {
    const glob = parseGlob(name)
    return text => glob.test(text)
  }
  try {
    // As in Python's re.match, the expression has to match at the beginning and may end anywhere.
    const { source, flags } = translateRegex(name.slice(1), {})
    const regex = new RegExp(`^(?:${source})`, flags)
    return text => regex.test(text)
  } catch (cause) {
    throw problem('E_HOSTS', `${name} is no regular expression`, { hint: 'check its brackets', cause })
  }
}
