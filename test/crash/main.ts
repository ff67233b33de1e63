// What `npm run crash` runs: see scripts/crash.mjs.
import { parseArgs } from 'node:util'
import { renderTable, runTrials } from './trials.ts'

const { values } = parseArgs({
  options: { trials: { type: 'string', default: '12000' }, first: { type: 'boolean', default: false } },
})
const outcome = await runTrials({ trials: Number(values.trials), isFirstEnough: values.first })
process.stdout.write(`${renderTable(outcome)}\n`)
process.exitCode = outcome.wrong.length > 0 ? 1 : 0
