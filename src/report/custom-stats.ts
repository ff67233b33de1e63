import { renderSorted } from './result-text.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
type Stats = { [name: string]: Json }

/** What the tasks of `set_stats` say, summed up as Ansible does for `show_custom_stats`. */
export interface CustomStats {
  /** `result`: the task's, as JSON; anything else is passed over. */
  add(host: string, result: string): void
  /** A line for each host that has some, and one for the run. */
  render(): string[]
}

export function createCustomStats(): CustomStats {
  const byHost = new Map<string, Stats>()
  const ofRun: Stats = {}
  return {
    add(host, result) {
      const said = parseStats(result)
      if (!said) return
      const stats = said.per_host === true ? (byHost.get(host) ?? {}) : ofRun
      if (said.per_host === true) byHost.set(host, stats)
      for (const [name, value] of Object.entries(said.data))
        stats[name] = said.aggregate === false ? value : join(stats[name], value)
    },
    render() {
      const lines = [...byHost].sort().map(([host, stats]) => `${host}: ${renderSorted(stats)}`)
      return Object.keys(ofRun).length === 0 ? lines : [...lines, `RUN: ${renderSorted(ofRun)}`]
    },
  }
}

interface Said {
  readonly data: Stats
  readonly per_host: Json
  readonly aggregate: Json
}

function parseStats(result: string): Said | undefined {
  try {
    const { ansible_stats: said } = JSON.parse(result) as { readonly ansible_stats?: Said }
    return said
  } catch {
    return undefined
  }
}

/** Numbers add up, texts and lists go behind one another, members of dicts are replaced; what does not fit stays as it was. */
function join(before: Json | undefined, more: Json): Json {
  if (before === undefined) return more
  if (typeof before === 'number' && typeof more === 'number') return before + more
  if (typeof before === 'string' && typeof more === 'string') return before + more
  if (Array.isArray(before) && Array.isArray(more)) return [...before, ...more]
  if (isDict(before) && isDict(more)) return { ...before, ...more }
  return before
}

function isDict(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
