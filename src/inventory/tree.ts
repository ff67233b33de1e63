import { type Problem, RotaError } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import { renderDidYouMean, renderKind } from '../load/problem.ts'
import type { YamlDocument } from '../load/yaml.ts'
import type { InventoryDraft } from './draft.ts'
import { parseHostEntry } from './host-range.ts'

const parts = ['hosts', 'children', 'vars']

/** A mapping of groups, and where its parts stand. */
export type TreeDocument = Pick<YamlDocument, 'file' | 'value' | 'at' | 'keyAt' | 'valueAt'>

/** Reads a YAML (or JSON, or TOML) inventory into the draft. Throws one RotaError E_INVENTORY with every problem of the file. */
export function readTree(doc: TreeDocument, draft: InventoryDraft): void {
  new TreeReader(doc, draft).read()
}

class TreeReader {
  readonly #doc: TreeDocument
  readonly #draft: InventoryDraft
  readonly #problems: Problem[] = []

  constructor(doc: TreeDocument, draft: InventoryDraft) {
    this.#doc = doc
    this.#draft = draft
  }

  read(): void {
    const { value } = this.#doc
    if (!isDict(value))
      this.#say(
        `an inventory is a mapping of groups, and this is ${renderKind(value)}`,
        this.#doc.at([]),
        'begin with `all:`',
      )
    else for (const name of value.keys()) this.#group(value, name)
    if (this.#problems.length > 0) throw new RotaError(this.#problems)
  }

  #group(holder: Dict, key: Value): void {
    const name = String(key)
    const dict = holder.get(key) ?? null
    this.#draft.group(name)
    if (dict === null) return
    if (!isDict(dict)) {
      const hint = `write ${name}: with hosts, children or vars below`
      this.#say(
        `the group ${name} is a mapping, not ${renderKind(dict)}`,
        this.#doc.valueAt(holder, key),
        hint,
      )
      return
    }
    for (const [part, value] of dict) {
      const at = this.#doc.keyAt(dict, part)
      if (!parts.includes(String(part)))
        this.#say(
          `a group has no ${String(part)}`,
          at,
          renderDidYouMean(String(part), parts, 'put it into vars'),
        )
      else if (value !== null) this.#part(name, String(part), dict, value)
    }
  }

  #part(group: string, part: string, dict: Dict, value: Value): void {
    const entries: Value = typeof value === 'string' && part !== 'vars' ? new Map([[value, null]]) : value
    if (!isDict(entries)) {
      const hint = part === 'vars' ? 'write NAME: value' : 'end each name with a colon'
      this.#say(`${part} must be a mapping, not ${renderKind(value)}`, this.#doc.valueAt(dict, part), hint)
      return
    }
    for (const key of entries.keys()) {
      if (part === 'vars') {
        const at = this.#doc.keyAt(entries, key)
        this.#draft.setGroupVar(group, String(key), entries.get(key)!, this.#doc.file, at)
      } else if (part === 'hosts') this.#host(group, entries, key)
      else this.#child(group, entries, key)
    }
  }

  #child(parent: string, entries: Dict, key: Value): void {
    const child = String(key)
    if (!this.#draft.canBeChild(parent, child)) {
      const at = this.#doc.keyAt(entries, key)
      this.#say(`${child} cannot be a child of ${parent}: it is above it`, at, 'remove one of the two')
      return
    }
    this.#draft.group(parent).children.add(child)
    this.#group(entries, key)
  }

  #host(group: string, entries: Dict, key: Value): void {
    const at = this.#doc.keyAt(entries, key)
    const vars = entries.get(key) ?? new Map<Value, Value>()
    if (!isDict(vars)) {
      const hint = `write ${String(key)}: with variables below, or nothing`
      this.#say(`${String(key)} must be a mapping of variables, not ${renderKind(vars)}`, at, hint)
      return
    }
    try {
      const { names, port } = parseHostEntry(String(key), at)
      for (const host of names) {
        this.#draft.addHost(host, group)
        if (port !== undefined) this.#draft.setHostVar(host, 'ansible_port', port, this.#doc.file, at)
        for (const [name, value] of vars)
          this.#draft.setHostVar(host, String(name), value, this.#doc.file, this.#doc.keyAt(vars, name))
      }
    } catch (error) {
      if (!(error instanceof RotaError)) throw error
      this.#problems.push(...error.problems)
    }
  }

  #say(message: string, at: Source, hint: string): void {
    this.#problems.push({ code: 'E_INVENTORY', message, at, hint })
  }
}
