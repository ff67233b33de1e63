// No effect without a point: the harness watches doors, and here it is held that there is no other way out.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { realDisk } from '../../src/rotation/disk.ts'
import { onlyReads } from './doors.ts'
import { census, stories, tryOut } from './simulated-site.ts'
import { Tripwire } from './tripwire.ts'

const root = join(import.meta.dirname, '..', '..')
const src = join(root, 'src')
const sources = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
  .map(entry => join(entry.parentPath, entry.name))
  .map(path => ({ path: relative(src, path), text: readFileSync(path, 'utf8') }))

interface Doors {
  /** What can change something: strike.mjs passes a point there. */
  readonly points: Readonly<Record<string, readonly string[]>>
  /** Changes nothing, or only what is the process's own. */
  readonly harmless: Readonly<Record<string, readonly string[]>>
  /** Every byte to and from other machines goes through these, and is a point. */
  readonly network: readonly string[]
}
const { points, harmless, network } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'real', 'doors.json'), 'utf8'),
) as Doors
const imports = /^import (?!type)(?:(\w+)|\{([^}]*)\}) from '(node:[\w/]+)'/gm
/** What a file imports of Node: [module, name], `default` for the whole of it. Types are no effects. */
function importsOf(text: string): [string, string][] {
  return [...text.matchAll(imports)].flatMap(([, whole, names, from]) =>
    whole
      ? [[from!, 'default'] as [string, string]]
      : names!
          .split(',')
          .map(name => name.trim().split(' as ')[0]!)
          .filter(name => name !== '' && !name.startsWith('type '))
          .map((name): [string, string] => [from!, name]),
  )
}
/** Modules of Node that reach beyond the process. */
const reaching =
  /^node:(fs|fs\/promises|child_process|net|tls|dgram|http|https|http2|worker_threads|cluster|sqlite)$/

function findUnwatched(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(([from]) => reaching.test(from) && !network.includes(from))
      .filter(([from, name]) => {
        const known = [...(points[from] ?? []), ...(harmless[from] ?? [])]
        return !known.includes(name)
      })
      .map(([from, name]) => `${path}: ${name} of ${from}`),
  )
}

it('everything that the source imports of Node and that can change something is watched in the real trials', async () => {
  expect(findUnwatched(sources)).toEqual([])
  const effects = sources.flatMap(({ text }) => importsOf(text)).filter(([from]) => reaching.test(from))
  expect(effects.length).toBeGreaterThan(40)
  const handle = await open('/dev/null')
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(handle))
  await handle.close()
  const known = [...points['FileHandle']!, ...harmless['FileHandle']!]
  expect(methods.filter(name => !known.includes(name))).toEqual([])
})

it('finds an effect that was added without a point', () => {
  const file = (text: string) => [{ path: 'rotation/new.ts', text }]
  expect(findUnwatched(file("import { fchmodSync, readFileSync } from 'node:fs'\n"))).toEqual([
    'rotation/new.ts: fchmodSync of node:fs',
  ])
  expect(findUnwatched(file("import { createSocket } from 'node:dgram'\n"))).toHaveLength(1)
  expect(findUnwatched(file("import fs from 'node:fs/promises'\n"))).toHaveLength(1)
})

it('the transaction itself reaches the disk by one file, and hosts by the world it is given', () => {
  const own = sources.filter(({ path }) => path.startsWith('rotation/'))
  const doors = own.filter(({ text }) => importsOf(text).some(([from]) => reaching.test(from)))
  // disk.ts is watched as a whole; lock.ts reads /proc; run-folder.ts makes and lists folders before there is a journal.
  expect(doors.map(({ path }) => path)).toEqual([
    'rotation/disk.ts',
    'rotation/lock.ts',
    'rotation/run-folder.ts',
  ])
})

it('each method of the disk and of its files is a point, or is known to only read', async () => {
  for (const story of stories) await census(story)
  // A torn end is cut off only by a recovery.
  const at = 1 + (await census(stories[0]!)).indexOf('disk append, half')
  await tryOut({ story: stories[0]!, fault: 'kill', at, way: 'resume' })
  const folder = mkdtempSync(join(tmpdir(), 'rota-doors-'))
  const file = await realDisk.openAppend(join(folder, 'file'))
  await file.close()
  rmSync(folder, { recursive: true })
  const methods = [...Object.keys(realDisk), ...Object.keys(file)]
  const unseen = methods.filter(name => !onlyReads.has(name) && !Tripwire.seen.has(`disk ${name}`))
  expect(unseen).toEqual([])
})

it('the scripts of the transaction change a host by the lines that the simulated one has, and by no other', () => {
  const lines = sources
    .filter(({ path }) => path.startsWith('rotation/') || path === 'core/fence.ts')
    .flatMap(({ path, text }) =>
      [...text.matchAll(/sh`([\s\S]*?[^\\])`/g)].flatMap(([, script]) =>
        [
          ...script!
            .replace(/^#.*$/gm, '')
            .matchAll(/\b(mkdir|ln|rm|mv|cp|sync|touch|chmod|tee|dd|printf[^\n|;]*>>?"\S+)/g),
        ]
          .filter(([, word], i, all) => word !== 'sync' || all[i - 1]?.[1] !== 'sync')
          .map(([, word]) => `${path}: ${word!.split(' ')[0]}`),
      ),
    )
  expect(lines).toEqual([
    'rotation/host-journal.ts: mkdir',
    'rotation/host-journal.ts: printf',
    'rotation/host-journal.ts: sync',
    'rotation/host-lock.ts: printf',
    'rotation/host-lock.ts: ln',
    'rotation/host-lock.ts: rm',
    'rotation/host-lock.ts: sync',
    'rotation/host-lock.ts: rm',
    'rotation/host-lock.ts: mkdir',
    'rotation/host-lock.ts: printf',
    'rotation/host-lock.ts: sync',
    'rotation/host-lock.ts: mv',
    // A command of its own, for runs that are long over.
    'rotation/host-prune.ts: rm',
    'rotation/host-prune.ts: rm',
  ])
})
