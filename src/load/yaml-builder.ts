import { isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Scalar, type YAMLMap } from 'yaml'
import { type Problem, RotaError } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { Float, isDict, Template, Unopened, type Value } from '../core/value.ts'
import { decodeBytes, parsePlain, parseTagged, type ScalarType } from './scalar.ts'
import { isConnectionVariable, openVaultValue, sealText, type Vault } from './vault.ts'

export interface YamlOptions {
  readonly vault?: Vault | undefined
  /** Hears of a key that is in a mapping twice: the later one counts. Default: the vault's; without either it is an error. */
  readonly onDuplicate?: (found: Problem) => void
  /** False for data that is not the operator's own (from_yaml): braces stay plain text. Default true. */
  readonly templates?: boolean
  /** The file was a vault: every text becomes a Secret, and a template that is more than a variable's name a secret one. Default false. */
  readonly secret?: boolean
}

/** More nodes than this, counted with every alias written out, is an alias bomb. */
const EXPANDED_NODES_MAX = 1_000_000

/** Offsets in the text of a key and its value; the same for an item of a list. */
export interface Place {
  readonly key: number
  readonly value: number
}
type Container = Extract<Value, object>

/** The line and column of an offset. */
export function sourceAt(file: string, lines: LineCounter, offset: number): Source {
  const { line, col } = lines.linePos(offset)
  return { file, line: Math.max(line, 1), col: Math.max(col, 1) }
}

const scalarTags: Readonly<Record<string, ScalarType>> = {
  'tag:yaml.org,2002:str': 'str',
  'tag:yaml.org,2002:int': 'int',
  'tag:yaml.org,2002:float': 'float',
  'tag:yaml.org,2002:bool': 'bool',
  'tag:yaml.org,2002:null': 'null',
}
const BINARY = 'tag:yaml.org,2002:binary'
const containerTags = ['tag:yaml.org,2002:map', 'tag:yaml.org,2002:seq']

/** Turns nodes of the yaml package into Values, and notes where each stands. */
export class ValueBuilder {
  readonly file: string
  readonly lines: LineCounter
  readonly places = new WeakMap<Container, ReadonlyMap<Value, Place>>()
  readonly problems: Problem[] = []
  readonly #text: string
  readonly #options: YamlOptions
  readonly #anchors = new Map<string, Value>()
  /** Nodes of a container with every alias written out. */
  readonly #sizes = new WeakMap<Container, number>()
  #isBomb = false
  /** How many `!unsafe` the node stands in: braces are plain text there. */
  #unsafe = 0

  constructor(file: string, text: string, lines: LineCounter, options: YamlOptions) {
    this.file = file
    this.lines = lines
    this.#text = text
    this.#options = options
  }

  build(node: Node, name: string): Value {
    if (isAlias(node)) return this.#alias(node.source, node)
    const isUnsafe = (node as { tag?: string }).tag === '!unsafe'
    if (isUnsafe) this.#unsafe++
    const value = isMap(node)
      ? this.#map(node)
      : isSeq(node)
        ? this.#list(node.items as Node[], node, name)
        : this.#scalar(node as Scalar, name)
    if (isUnsafe) this.#unsafe--
    const anchor = (node as { anchor?: string }).anchor
    if (anchor !== undefined) this.#anchors.set(anchor, value)
    return value
  }

  #alias(anchor: string, node: Node): Value {
    const value = this.#anchors.get(anchor)
    if (value === undefined)
      this.#say(
        node,
        `the alias *${anchor} has no anchor before it`,
        `text that begins with * needs quotes: "*${anchor}"`,
      )
    return value ?? null
  }

  #list(items: readonly Node[], node: Node, name: string): Value {
    this.#checkTag(node)
    const list: Value[] = []
    const places = new Map<Value, Place>()
    for (const [index, item] of items.entries()) {
      const offset = item.range?.[0] ?? 0
      places.set(index, { key: offset, value: offset })
      list.push(this.build(item, name))
    }
    return this.#measure(list, list, places, node)
  }

  #map(node: YAMLMap): Value {
    this.#checkTag(node)
    const own = new Map<Value, Value>()
    const places = new Map<Value, Place>()
    const merged: Value[] = []
    for (const pair of node.items) {
      const key = pair.key as Node
      const value = pair.value as Node | null
      if (isScalar(key) && key.type === 'PLAIN' && key.source === '<<') {
        if (value !== null) merged.push(...this.#mergeSources(value))
        continue
      }
      const name = this.#key(key, node)
      if (name === undefined) continue
      if (own.has(name)) this.#duplicate(key, name, places.get(name)!)
      places.set(name, { key: key.range![0], value: value?.range?.[0] ?? key.range![0] })
      own.set(name, value === null ? null : this.build(value, String(name)))
    }
    if (merged.length === 0) return this.#measure(own, [...own.values()], places, node)
    return this.#merge(own, places, merged, node)
  }

  #duplicate(key: Node, name: Value, { key: first }: Place): void {
    const found: Problem = {
      code: 'E_YAML',
      message: `found a duplicate dict key (${String(name)}): it is in line ${sourceAt(this.file, this.lines, first).line} already`,
      at: sourceAt(this.file, this.lines, key.range![0]),
      hint: 'remove one of them',
    }
    const hear = this.#options.onDuplicate ?? this.#options.vault?.onDuplicate
    if (hear) hear(found)
    else this.problems.push(found)
  }

  /** `<<`: what is merged in comes first and never overrides; of several sources the first wins. */
  #merge(own: Map<Value, Value>, places: Map<Value, Place>, sources: readonly Value[], node: Node): Value {
    const all = new Map<Value, Value>()
    const allPlaces = new Map<Value, Place>()
    for (const [dict, at] of [
      ...sources.toReversed().map(s => [s, undefined] as const),
      [own, places] as const,
    ]) {
      for (const [key, value] of dict as Map<Value, Value>) {
        all.set(key, value)
        allPlaces.set(key, (at ?? this.places.get(dict as Container)!).get(key)!)
      }
    }
    return this.#measure(all, [...all.values()], allPlaces, node)
  }

  #mergeSources(node: Node): Value[] {
    const value = this.build(node, '<<')
    const sources = Array.isArray(value) ? (value as readonly Value[]) : [value]
    if (sources.every(isDict)) return [...sources]
    this.#say(node, '<< merges mappings, and this is none', 'give it an alias of a mapping: <<: *name')
    return []
  }

  #key(node: Node, map: YAMLMap): Value | undefined {
    const key = isScalar(node) || isAlias(node) ? this.#scalarKey(node) : undefined
    if (key !== undefined) return key
    const isTemplate = this.#text.startsWith('{{', map.range![0])
    this.#say(
      isTemplate ? map : node,
      isTemplate ? 'YAML reads {{ as a mapping in a mapping' : 'a key must be a single value',
      isTemplate ? 'put the whole value in quotes: "{{ name }}"' : 'put the key in quotes',
    )
    return undefined
  }

  #scalarKey(node: Node): Value | undefined {
    if (isAlias(node)) {
      const value = this.#alias(node.source, node)
      return typeof value === 'object' ? undefined : value
    }
    const { type, source, tag } = node as Scalar
    if (type !== 'PLAIN' || tag !== undefined) return source ?? ''
    const key = parsePlain(source ?? '')
    return key instanceof Float ? key.value : key
  }

  #scalar(node: Scalar, name: string): Value {
    const text = node.source ?? ''
    const { tag } = node
    if (tag === undefined || tag === '!') return this.#untagged(node, text, name)
    if (tag === '!unsafe') return this.#string(node, text, name)
    if (tag === '!vault' || tag === '!vault-encrypted') return this.#vaulted(node, text, name)
    if (tag === BINARY) return decodeBytes(Buffer.from(text, 'base64'))
    const type = scalarTags[tag]
    const value = type === undefined ? undefined : parseTagged(type, text)
    if (typeof value === 'string') return this.#string(node, value, name)
    if (value === undefined) this.#badTag(node, type)
    return value ?? null
  }

  #untagged(node: Scalar, text: string, name: string): Value {
    if (node.type !== 'PLAIN') return this.#string(node, text, name)
    const value = parsePlain(text)
    return typeof value === 'string' ? this.#string(node, value, name) : value
  }

  #string(node: Scalar, text: string, name: string): Value {
    const isTemplate = this.#unsafe === 0 && this.#options.templates !== false && /\{[{%#]/.test(text)
    const isSecret = this.#options.secret === true && !isConnectionVariable(name)
    if (!isTemplate) return isSecret ? sealText(text, name, this.#options.vault) : text
    const isReference = /^\s*\{\{\s*[\w.]+\s*\}\}\s*$/.test(text)
    return new Template(text, this.#contentAt(node), isSecret && !isReference ? name : undefined)
  }

  /** Where the text itself begins: after the quote, or on the line after `|` and `>`. */
  #contentAt(node: Scalar): Source {
    const start = node.range![0]
    if (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE')
      return sourceAt(this.file, this.lines, start + 1)
    if (node.type !== 'BLOCK_LITERAL' && node.type !== 'BLOCK_FOLDED')
      return sourceAt(this.file, this.lines, start)
    const line = this.#text.indexOf('\n', start) + 1
    const indent = /^ */.exec(this.#text.slice(line, line + 100))![0].length
    return sourceAt(this.file, this.lines, line + indent)
  }

  #vaulted(node: Scalar, text: string, name: string): Value {
    const at = sourceAt(this.file, this.lines, node.range![0])
    try {
      const secret = openVaultValue(text, name, at, this.#options.vault)
      return isConnectionVariable(name) ? this.#options.vault!.decryptFile(text, name) : secret
    } catch (error) {
      if (!(error instanceof RotaError)) throw error
      if (this.#options.vault?.defer) {
        this.#options.vault.defer(error)
        return new Unopened(text, at, error)
      }
      this.problems.push(...error.problems)
      return null
    }
  }

  #checkTag(node: Node): void {
    const { tag } = node as { tag?: string }
    if (tag !== undefined && tag !== '!unsafe' && !containerTags.includes(tag)) this.#badTag(node, undefined)
  }

  #badTag(node: Node, type: ScalarType | undefined): void {
    const { tag = '' } = node as { tag?: string }
    const shown = tag.replace('tag:yaml.org,2002:', '!!')
    if (type)
      this.#say(node, `this is not of the type that ${shown} says`, 'remove the tag or correct the value')
    else
      this.#say(
        node,
        `there is no tag ${shown}`,
        'rota knows !vault, !unsafe, !!binary, !!str, !!int, !!float and !!bool',
      )
  }

  /** Notes places and size of a container, and stops an alias bomb before anything walks it. */
  #measure<C extends Container>(
    container: C,
    members: readonly Value[],
    places: ReadonlyMap<Value, Place>,
    node: Node,
  ): C {
    this.places.set(container, places)
    let size = 1
    for (const member of members)
      size += typeof member === 'object' && member !== null ? (this.#sizes.get(member) ?? 1) : 1
    this.#sizes.set(container, size)
    if (size > EXPANDED_NODES_MAX && !this.#isBomb) {
      this.#isBomb = true
      this.#say(node, 'the aliases in here write out to more than a million values', 'write them out by hand')
    }
    return container
  }

  #say(node: Node, message: string, hint: string): void {
    const at = sourceAt(this.file, this.lines, node.range?.[0] ?? 0)
    this.problems.push({ code: 'E_YAML', message, at, hint })
  }
}
