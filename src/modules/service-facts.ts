import { defineAction } from '../core/module.ts'
import { toValue, type Value } from '../core/value.ts'
import { accept } from '../resources/file.ts'
import { listServices } from '../resources/service-script.ts'

interface Service {
  readonly name: string
  readonly state: string
  readonly status: string
  readonly source: string
}

/** `systemctl list-units` and `list-unit-files`: a unit that is loaded, and one that only has a file. */
function parseSystemd(lines: readonly string[]): readonly Service[] {
  const found = new Map<string, Service>()
  const rows = (kind: string) =>
    lines
      .filter(line => line.startsWith(`${kind} `))
      .map(line => line.replace(/[●*]/g, ' ').trim().split(/\s+/).slice(1))
  for (const [name = '', load = '', active = '', sub = ''] of rows('unit')) {
    const bad = [load, active].find(word => ['not-found', 'masked', 'failed'].includes(word))
    const state = bad === undefined && sub === 'running' ? 'running' : 'stopped'
    found.set(name, { name, state, status: bad ?? 'unknown', source: 'systemd' })
  }
  for (const [name = '', status = ''] of rows('file')) {
    const unit = found.get(name)
    if (unit === undefined) found.set(name, { name, state: 'inactive', status, source: 'systemd' })
    else if (unit.status === 'unknown') found.set(name, { ...unit, status })
  }
  return [...found.values()]
}

/** ` [ + ]  name` of `service --status-all`. */
function parseInit(lines: readonly string[]): readonly Service[] {
  return lines.flatMap(line => {
    const [, sign, name] = /^init\s+\[\s*([-+?])\s*\]\s+(\S+)/.exec(line) ?? []
    if (name === undefined) return []
    const state = sign === '+' ? 'running' : sign === '-' ? 'stopped' : 'unknown'
    return [{ name, state, status: 'unknown', source: 'sysv' }]
  })
}

/** ` name  [ started ]` of rc-status and ` name | default` of rc-update. */
function parseOpenrc(lines: readonly string[]): readonly Service[] {
  const levels = new Set(lines.flatMap(line => /^level\s+(\S+)\s+\|\s+\S/.exec(line)?.[1] ?? []))
  const running = new Map(
    lines.flatMap(line => {
      const [, name, state] = /^status\s+(\S+)\s.*\[\s*(\w+)\s/.exec(line) ?? []
      return name === undefined ? [] : [[name, state ?? ''] as const]
    }),
  )
  return [...new Set([...running.keys(), ...levels])].map(name => ({
    name,
    state: running.get(name) === 'started' ? 'running' : (running.get(name) ?? 'stopped'),
    status: levels.has(name) ? 'enabled' : 'disabled',
    source: 'openrc',
  }))
}

const parsers = { systemd: parseSystemd, openrc: parseOpenrc, sysv: parseInit } as const

export const serviceFacts = defineAction({
  name: 'service_facts',
  summary: 'Tell which services the host has, as facts.',
  reads: true,
  params: {},
  returns: {
    ansible_facts: {
      doc: 'Dict `services`: by name, each with name, state (`running`, `stopped` …), status (`enabled`, `disabled`, `unknown` …) and source.',
    },
  },
  examples: `
- service_facts:
- debug: { msg: The panel runs }
  when: ansible_facts.services['panel.service'].state == 'running'
`,
  async run(t) {
    const ran = accept(t, await t.run(listServices))
    const lines = ran.stdout.toString().split('\n')
    const found = parsers[ran.values['manager'] as keyof typeof parsers](lines)
    const services = Object.fromEntries(found.map(one => [one.name, one]))
    const facts = new Map<string, Value>([['services', toValue(services)]])
    return { changed: false, facts, values: { ansible_facts: facts } }
  },
})
