// What a run is told when a test says nothing else.
import type { Settings } from '../../src/run/engine.ts'

export const plainSettings: Settings = {
  forks: 5,
  check: false,
  diff: false,
  tags: ['all'],
  skipTags: [],
  extraVars: new Map(),
  verbosity: 0,
  forceHandlers: false,
  gatherFacts: false,
  runId: 'run-1',
  version: '0',
}
