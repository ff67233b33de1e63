type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
type Stats = Record<string, Json>

const isDict = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What `set_stats` said in a run: of the whole run, and of hosts. */
export class CustomStats {
  readonly #byOwner = new Map<string, Stats>()

  /** Takes the result of a task of set_stats: JSON text with `ansible_stats`. Any other is passed over. */
  add(host: string, result: string): void {
    const { ansible_stats: stats } = JSON.parse(result) as { readonly ansible_stats?: Json }
    if (!isDict(stats) || !isDict(stats['data'])) return
    const owner = stats['per_host'] === true ? host : 'RUN'
    const held = this.#byOwner.get(owner) ?? {}
    for (const [name, value] of Object.entries(stats['data']))
      held[name] = stats['aggregate'] === true ? sum(held[name], value) : value
    this.#byOwner.set(owner, held)
  }

  /** A line for each host that has some, and one for the run; as Ansible prints them. */
  lines(): readonly string[] {
    const line = (owner: string, stats: Stats): string =>
      `\t${owner}: ${JSON.stringify(stats, null, 1).replaceAll('\n', '')}`
    return [...this.#byOwner].map(([owner, stats]) => line(owner, stats))
  }
}

/** A later value on an earlier one of its kind: numbers are added, texts and lists put behind, dicts merged. Others stay as they are. */
function sum(earlier: Json | undefined, later: Json): Json {
  if (earlier === undefined) return later
  if (typeof earlier === 'number' && typeof later === 'number') return earlier + later
  if (typeof earlier === 'string' && typeof later === 'string') return earlier + later
  if (Array.isArray(earlier) && Array.isArray(later)) return [...earlier, ...later]
  return isDict(earlier) && isDict(later) ? { ...earlier, ...later } : earlier
}
