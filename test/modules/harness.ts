// What holds for every state module, shown on tables of cases: apply, apply again, check mode, undo; in three shells.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Module, Target } from '../../src/core/module.ts'
import type { Session } from '../../src/core/remote.ts'
import { isSameState, type State } from '../../src/core/value.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget, type TargetOptions } from '../support/target.ts'

export type StateModule = Extract<Module, { kind: 'state' }>
export type ActionModule = Extract<Module, { kind: 'action' }>
type Arguments = Readonly<Record<string, unknown>>

/** A host with busybox and nothing else: its applets, and no other program, are on PATH. */
function busyboxOnly(): string {
  const folder = join(tmpdir(), `rota-busybox-applets-${userInfo().uid}`)
  if (!existsSync(join(folder, 'sh'))) {
    const made = mkdtempSync(`${folder}-`)
    execFileSync('busybox', ['--install', '-s', made])
    writeFileSync(join(made, 'busybox-only'), `#!${folder}/sh\nPATH=${folder} exec ${folder}/sh "$@"\n`)
    chmodSync(join(made, 'busybox-only'), 0o755)
    try {
      renameSync(made, folder)
    } catch {
      rmSync(made, { recursive: true })
    }
  }
  return folder
}

export const shells: Readonly<Record<string, readonly string[]>> = {
  dash: ['/bin/dash'],
  busybox: [join(busyboxOnly(), 'busybox-only')],
  bash: ['/bin/bash', '--posix'],
}

export function asState(module: Module): StateModule {
  if (module.kind !== 'state') throw new Error(`${module.name} is not a state module`)
  return module
}
export function asAction(module: Module): ActionModule {
  if (module.kind !== 'action') throw new Error(`${module.name} is not an action module`)
  return module
}

/** What the engine's check of arguments leaves: defaults filled in. */
export function withDefaults(module: Module, args: Arguments): Arguments {
  const defaults = Object.entries(module.params).flatMap(([name, param]) =>
    'default' in param && param.default !== undefined ? [[name, param.default] as const] : [],
  )
  return { ...Object.fromEntries(defaults), ...args }
}

export interface Applied {
  readonly changed: boolean
  readonly before: State
  readonly after: State
  readonly result: Readonly<Record<string, unknown>>
  readonly input: unknown
}

/** What the engine does with a state module. */
export async function apply(t: Target, anyModule: Module, args: Arguments): Promise<Applied> {
  const module = asState(anyModule)
  const full = withDefaults(module, args)
  const input = module.prepare ? await module.prepare(t, full) : full
  const before = await module.read(t, input)
  const after = module.want(input, before)
  const changed = !isSameState(before, after)
  const told =
    changed && (await (t.check ? module.foretell?.(t, before, after) : module.write(t, before, after)))
  return {
    changed,
    before,
    after,
    input,
    result: { ...module.result?.(input, before, after), ...(told || {}) },
  }
}

export function act(t: Target, module: Module, args: Arguments) {
  return asAction(module).run(t, withDefaults(module, args))
}

/** What a folder is made of: text is a file 0644; `dir`, `link` and `mode` say otherwise. */
export type Layout = Readonly<
  Record<
    string,
    | string
    | Buffer
    | { readonly dir: string }
    | { readonly link: string }
    | { readonly text: string; readonly mode: number }
  >
>

export function makeFolder(layout: Layout = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'rota-files-'))
  for (const [name, entry] of Object.entries(layout)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof entry === 'string' || Buffer.isBuffer(entry)) {
      writeFileSync(path, entry)
      chmodSync(path, 0o644)
    } else if ('dir' in entry) {
      mkdirSync(path)
      chmodSync(path, Number.parseInt(entry.dir, 8))
    } else if ('link' in entry) symlinkSync(entry.link, path)
    else {
      writeFileSync(path, entry.text)
      chmodSync(path, entry.mode)
    }
    if (!(typeof entry === 'object' && 'link' in entry)) utimesSync(path, 1_700_000_000, 1_700_000_000)
  }
  return folder
}

/** Every path of a folder with kind, mode, owner and content: equal when nothing but times differs. */
export function snapshot(folder: string, at = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(join(folder, at)).sort()) {
    const path = join(at, name)
    const full = join(folder, path)
    const stat = lstatSync(full)
    const who = `${(stat.mode & 0o177777).toString(8)} ${stat.uid}:${stat.gid}`
    if (stat.isSymbolicLink()) found[path] = `${who} -> ${readlinkSync(full)}`
    else if (stat.isFile()) found[path] = `${who} ${readFileSync(full, 'latin1')}`
    else found[path] = who
    if (stat.isDirectory()) Object.assign(found, snapshot(folder, path))
  }
  return found
}

export interface Case {
  readonly name: string
  readonly files?: Layout
  /** Arguments; `DIR` in any text is the case's folder. */
  readonly args: Arguments
  /** The texts of files afterwards (null: not there), and modes as `'0644'` under `mode:NAME`. */
  readonly expect?: Readonly<Record<string, string | null>>
  /** Default true. */
  readonly changed?: boolean
  readonly result?: Readonly<Record<string, unknown>>
  /** It fails, with an error that has this in it; nothing is changed. */
  readonly fails?: string | RegExp
  /** A second run changes again (touch, a replacement that matches itself). */
  readonly repeats?: boolean
  /** Paths that an undo leaves: backups. */
  readonly leaves?: RegExp
  /** Gives files to another user. */
  readonly needsRoot?: boolean
}

function fill(value: unknown, folder: string): unknown {
  if (typeof value === 'string') return value.replaceAll('DIR', folder)
  if (Array.isArray(value)) return value.map(member => fill(member, folder))
  if (value instanceof Object && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member, folder)]))
  return value
}

function expectFiles(folder: string, wanted: NonNullable<Case['expect']>): void {
  const found = Object.fromEntries(
    Object.keys(wanted).map(key => {
      if (key.startsWith('mode:'))
        return [key, (lstatSync(join(folder, key.slice(5))).mode & 0o7777).toString(8).padStart(4, '0')]
      const stat = lstatSync(join(folder, key), { throwIfNoEntry: false })
      if (stat === undefined) return [key, null]
      if (stat.isSymbolicLink()) return [key, `-> ${readlinkSync(join(folder, key))}`]
      return [key, stat.isDirectory() ? 'directory' : readFileSync(join(folder, key), 'utf8')]
    }),
  )
  expect(found).toEqual(wanted)
}

async function tryCase(module: Module, one: Case, options: TargetOptions): Promise<void> {
  const folder = makeFolder(one.files)
  const args = fill(one.args, folder) as Arguments
  const start = snapshot(folder)
  const target = (more: Partial<TargetOptions>): Target => makeTarget({ ...options, folder, ...more })
  try {
    if (one.fails !== undefined) {
      await expect(apply(target({}), module, args)).rejects.toThrow(one.fails)
      expect(snapshot(folder)).toEqual(start)
      return
    }
    const pretended = await apply(target({ check: true, diff: true }), module, args)
    expect(snapshot(folder)).toEqual(start)
    expect(pretended.changed).toBe(one.changed ?? true)

    const done = await apply(target({ undoable: true }), module, args)
    expect(done.changed).toBe(one.changed ?? true)
    if (one.expect) expectFiles(folder, one.expect)
    if (one.result) expect(fill(done.result, folder)).toMatchObject(fill(one.result, folder) as object)
    const { reread, want, write } = asState(module)
    const found = await reread(target({ undoable: true }), done.after)
    if (!isSameState(found, done.after)) expect(found).toEqual(done.after)
    expect(isSameState(want(done.input, done.after), done.after) || one.repeats === true).toBe(true)

    if (!one.repeats) {
      const applied = snapshot(folder)
      expect((await apply(target({}), module, args)).changed).toBe(false)
      expect(snapshot(folder)).toEqual(applied)
    }
    if (done.changed) {
      await write(target({ undoable: true }), done.after, done.before)
      const left = Object.entries(snapshot(folder)).filter(([path]) => !one.leaves?.test(path))
      expect(Object.fromEntries(left)).toEqual(start)
      const again = await reread(target({ undoable: true }), done.before)
      if (!isSameState(again, done.before)) expect(again).toEqual(done.before)
      // From a state that is not there any more nothing is written.
      await expect(write(target({}), done.after, done.before)).rejects.toThrow(/no longer as it was read/)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every case in every shell; a case may be given options of its own by `options`. */
export function describeCases(
  module: Module,
  cases: readonly Case[],
  options: Partial<TargetOptions> = {},
): void {
  describe.each(Object.keys(shells))(`${module.name} under %s`, shell => {
    let session: Session
    beforeAll(async () => {
      session = await openLocalSession({ shell: shells[shell]! })
    })
    afterAll(() => session.close())
    for (const one of cases) {
      const isLeftOut = one.needsRoot === true && !isRoot()
      it.skipIf(isLeftOut)(isLeftOut ? `${one.name}: skipped, it needs root` : one.name, async () => {
        await tryCase(module, one, { ...options, session })
      })
    }
  })
}

export function isRoot(): boolean {
  return userInfo().uid === 0
}
