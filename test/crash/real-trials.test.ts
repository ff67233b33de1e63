// A few trials with the built program on a real host: sshd, sudo, PostgreSQL and the panel. `npm run crash -- --real 200` makes as many.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoLab } from '../lab/labhosts.ts'
import { openLabHost } from './real/lab-host.ts'
import { listTrials, RealTrials } from './real/real-trials.ts'

const noLab = whyNoLab()
if (noLab) console.log(`the real crash trials are skipped: ${noLab}`)

describe.skipIf(noLab !== undefined)('on a real host', () => {
  let trials: RealTrials
  let points: Awaited<ReturnType<RealTrials['census']>>
  beforeAll(async () => {
    trials = await RealTrials.open(openLabHost)
    await trials.warmUp()
    points = await trials.census()
  }, 240_000)
  afterAll(() => trials?.close(), 60_000)

  it('a rotation that is struck by each fault ends all old or all new', async () => {
    const made: string[] = []
    for (const trial of listTrials(points.operator.length, points.host.length)) {
      if (made.length === 9) break
      const { isStruck, point, state, wrong, output } = await trials.tryOut(trial)
      expect(wrong, `${JSON.stringify(trial)} at ${point}: ${state}\n${output}`).toEqual([])
      if (isStruck) made.push(trial.fault)
    }
    expect(points.operator.length).toBeGreaterThan(300)
    expect(points.host.length).toBeGreaterThan(20)
  }, 400_000)

  it.each(['resume', 'rollback'] as const)(
    'the laptop is gone in the middle: an operator with other keys finishes from the host by %s',
    async way => {
      const at = Math.floor(points.operator.length * 0.6)
      const { isStruck, state, wrong, output } = await trials.tryOut({
        fault: 'laptop',
        at,
        onHost: false,
        way,
      })
      expect([isStruck, state, wrong], output).toEqual([
        true,
        way === 'resume' ? 'committed' : 'rolled_back',
        [],
      ])
    },
    120_000,
  )
})
