/** The verbosity from which on results are shown in lines. */
export const IN_LINES = 3

/**
 * A result's JSON as ansible-playbook prints it: keys sorted, and in one line with a blank after commas and colons, from `-vvv` on in
 * lines; text that is no JSON stays as it is.
 */
export function renderResult(json: string, verbosity: number): string {
  try {
    const value = selectShown(JSON.parse(json))
    return verbosity >= IN_LINES ? JSON.stringify(sortKeys(value), null, 4) : renderSorted(value)
  } catch {
    return json
  }
}

/** How a task went is said by the word in front of its result. */
function selectShown(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return result
  return Object.fromEntries(
    Object.entries(result).filter(([name]) => name !== 'failed' && name !== 'skipped'),
  )
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

/** What debug has to say, as Ansible shows it: always, and in lines. `message` is text, or JSON of several lines. */
export function renderSaid(message: string): string {
  return message.startsWith('{\n') ? message : `{\n    "msg": ${JSON.stringify(message)}\n}`
}
