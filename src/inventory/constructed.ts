import { problem, RotaError } from '../core/error.ts'
import { type Dict, isDict, Template, type Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import { renderKind } from '../load/problem.ts'
import type { YamlDocument } from '../load/yaml.ts'
import type { InventoryDraft } from './draft.ts'

/** An expression's value with these variables, and its truth. Throws E_TEMPLATE and E_UNDEFINED. */
export interface Evaluator {
  evaluate(expression: Template, values: ReadonlyMap<string, Value>): Value
  isTrue(value: Value): boolean
}

const names = ['constructed', 'ansible.builtin.constructed']
const options = [
  'plugin',
  'strict',
  'compose',
  'groups',
  'keyed_groups',
  'leading_separator',
  'use_vars_plugins',
  'use_extra_vars',
]
const keyedOptions = ['key', 'prefix', 'separator', 'parent_group', 'default_value', 'trailing_separator']

/** Whether a YAML source is no list of hosts but `plugin: constructed`. Throws E_INVENTORY for other plugins. */
export function isConstructed(doc: YamlDocument): boolean {
  const { value } = doc
  if (!isDict(value) || !value.has('plugin')) return false
  if (names.includes(String(value.get('plugin')))) return true
  throw problem('E_INVENTORY', `rota has no inventory plugin ${String(value.get('plugin'))}`, {
    at: doc.keyAt(value, 'plugin'),
    hint: 'save what the plugin finds: ansible-inventory --list --yaml --export',
  })
}

/**
 * Ansible's inventory plugin `constructed`: variables (`compose`) and groups (`groups`, `keyed_groups`) made of the hosts' variables by
 * expressions. An expression that cannot be evaluated for a host is passed over, unless `strict`.
 */
export class Construction {
  readonly #doc: YamlDocument
  readonly #spec: Dict
  readonly #draft: InventoryDraft
  readonly #evaluator: Evaluator
  readonly #extraVars: ReadonlyMap<string, Value>

  /** `extraVars`: those of the command line, for `use_extra_vars`. */
  constructor(
    doc: YamlDocument,
    draft: InventoryDraft,
    evaluator: Evaluator,
    extraVars: ReadonlyMap<string, Value> = new Map(),
  ) {
    this.#doc = doc
    this.#spec = doc.value as Dict
    this.#draft = draft
    this.#evaluator = evaluator
    this.#extraVars = extraVars
    this.#refuseOthers(this.#spec, options)
  }

  /** `layers`: what the sources say of the host, weakest first. */
  apply(host: string, layers: readonly Layer[]): void {
    const usesFiles = this.#spec.get('use_vars_plugins') === true
    const used = layers.filter(({ rank }) => usesFiles || rank.startsWith('inventory file'))
    const values = new Map<string, Value>([
      ['inventory_hostname', host],
      ['inventory_hostname_short', host.split('.')[0]!],
      ...used.flatMap(layer => [...layer.values]),
      ...(this.#spec.get('use_extra_vars') === true ? this.#extraVars : []),
    ])
    const compose = this.#dict('compose')
    for (const name of compose.keys()) {
      const value = this.#evaluate(compose, name, values)
      if (value === undefined) continue
      this.#draft.setHostVar(host, String(name), value, this.#doc.file)
      values.set(String(name), value)
    }
    const groups = this.#dict('groups')
    for (const name of groups.keys()) {
      const value = this.#evaluate(groups, name, values)
      if (value !== undefined && this.#evaluator.isTrue(value))
        this.#draft.addHost(host, safeName(String(name)))
    }
    for (const keyed of this.#list('keyed_groups')) this.#applyKeyed(host, keyed, values)
  }

  #applyKeyed(host: string, keyed: Dict, values: ReadonlyMap<string, Value>): void {
    this.#refuseOthers(keyed, keyedOptions)
    const value = this.#evaluate(keyed, 'key', values)
    if (value === undefined || value === null) return
    const prefix = textOf(keyed.get('prefix'))
    const isBare = prefix === '' && this.#spec.get('leading_separator') === false
    const lead = isBare ? '' : prefix + textOf(keyed.get('separator'), '_')
    const parent = textOf(keyed.get('parent_group'))
    for (const name of this.#keyedNames(keyed, value)) {
      const group = safeName(lead + name)
      this.#draft.addHost(host, group)
      if (parent !== '') this.#draft.group(safeName(parent)).children.add(group)
    }
  }

  /** A text is one name, a list several, and a dict one of each key with its value. */
  #keyedNames(keyed: Dict, value: Value): string[] {
    const standard = keyed.has('default_value') ? textOf(keyed.get('default_value')) : undefined
    if (typeof value === 'string') return value === '' ? (standard === undefined ? [] : [standard]) : [value]
    if (Array.isArray(value))
      return (value as readonly Value[]).map(item => (item === '' ? (standard ?? '') : textOf(item)))
    if (!isDict(value))
      throw problem(
        'E_INVENTORY',
        `a key of keyed_groups gives ${renderKind(value)}, and no text, list or mapping`,
        {
          at: this.#doc.keyAt(keyed, 'key'),
          hint: 'make text of it: key: name | string',
        },
      )
    const separator = textOf(keyed.get('separator'), '_')
    return [...value].map(([key, member]) => {
      const text = textOf(member)
      if (text !== '') return textOf(key) + separator + text
      if (standard !== undefined) return textOf(key) + separator + standard
      return keyed.get('trailing_separator') === false ? textOf(key) : textOf(key) + separator
    })
  }

  #evaluate(dict: Dict, key: Value, values: ReadonlyMap<string, Value>): Value | undefined {
    const expression = dict.get(key) ?? null
    if (expression === null || typeof expression === 'boolean') return expression ?? undefined
    const template =
      expression instanceof Template
        ? expression
        : new Template(textOf(expression), this.#doc.valueAt(dict, key))
    try {
      return this.#evaluator.evaluate(template, values)
    } catch (error) {
      if (this.#spec.get('strict') === true || !(error instanceof RotaError)) throw error
      return undefined
    }
  }

  #dict(name: string): Dict {
    const value = this.#spec.get(name) ?? new Map()
    return isDict(value) ? value : this.#refuse(name, 'a mapping')
  }
  #list(name: string): readonly Dict[] {
    const value = this.#spec.get(name) ?? []
    const list = Array.isArray(value) ? (value as readonly Value[]) : []
    return Array.isArray(value) && list.every(isDict) ? list : this.#refuse(name, 'a list of mappings')
  }
  #refuse(name: string, wanted: string): never {
    throw problem('E_INVENTORY', `${name} is ${wanted}`, {
      at: this.#doc.valueAt(this.#spec, name),
      hint: `write ${name}: as the plugin constructed has it`,
    })
  }
  #refuseOthers(dict: Dict, known: readonly string[]): void {
    const other = [...dict.keys()].find(key => !known.includes(String(key)))
    if (other === undefined) return
    throw problem('E_INVENTORY', `constructed has no option ${String(other)} here`, {
      at: this.#doc.keyAt(dict, other),
      hint: `known are: ${known.join(', ')}`,
    })
  }
}

function textOf(value: Value | undefined, otherwise = ''): string {
  return value === undefined || value === null ? otherwise : String(value)
}

/** As Ansible makes names of groups safe for variables. */
function safeName(name: string): string {
  return name.replace(/^\d|[^\p{L}\p{N}_]/gu, '_')
}
