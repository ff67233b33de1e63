// `npm test`: sets up everything, runs the tests, and ends with the line `N passed, N failed[, N skipped]`.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, installDependencies, installTestPackages, root } from './setup.mjs'

installDependencies()
installTestPackages()
const lab = startLab()
build()

const folder = mkdtempSync(join(tmpdir(), 'rota-test-'))
const outcome = join(folder, 'outcome.json')
// What tests leave behind goes with it; for all users, as /tmp is, since tests log in as several.
const temporary = join(folder, 'tmp')
chmodSync(folder, 0o755)
mkdirSync(temporary)
chmodSync(temporary, 0o1777)
const runner = spawn(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${outcome}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, TMPDIR: temporary } },
)
const [status] = await once(runner, 'exit')
await lab
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, testResults: [] }
try {
  counts = JSON.parse(readFileSync(outcome, 'utf8'))
} catch {
  console.error('test: the test runner wrote no outcome')
}
rmSync(folder, { recursive: true, force: true })
// The tests share one private container engine, so none of them ends it.
if (existsSync(join(root, '.lab/engine/dockerd.pid')))
  spawnSync('bash', [join(root, 'test/lab/engine.sh'), 'down'], { cwd: root, stdio: 'inherit' })
// A file whose set-up fails, or that does not load, has no failed test of its own, but it is a failure.
const isSilent = ({ status, assertionResults }) =>
  status === 'failed' && !assertionResults.some(test => test.status === 'failed')
const found = counts.numFailedTests + counts.testResults.filter(isSilent).length
const failed = found || (status === 0 ? 0 : 1)
const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : ''
console.log(`${counts.numPassedTests} passed, ${failed} failed${skipped}`)
process.exitCode = status === 0 && counts.numPassedTests > 0 && failed === 0 ? 0 : 1

/** What real hosts are made of takes minutes the first time: made beside the first tests. A file that needs it waits for its lock. */
async function startLab() {
  const isWhole = process.argv.length === 2
  if (!isWhole || process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return
  for (const part of ['engine', 'shop']) {
    const child = spawn('bash', [join(root, 'test/lab/setup.sh'), part], { cwd: root, stdio: 'inherit' })
    await once(child, 'exit')
  }
}
