// `npm run gen` writes what is derived: the module index, docs/modules, docs/errors.md, docs/exit-codes.md. `--check` only compares.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { root } from './setup.mjs'

const isCheck = process.argv.includes('--check')
const stale = []

function emit(path, text) {
  const full = join(root, path)
  let now
  try {
    now = readFileSync(full, 'utf8')
  } catch {}
  if (now === text) return
  if (isCheck) stale.push(path)
  else {
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, text)
    console.log(`gen: wrote ${path}`)
  }
}

/** Modules by the one export each file has that defineState or defineAction made. */
function moduleIndex() {
  const files = readdirSync(join(root, 'src/modules')).filter(
    name => name.endsWith('.ts') && !name.endsWith('.generated.ts'),
  )
  const found = files
    .map(file => {
      const text = readFileSync(join(root, 'src/modules', file), 'utf8')
      return {
        file,
        names: [...text.matchAll(/^export const (\w+)(?:: \w+)? = define(?:State|Action)\b/gm)].map(
          m => m[1],
        ),
      }
    })
    .filter(({ names }) => names.length > 0)
    .sort((a, b) => (a.file < b.file ? -1 : 1))
  const imports = found.map(({ file, names }) => `import { ${names.sort().join(', ')} } from './${file}'`)
  const all = found.flatMap(({ names }) => names).sort()
  return `// Made by \`npm run gen\` from the files of this folder.\nimport type { Module } from '../core/module.ts'\n${imports.join('\n')}\n\nexport const modules: readonly Module[] = [\n${all.map(name => `  ${name},`).join('\n')}\n]\n`
}

async function load(entry) {
  const out = join(tmpdir(), `rota-gen-${process.pid}.mjs`)
  await build({
    stdin: { contents: entry, resolveDir: root, loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile: out,
    packages: 'external',
    logLevel: 'warning',
  })
  const text = readFileSync(out, 'utf8')
  rmSync(out)
  // Beside node_modules, so that the external packages resolve.
  const inside = join(root, 'node_modules', `.rota-gen-${process.pid}.mjs`)
  writeFileSync(inside, text)
  try {
    return await import(pathToFileURL(inside).href)
  } finally {
    rmSync(inside)
  }
}

emit('src/modules/index.generated.ts', moduleIndex())
const { documents } = await load(`export { documents } from './src/cli/documents.ts'`)
for (const [path, text] of Object.entries(documents())) emit(path, text)
if (stale.length > 0) {
  console.error(`gen: stale, run \`npm run gen\`: ${stale.join(', ')}`)
  process.exit(1)
}
