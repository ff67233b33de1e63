// What is left of a run whose values are forgotten still tells its own hosts from those that a colleague went on with.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { realDisk } from '../../src/rotation/disk.ts'
import { forgetSealed } from '../../src/rotation/forget.ts'
import type { HostLocks } from '../../src/rotation/host-lock.ts'
import { resumeRotation, runRotation } from '../../src/rotation/transaction.ts'
import { Fleet, Operator, World } from './simulation.ts'

it('knows the records of the copies on its hosts, and frees none that has others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-forget-'))
  const fleet = new Fleet([['a']])
  const operator = new Operator()
  const live = (work: typeof runRotation, more = {}) =>
    work(new World(fleet), operator.deps({ folder, disk: realDisk, ...more }))
  try {
    expect(await live(runRotation)).toMatchObject({ state: 'committed' })
    const lines = readFileSync(join(folder, 'journal'), 'utf8').trim().split('\n')
    await forgetSealed(folder, new Date(0))
    expect(readFileSync(join(folder, 'journal'), 'utf8')).not.toContain('"sealed":')
    let asked: readonly string[] | undefined
    const hostLocks: Partial<HostLocks> = {
      async free(_host, known) {
        asked = known
      },
    }
    expect(await live(resumeRotation, { hostLocks })).toMatchObject({ state: 'committed' })
    expect(asked).toEqual(expect.arrayContaining(lines.map(line => line.split(' ')[1])))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
