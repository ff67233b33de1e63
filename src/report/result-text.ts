import type { Display } from './display.ts'

/** The verbosity from which on results are shown in lines. */
const IN_LINES = 3

export interface ResultOptions {
  readonly verbosity: number
  readonly display: Display
  /** Writes plain data as YAML in blocks, with so many blanks a level; `asBlocks`: text of several lines as `|` blocks. */
  readonly renderYaml: (data: unknown, indent: number, asBlocks: boolean) => string
}

/**
 * A result's JSON as ansible-playbook prints it: keys sorted, in one line with a blank after commas and colons, or in lines; or as
 * YAML, which begins on a line of its own. Text that is no JSON stays as it is. `inLines`: whatever the verbosity.
 */
export function renderResult(
  json: string,
  options: ResultOptions,
  { inLines = false, isSkipped = false }: { readonly inLines?: boolean; readonly isSkipped?: boolean } = {},
): string {
  const omitted = ['failed', 'skipped']
  if (options.verbosity < IN_LINES) omitted.push('diff')
  if (options.verbosity < 2) omitted.push('false_condition')
  // Items have had lines of their own.
  if (isSkipped) omitted.push('results')
  const result = parseResult(json)
  return renderShown(isMembers(result) ? without(result, omitted) : result, options, inLines)
}

/** The same of the result of `debug`, of which only what it says is shown. */
export function renderSaid(json: string, options: ResultOptions, inLines = true): string {
  return renderShown(selectSaid(parseResult(json)), options, inLines)
}

function renderShown(
  value: unknown,
  { verbosity, display, renderYaml }: ResultOptions,
  inLines: boolean,
): string {
  if (typeof value === 'string') return value
  const { format, isPretty } = display
  if (format === 'yaml') {
    const isLossy = isPretty !== false
    const text = renderYaml(isLossy ? omitLines(value) : value, isLossy ? 4 : 2, isLossy)
    return `\n${text.replace(/^(?=.)/gm, '    ').replace(/\n+$/, '')}`
  }
  const isInLines = isPretty ?? (inLines || verbosity >= IN_LINES)
  return isInLines ? JSON.stringify(sortKeys(value), null, 4) : renderSorted(value)
}

/** Text when it is none. */
function parseResult(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

const isMembers = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const without = (members: object, names: readonly string[]): object =>
  Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)))

/** What `debug` registers beside what it says. */
const unsaid =
  'changed failed skipped failed_when_result invocation skip_reason false_condition results'.split(' ')

function selectSaid(result: unknown): unknown {
  if (!isMembers(result)) return result
  if ('msg' in result) return { msg: result['msg'] }
  return without(result, unsaid)
}

/** What is there as a whole need not be there in lines. */
function omitLines(value: unknown): unknown {
  if (!isMembers(value)) return value
  const names = ['stdout', 'stderr'].filter(name => name in value && `${name}_lines` in value)
  return { ...value, ...Object.fromEntries(names.map(name => [`${name}_lines`, '<omitted>'])) }
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([key, member]) => [key, sortKeys(member)]))
}

/** A value in one line, as Python's json module writes it; keys sorted. */
export function renderSorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderSorted).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}: ${renderSorted(member)}`)
  return `{${members.join(', ')}}`
}
