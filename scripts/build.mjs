// Bundles src/cli into dist/: rota.mjs, which answers `rota --version` by itself, and program.cjs with everything else. One file, and not
// an ES module, because only then can what V8 compiled of it be kept (src/cli/code-cache.ts).
import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const program = 'dist/program.cjs'
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  legalComments: 'none',
  logLevel: 'warning',
}

rmSync('dist', { recursive: true, force: true })
await build({
  ...shared,
  entryPoints: ['src/cli/program.ts'],
  outfile: program,
  format: 'cjs',
  define: { 'import.meta.dirname': '__dirname' },
  // The file is run by hand, so that nothing but require can load more.
  supported: { 'dynamic-import': false },
  // Native or optional parts that their packages load themselves when they are there.
  external: ['cpu-features', '*.node', 'pg-native'],
})
const hash = createHash('sha256').update(readFileSync(program)).digest('hex').slice(0, 16)
await build({
  ...shared,
  entryPoints: { rota: 'src/cli/main.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  chunkNames: '[name]',
  format: 'esm',
  splitting: true,
  define: { ROTA_VERSION: JSON.stringify(version), ROTA_BUILD: JSON.stringify(hash) },
  banner: { js: '#!/usr/bin/env node' },
})
chmodSync('dist/rota.mjs', 0o755)
