import { spawnSync } from 'node:child_process'

/** Debian's `age` is the oracle of these tests. Without it they are skipped and say so; in CI they fail. */
export const hasAge = spawnSync('age', ['--version']).status === 0 || process.env['CI'] !== undefined
if (!hasAge) console.log('skipped: tests against age, because it is not installed (apt-get install age)')
