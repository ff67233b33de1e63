import { type Document, LineCounter, type Node, type ParsedNode, parseAllDocuments } from 'yaml'
import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import { type Dict, isDict, type Value } from '../core/value.ts'
import { throwAll } from './text-file.ts'
import { type Place, sourceAt, ValueBuilder, type YamlOptions } from './yaml-builder.ts'
import { renderYamlErrors } from './yaml-error.ts'

/** A parsed file: its value, and where in the file each part of the value stands. */
export class YamlDocument {
  readonly file: string
  readonly value: Value
  readonly #lines: LineCounter
  readonly #places: WeakMap<object, ReadonlyMap<Value, Place>>
  readonly #start: number

  constructor(builder: ValueBuilder, root: Node | null) {
    this.file = builder.file
    this.#lines = builder.lines
    this.value = root === null ? null : builder.build(root, 'value')
    this.#places = builder.places
    this.#start = root?.range?.[0] ?? 0
  }
  /** The place of the value at a path of keys and indexes; of the nearest parent where the path leads nowhere. */
  at(path: readonly Value[]): Source {
    let here: Value | undefined = this.value
    let offset = this.#start
    for (const key of path) {
      const place: Place | undefined = this.#placeOf(here, key)
      if (place === undefined) break
      offset = place.value
      here = isDict(here) ? here.get(key) : (here as readonly Value[])[key as number]
    }
    return this.#source(offset)
  }
  /** Where a key of a dict of this document stands. */
  keyAt(container: Value, key: Value): Source {
    return this.#source(this.#placeOf(container, key)?.key ?? this.#start)
  }
  /** Where the value of a key, or an item of a list, stands. */
  valueAt(container: Value, key: Value): Source {
    return this.#source(this.#placeOf(container, key)?.value ?? this.#start)
  }
  /** Makes a dict made from one of this document answer for the same keys. */
  copyPlaces(from: Dict, to: Dict): void {
    this.#places.set(to, this.#places.get(from) ?? new Map())
  }
  #placeOf(container: Value | undefined, key: Value): Place | undefined {
    if (typeof container !== 'object' || container === null) return undefined
    return this.#places.get(container)?.get(key)
  }
  #source(offset: number): Source {
    return sourceAt(this.file, this.#lines, offset)
  }
}

/**
 * Parses one YAML document as Ansible's PyYAML reads it (see scalar.ts for the types), with the place of every node.
 * Text with `{{`, `{%` or `{#` becomes a Template; `!unsafe` text does not; `!vault` text becomes a Secret.
 * Throws one RotaError with all problems: E_YAML for syntax, duplicate keys, unknown tags, alias bombs and several
 * documents; E_VAULT where a vault cannot be opened.
 */
export function parseYaml(text: string, file: string, options: YamlOptions = {}): YamlDocument {
  const [first, second] = parseAll(text, file, options)
  if (second !== undefined)
    throw problem('E_YAML', 'the file holds several YAML documents', {
      at: second.at([]),
      hint: 'remove the line `---` and what follows, or put it into a file of its own',
    })
  return first!
}

/** All documents of a text, as from_yaml_all reads them. Throws like parseYaml. */
export function parseAll(text: string, file: string, options: YamlOptions = {}): YamlDocument[] {
  const lines = new LineCounter()
  const builder = new ValueBuilder(file, text, lines, options)
  const documents = composeAll(text, file, lines)
  const errors = documents.flatMap(document => document.errors)
  throwAll(renderYamlErrors(errors, text, offset => sourceAt(file, lines, offset)))
  const built = documents.map(({ contents }) => new YamlDocument(builder, contents))
  throwAll(builder.problems)
  return built.length > 0 ? built : [new YamlDocument(builder, null)]
}

function composeAll(text: string, file: string, lineCounter: LineCounter): Document.Parsed<ParsedNode>[] {
  if (text.includes('\0'))
    throw problem('E_YAML', 'the file holds NUL bytes', {
      at: { file, line: 1, col: 1 },
      hint: 'is it a text file?',
    })
  try {
    // The failsafe schema leaves every scalar as text: the types are ours. Errors are ours too: no excerpts of the file.
    const documents = parseAllDocuments(text, {
      version: '1.1',
      schema: 'failsafe',
      resolveKnownTags: false,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
      lineCounter,
    })
    return 'empty' in documents ? [] : documents
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw problem('E_YAML', 'the file is nested too deeply', {
      at: { file, line: 1, col: 1 },
      hint: 'check for a run of opening brackets',
      cause,
    })
  }
}
