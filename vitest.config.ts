import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Long files first, so that none is alone at the end; but those of real hosts wait for what scripts/test.mjs makes meanwhile. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      if (/\/lab\/|\/real\/|openProductionStage/.test(readFileSync(moduleId, 'utf8'))) return 1
      return /^test\/(e2e|services|modules|remote|differential)\//.test(relative('.', moduleId)) ? 0 : 2
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  define: { ROTA_VERSION: JSON.stringify('0.0.0-test') },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // More than two cores: half of the time the long ones wait for hosts, containers and clocks.
    maxWorkers: 4,
    sequence: { sequencer: LongFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
