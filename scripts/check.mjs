// `npm run check`: types, lint and format, every sh snippet through shellcheck and three shells, generated files fresh.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { installDependencies, installTestPackages, root, run } from './setup.mjs'

installDependencies()
installTestPackages()
const bin = name => join(root, 'node_modules/.bin', name)
run(bin('tsc'), ['-p', '.'])
run(bin('biome'), ['check', '--error-on-warnings', '.'])
const { lintScripts } = await import('./lint-sh.mjs')
const problems = lintScripts()
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
run(process.execPath, ['scripts/gen.mjs', '--check'])
if (spawnSync('git', ['diff', '--check'], { cwd: root, stdio: 'inherit' }).status !== 0) process.exit(1)
console.log('check: clean')
