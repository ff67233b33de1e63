// `npm run demo` on a machine that has only git and Node: installs and builds what is missing, then plays demo/demo.ts.
import { mkdirSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { build, installDependencies, root } from './setup.mjs'

process.chdir(root)
installDependencies()
build()

const { build: bundle } = await import('esbuild')
mkdirSync('.rota', { recursive: true })
const program = '.rota/demo.mjs'
await bundle({
  entryPoints: ['demo/demo.ts'],
  outfile: program,
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20.20',
  logLevel: 'warning',
})
await import(pathToFileURL(program).href)
