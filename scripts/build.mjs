// Bundles src/cli/main.ts into dist/: ESM with code splitting, so that `rota --version` loads next to nothing.
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: { rota: 'src/cli/main.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.20',
  minify: false,
  legalComments: 'none',
  // CommonJS packages look for files beside themselves; ssh2's poly1305 does when it is loaded.
  define: {
    ROTA_VERSION: JSON.stringify(version),
    __dirname: 'import.meta.dirname',
    __filename: 'import.meta.filename',
  },
  // Native or optional parts that their packages load themselves when they are there.
  external: ['cpu-features', '*.node', 'pg-native'],
  // CommonJS packages (ssh2) expect these three in every file.
  banner: {
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as __createRequire } from 'node:module';",
      "import { dirname as __dirnameOf } from 'node:path';",
      "import { fileURLToPath as __pathOf } from 'node:url';",
      'const require = __createRequire(import.meta.url), __filename = __pathOf(import.meta.url), __dirname = __dirnameOf(__filename);',
    ].join('\n'),
  },
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
})
chmodSync('dist/rota.mjs', 0o755)
