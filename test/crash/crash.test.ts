// The crash proof in CI's time: a sample of all trials. `npm run crash -- --trials all` makes every one.
import { expect, it } from 'vitest'
import { renderTable, runTrials } from './trials.ts'

it('a rotation that is struck anywhere ends all old or all new, whoever takes it up', async () => {
  const outcome = await runTrials({ trials: 4000 })
  console.log(renderTable(outcome))
  expect(outcome.wrong).toEqual([])
  for (const [fault, { trials, twice, whole }] of outcome.tallies) {
    expect([fault, whole]).toEqual([fault, trials])
    expect(trials, fault).toBeGreaterThan(200)
    expect(twice, fault).toBeGreaterThan(60)
  }
}, 300_000)
