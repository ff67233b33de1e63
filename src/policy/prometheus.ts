import type { Report, Standing } from './standing.ts'

/** A label's value in the text format: backslash, quote and newline are escaped. */
function renderLabels(labels: Readonly<Record<string, string>>): string {
  const quote = (text: string): string =>
    text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${quote(value)}"`)
    .join(',')}}`
}

const seconds = (time: string): number => Math.floor(new Date(time).getTime() / 1000)

interface Metric {
  readonly name: string
  readonly help: string
  /** Undefined: the series has no sample. */
  readonly value: (standing: Standing) => number | undefined
}
const countOf = ({ agreements }: Standing, found: string): number =>
  agreements.filter(one => one.found === found).length

const metrics: readonly Metric[] = [
  {
    name: 'rota_secret_age_seconds',
    help: 'Time since the value was put in force.',
    value: ({ ageMs }) => (ageMs === undefined ? undefined : Math.floor(ageMs / 1000)),
  },
  {
    name: 'rota_secret_due_timestamp_seconds',
    help: 'When the cryptoperiod of the value ends.',
    value: ({ dueAt }) => (dueAt === undefined ? undefined : seconds(dueAt)),
  },
  {
    name: 'rota_secret_overdue',
    help: '1 when the cryptoperiod is over, or nobody knows how old the value is.',
    value: ({ timeliness }) => Number(timeliness === 'overdue' || timeliness === 'unknown'),
  },
  {
    name: 'rota_secret_drift',
    help: 'How many places hold another value.',
    value: standing => countOf(standing, 'differs'),
  },
  {
    name: 'rota_secret_unknown',
    help: 'How many places could not be asked.',
    value: standing => countOf(standing, 'unknown'),
  },
  {
    name: 'rota_secret_grace_end_timestamp_seconds',
    help: 'Until when the previous value counts.',
    value: ({ graceUntil }) => (graceUntil === undefined ? undefined : seconds(graceUntil)),
  },
]

function renderMetric(name: string, help: string, samples: readonly string[]): string {
  return samples.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${samples.join('')}`
}

/** The report in Prometheus' text format 0.0.4, for the textfile collector of node_exporter. */
export function renderPrometheus({ at, standings, open, unreachable }: Report): string {
  const labelsOf = ({ application, host, secret, duty }: Standing): string =>
    renderLabels({ application, host, secret, class: duty.class, owner: duty.owner })
  const ofSecrets = metrics.map(({ name, help, value }) => {
    const samples = standings.flatMap(standing => {
      const sample = value(standing)
      return sample === undefined ? [] : [`${name}${labelsOf(standing)} ${sample}\n`]
    })
    return renderMetric(name, help, samples)
  })
  return [
    ...ofSecrets,
    renderMetric('rota_runs_held', 'Rotations that wait for a person to decide.', [
      `rota_runs_held ${open.filter(({ isHeld }) => isHeld).length}\n`,
    ]),
    renderMetric('rota_host_unreachable', '1 for a host that did not answer.', [
      ...unreachable.map(host => `rota_host_unreachable${renderLabels({ host })} 1\n`),
    ]),
    renderMetric('rota_status_timestamp_seconds', 'When this was found out.', [
      `rota_status_timestamp_seconds ${seconds(at)}\n`,
    ]),
  ].join('')
}
