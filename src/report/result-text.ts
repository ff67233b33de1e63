/** A result's JSON as ansible-playbook prints it: keys sorted, a blank after commas and colons; text that is no JSON stays as it is. */
export function renderResult(json: string): string {
  try {
    return renderSorted(sortMembers(selectShown(JSON.parse(json))))
  } catch {
    return json
  }
}

/** The same in lines. */
export function renderLines(json: string): string {
  try {
    return JSON.stringify(sortMembers(selectShown(JSON.parse(json))), null, 4)
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

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, sortMembers(member)]))
}

function renderSorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderSorted).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(
    ([key, member]) => `${JSON.stringify(key)}: ${renderSorted(member)}`,
  )
  return `{${members.join(', ')}}`
}

/** What debug has to say, as Ansible shows it: always, and in lines. `message` is text, or JSON of several lines. */
export function renderSaid(message: string): string {
  return message.startsWith('{\n') ? message : `{\n    "msg": ${JSON.stringify(message)}\n}`
}
