// What `npm run crash -- --real N` runs: see scripts/crash.mjs.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openContainerHost } from './container-host.ts'
import { openLabHost } from './lab-host.ts'
import { listTrials, type RealFault, type RealTrial, RealTrials, realFaults } from './real-trials.ts'

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '12' },
    host: { type: 'string', default: 'lab' },
    /** So many hosts at once. */
    hosts: { type: 'string', default: '1' },
    /** Each trial made is a line of this file. Those of before count and are not made again. */
    log: { type: 'string' },
    /** That fault alone. */
    fault: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})
const openHost = { lab: openLabHost, container: openContainerHost }[values.host]
if (!openHost) throw new Error(`--host ${values.host}: there is lab and container`)

interface Made {
  readonly index: number
  readonly trial: RealTrial
  readonly point: string
  readonly state: string
  readonly wrong: readonly string[]
  readonly isStruck: boolean
  readonly seconds: number
}
const made: Made[] =
  values.log && existsSync(values.log)
    ? readFileSync(values.log, 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Made)
    : []
const wanted = Number(values.trials)
const known = new Set(made.map(({ index }) => index))
const countStruck = (): number => made.filter(({ isStruck }) => isStruck).length
const open = new Set<RealTrials>()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void Promise.all([...open].map(trials => trials.close())).then(() => process.exit(130))
  })

async function openTrials(): Promise<RealTrials> {
  const trials = await RealTrials.open(openHost!)
  open.add(trials)
  await trials.warmUp()
  return trials
}
async function closeTrials(trials: RealTrials): Promise<void> {
  open.delete(trials)
  await trials.close()
}

/** One host, and trials on it as long as some are wanted. `queue` is shared with the other hosts. */
async function play(
  name: string,
  queue: Iterator<readonly [number, RealTrial]>,
  opened?: RealTrials,
): Promise<void> {
  let trials = opened ?? (await openTrials())
  try {
    while (countStruck() < wanted) {
      const [index, trial] = queue.next().value as readonly [number, RealTrial]
      // Where the lab took the host away, a trial says nothing; what is not whole would make the next ones wrong too.
      if (await tryOut(name, trials, index, trial)) continue
      await closeTrials(trials)
      trials = await openTrials()
    }
  } finally {
    await closeTrials(trials)
  }
}
/** True where the host is good for the next one. */
async function tryOut(name: string, trials: RealTrials, index: number, trial: RealTrial): Promise<boolean> {
  const began = Date.now()
  try {
    const { output, ...verdict } = await trials.tryOut(trial)
    const seconds = (Date.now() - began) / 1000
    const done = { index, trial, ...verdict, seconds }
    made.push(done)
    if (values.log) appendFileSync(values.log, `${JSON.stringify(done)}\n`)
    const isWhole = verdict.wrong.length === 0
    console.log(
      `${name} ${String(countStruck()).padStart(4)} ${seconds.toFixed(0).padStart(4)} s  ${describe(done)}`,
    )
    if (values.verbose || !isWhole) console.log(output.replace(/^/gm, '        | '))
    return isWhole
  } catch (error) {
    console.log(`${name} the lab failed at trial ${index}: ${(error as Error).message}`)
    return false
  }
}
function describe({ trial, point, wrong, state }: Made): string {
  const again = trial.again ? ` killed at ${trial.again}` : ''
  const end = wrong.length > 0 ? `NOT WHOLE ${wrong.join('; ')}` : state
  return `${trial.fault} at ${trial.onHost ? 'host ' : ''}point ${trial.at} (${point || 'not reached'}), ${trial.way}${again}: ${end}`
}

function* wantedTrials(operator: number, host: number): Generator<readonly [number, RealTrial]> {
  let index = 0
  for (const trial of listTrials(operator, host, values.fault as RealFault | undefined)) {
    if (!known.has(index)) yield [index, trial]
    index++
  }
}

const began = Date.now()
const first = await openTrials()
const points = await first.census()
console.log(
  `points of a run: ${points.operator.length} of the operator’s process, ${points.host.length} commands on the host`,
)
const queue = wantedTrials(points.operator.length, points.host.length)
const before = made.length
const hosts = Array.from({ length: Number(values.hosts) }, (_, i) => `host ${i + 1}`)
await Promise.all(hosts.map((name, i) => play(name, queue, i === 0 ? first : undefined)))

const row = (name: string, cells: readonly (number | string)[]): string =>
  `${name.padEnd(72)}${cells.map(cell => String(cell).padStart(10)).join('')}`
const struck = made.filter(({ isStruck }) => isStruck)
const tally = (chosen: readonly Made[]): readonly number[] => {
  const whole = chosen.filter(({ wrong }) => wrong.length === 0).length
  const twice = chosen.filter(({ trial }) => trial.again !== undefined).length
  return [chosen.length, twice, whole, chosen.length - whole]
}
console.log(row('fault', ['trials', 'twice', 'whole', 'not whole']))
for (const [fault, words] of Object.entries(realFaults))
  console.log(row(`  ${words}`, tally(struck.filter(({ trial }) => trial.fault === fault))))
const all = tally(struck)
console.log(row('  all', all))
console.log(`${((Date.now() - began) / 1000 / Math.max(1, made.length - before)).toFixed(1)} s a trial`)
process.exitCode = all[3] === 0 && struck.length >= wanted ? 0 : 1
