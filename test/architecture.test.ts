// The layer table of ARCHITECTURE.md, enforced: imports, packages, cycles, who may reveal, sizes.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const src = join(root, 'src')
const architecture = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')

/** The rows of the table that follows a heading. */
function table(heading: string): string[][] {
  const section = architecture.split(/^## /m).find(part => part.startsWith(heading)) ?? ''
  return section
    .split('\n')
    .filter(line => line.startsWith('| '))
    .slice(2)
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
}
const list = (cell: string | undefined): string[] => (cell ? cell.split(', ') : [])
const rows = table('Who may import whom')
const mayImport = Object.fromEntries(rows.map(([folder, , imports]) => [folder!, list(imports)]))
const packageHome = new Map<string, string[]>()
for (const [folder, , , packages] of rows)
  for (const name of list(packages)) packageHome.set(name, [...(packageHome.get(name) ?? []), folder!])
const mayReveal = table('Who may reveal a secret').map(([file]) => file!.replaceAll('`', ''))

interface File {
  readonly path: string
  readonly text: string
}
const files = (folder: string): File[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.generated.ts'))
    .map(entry => join(entry.parentPath, entry.name))
    .map(path => ({ path, text: readFileSync(path, 'utf8') }))

/** Static and dynamic imports: [names, specifier]. */
function importsOf(text: string): { names: string; from: string }[] {
  const found = [...text.matchAll(/^(?:import|export)\s([^'"`;=]*?)\bfrom\s*'([^']+)'/gm)]
  const bare = [...text.matchAll(/^import\s*'([^']+)'/gm), ...text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)]
  return [...found.map(m => ({ names: m[1]!, from: m[2]! })), ...bare.map(m => ({ names: '', from: m[1]! }))]
}
function packageOf(specifier: string): string {
  const [scope, name] = specifier.split('/')
  return scope!.startsWith('@') ? `${scope}/${name}` : scope!
}

function violations(all: readonly File[]): string[] {
  return all.flatMap(({ path, text }) => {
    const here = relative(src, path)
    const layer = here.split('/')[0]!
    return importsOf(text).flatMap(({ names, from }) => {
      const bad: string[] = []
      if (/\breveal\b/.test(names) && !mayReveal.includes(here)) bad.push(`${here}: may not reveal secrets`)
      if (from.startsWith('.')) {
        const to = relative(src, resolve(dirname(path), from)).split('/')[0]!
        if (to !== layer && !mayImport[layer]?.includes(to))
          bad.push(`${here}: ${layer} may not import ${to}`)
      } else if (!from.startsWith('node:') && !packageHome.get(packageOf(from))?.includes(layer))
        bad.push(
          `${here}: ${packageOf(from)} belongs in ${packageHome.get(packageOf(from))?.join(', ') ?? 'no folder'}`,
        )
      return bad
    })
  })
}

it('src keeps to the layer table', () => {
  const all = files(src).filter(file => relative(src, file.path).includes('/'))
  expect(all.length).toBeGreaterThan(10)
  expect(violations(all)).toEqual([])
})

it('the table has no cycle and no folder that src lacks', () => {
  const depth = (layer: string, seen: readonly string[]): number => {
    expect(seen).not.toContain(layer)
    return Math.max(0, ...mayImport[layer]!.map(next => 1 + depth(next, [...seen, layer])))
  }
  for (const layer of Object.keys(mayImport)) depth(layer, [])
  expect(Object.keys(mayImport).sort()).toEqual(
    readdirSync(src, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
      .sort(),
  )
})

it('every dependency is in the table, and nothing else is', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect([...packageHome.keys()].sort()).toEqual(Object.keys(dependencies).sort())
})

it('no source file is longer than 300 lines', () => {
  const long = files(src).filter(file => file.text.split('\n').length > 301)
  expect(long.map(file => relative(root, file.path))).toEqual([])
})

it('the reading tour names files that are there, and fits into an afternoon', () => {
  const section = architecture.split(/^## /m).find(part => part.startsWith('Read it in an afternoon'))!
  let folder = ''
  const paths = [...section.matchAll(/`([a-z0-9/-]+(?:\/|\.ts))`/g)].flatMap(([, name = '']) => {
    if (name.endsWith('/')) folder = name
    // A name with its folder stands for itself.
    const isWhole = mayImport[name.split('/')[0]!] !== undefined
    return name.endsWith('/') ? [] : [isWhole ? name : folder + name]
  })
  expect(paths.length).toBeGreaterThan(25)
  const lines = paths.map(path => readFileSync(join(src, path), 'utf8').split('\n').length - 1)
  expect(lines.reduce((sum, count) => sum + count, 0)).toBeLessThan(6_000)
})

it('exports only what another file uses', () => {
  const all = [...files(src), ...files(join(root, 'test')), ...files(join(root, 'demo'))]
  const words = new Map(all.map(file => [file.path, new Set(file.text.match(/\w+/g))]))
  const listed = readFileSync(join(src, 'modules/index.generated.ts'), 'utf8')
  // What scripts ask for by name, and what the list of modules has.
  const read = new Set(['documents', ...(listed.match(/\w+/g) ?? [])])
  const unused = all.flatMap(({ path, text }) =>
    [...text.matchAll(/^export (?:async )?(?:function\*?|const|class) (\w+)/gm)]
      .map(([, name = '']) => name)
      .filter(name => !read.has(name) && ![...words].some(([other, set]) => other !== path && set.has(name)))
      .map(name => `${relative(root, path)}: ${name}`),
  )
  expect(unused).toEqual([])
})

it('catches a break of each rule', () => {
  const file = (path: string, text: string): File => ({ path: join(src, path), text })
  expect(
    violations([
      file('modules/file.ts', "import type { Session } from '../remote/session.ts'"),
      file('report/terminal.ts', "import type { Engine } from '../run/engine.ts'"),
      file('run/engine.ts', "import {\n  Client,\n} from 'ssh2'"),
      file('report/jsonl.ts', "import { reveal } from '../core/secret.ts'"),
      file('run/late.ts', "const x = await import('lodash')"),
    ]),
  ).toEqual([
    'modules/file.ts: modules may not import remote',
    'report/terminal.ts: report may not import run',
    'run/engine.ts: ssh2 belongs in remote',
    'report/jsonl.ts: may not reveal secrets',
    'run/late.ts: lodash belongs in no folder',
  ])
})
