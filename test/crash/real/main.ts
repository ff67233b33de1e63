// What `npm run crash -- --real N` runs: see scripts/crash.mjs.
import { parseArgs } from 'node:util'
import { listTrials, type RealTrial, RealTrials, type RealVerdict, realFaults } from './real-trials.ts'

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '12' },
    skip: { type: 'string', default: '0' },
    verbose: { type: 'boolean', default: false },
  },
})
const wanted = Number(values.trials)
const began = Date.now()
let trials = await RealTrials.open()
/** A new host, also where the lab took the old one away: that trial says nothing. */
async function reopen(error?: Error): Promise<undefined> {
  if (error) console.log(`the lab failed: ${error.message}`)
  trials.close()
  trials = await RealTrials.open()
  await trials.census()
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    trials.close()
    process.exit(130)
  })
const made: { readonly trial: RealTrial; readonly verdict: RealVerdict }[] = []
try {
  const { operator, host } = await trials.census()
  console.log(
    `points of a run: ${operator.length} of the operator’s process, ${host.length} commands on the host`,
  )
  let skip = Number(values.skip)
  for (const trial of listTrials(operator.length, host.length)) {
    if (skip-- > 0) continue
    if (made.length === wanted) break
    const verdict = await trials.tryOut(trial).catch(reopen)
    if (verdict === undefined) continue
    const where = `${trial.fault} at ${trial.onHost ? 'host ' : ''}point ${trial.at} (${verdict.point || 'not reached'}), ${trial.way}${trial.again ? ` killed at ${trial.again}` : ''}`
    console.log(
      `${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${where}: ${verdict.wrong.length > 0 ? `NOT WHOLE ${verdict.wrong.join('; ')}` : verdict.state}`,
    )
    if (values.verbose || verdict.wrong.length > 0) console.log(verdict.output.replace(/^/gm, '        | '))
    if (verdict.isStruck) made.push({ trial, verdict })
    if (verdict.wrong.length === 0) continue
    // What is not whole would make the next trials wrong too.
    await reopen()
  }
} finally {
  trials.close()
}
const row = (name: string, cells: readonly (number | string)[]): string =>
  `${name.padEnd(52)}${cells.map(cell => String(cell).padStart(10)).join('')}`
const tally = (chosen: typeof made): readonly number[] => {
  const whole = chosen.filter(({ verdict }) => verdict.wrong.length === 0).length
  const twice = chosen.filter(({ trial }) => trial.again !== undefined).length
  return [chosen.length, twice, whole, chosen.length - whole]
}
console.log(row('fault', ['trials', 'twice', 'whole', 'not whole']))
for (const [fault, words] of Object.entries(realFaults))
  console.log(row(`  ${words}`, tally(made.filter(({ trial }) => trial.fault === fault))))
const all = tally(made)
console.log(row('  all', all))
console.log(`${((Date.now() - began) / 1000 / Math.max(1, made.length)).toFixed(1)} s a trial`)
process.exitCode = all[3] === 0 && made.length === wanted ? 0 : 1
