// The crash proof in CI's time: a sample of all trials. `npm run crash -- --trials all` makes every one.
import { expect, it } from 'vitest'
import { census, stories, tryOut } from './simulated-site.ts'
import { renderTable, runTrials } from './trials.ts'

it('a rotation that is struck anywhere ends all old or all new, whoever takes it up', async () => {
  const outcome = await runTrials({ trials: 2500 })
  console.log(renderTable(outcome))
  expect(outcome.wrong).toEqual([])
  for (const [fault, { trials, twice, whole }] of outcome.tallies) {
    expect([fault, whole]).toEqual([fault, trials])
    expect(trials, fault).toBeGreaterThan(150)
    expect(twice, fault).toBeGreaterThan(40)
  }
}, 300_000)

it('whoever is cut off at the commit does not say committed while a colleague goes back', async () => {
  const [story] = stories
  const ends = new Set<string>()
  for (let at = 1; at <= (await census(story!)).length; at++) {
    const { wrong, point, state } = await tryOut({ story: story!, fault: 'partition', at, way: 'rollback' })
    expect(wrong, `cut off at ${at}: ${point}`).toEqual([])
    ends.add(state)
  }
  expect([...ends].sort()).toEqual(['committed', 'refused', 'rolled_back'])
}, 60_000)
