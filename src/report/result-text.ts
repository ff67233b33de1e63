/** A result's JSON as ansible-playbook prints it: keys sorted, a blank after commas and colons; text that is no JSON stays as it is. */
export function renderResult(json: string): string {
  try {
    return renderSorted(JSON.parse(json))
  } catch {
    return json
  }
}

function renderSorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderSorted).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}: ${renderSorted(member)}`)
  return `{${members.join(', ')}}`
}

/** What debug and assert have to say, as Ansible shows it: always, and in lines. `message` is text, or JSON of several lines. */
export function renderSaid(message: string): string {
  return message.startsWith('{\n') ? message : `{\n    "msg": ${JSON.stringify(message)}\n}`
}
