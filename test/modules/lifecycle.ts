// What holds for every state module, for things that are no files: apply in check mode, apply, apply again, undo.
import { expect } from 'vitest'
import type { Module } from '../../src/core/module.ts'
import type { Session } from '../../src/core/remote.ts'
import { type Script, sh } from '../../src/core/script.ts'
import { isSameState } from '../../src/core/value.ts'
import { makeTarget, ranOf, type TargetOptions } from '../support/target.ts'
import { type Applied, apply, asState } from './harness.ts'

const shell = sh`eval "$p_text"`

/** Output of a shell text in the session. */
export async function look(session: Session, text: string, script: Script = shell): Promise<string> {
  const ran = ranOf(await session.run({ script, params: { text } }))
  return ran.stdout.toString()
}

export interface Lifecycle {
  readonly session: Session
  readonly module: Module
  readonly args: Readonly<Record<string, unknown>>
  /** A shell text whose output tells all that the module may change. */
  readonly world: string
  /** Default true. */
  readonly changed?: boolean
  readonly options?: Partial<TargetOptions>
  /** Leave it as applied. */
  readonly keep?: boolean
}

/** Takes a module through its life and gives back what applying it came to, with the world after that. */
export async function live(one: Lifecycle): Promise<Applied & { readonly world: string }> {
  const { session, module, args } = one
  const target = (more: Partial<TargetOptions>) => makeTarget({ session, ...one.options, ...more })
  const { reread, want, write } = asState(module)
  const start = await look(session, one.world)

  const pretended = await apply(target({ check: true, diff: true }), module, args)
  expect(await look(session, one.world)).toBe(start)
  expect(pretended.changed).toBe(one.changed ?? true)

  const done = await apply(target({ undoable: true }), module, args)
  const world = await look(session, one.world)
  expect(done.changed).toBe(one.changed ?? true)
  const found = await reread(target({ undoable: true }), done.after)
  if (!isSameState(found, done.after)) expect(found).toEqual(done.after)
  expect(isSameState(want(done.input, done.after), done.after)).toBe(true)

  expect((await apply(target({}), module, args)).changed).toBe(false)
  expect(await look(session, one.world)).toBe(world)

  if (done.changed) {
    await write(target({ undoable: true }), done.after, done.before)
    expect(await look(session, one.world)).toBe(start)
    const again = await reread(target({ undoable: true }), done.before)
    if (!isSameState(again, done.before)) expect(again).toEqual(done.before)
    await expect(write(target({}), done.after, done.before)).rejects.toThrow(/no longer as it was read/)
    if (one.keep) await write(target({}), done.before, done.after)
  }
  return { ...done, world }
}
