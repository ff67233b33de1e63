import type { Module, Outcome, Shown, Target, Told } from '../core/module.ts'
import type { Apply, Change } from '../core/transaction.ts'
import { isSameState, type State } from '../core/value.ts'
import { renderDiffValue } from './result.ts'

export type AnyStateModule = Extract<Module, { kind: 'state' }>
/** Who makes the change: everything of a Change that is not state. */
export type ChangeRef = Omit<Change, 'before' | 'after'>

/**
 * The whole life of a state module, and the only place where `changed`, check mode, diff and the journal's hook are derived:
 * read, want, and when the two differ, write.
 */
export async function runStateModule(
  module: AnyStateModule,
  target: Target,
  args: Readonly<Record<string, unknown>>,
  ref: ChangeRef,
  apply: Apply,
  foresee?: (change: Change) => void,
): Promise<Outcome> {
  const input = module.prepare ? await module.prepare(target, args) : args
  const before = await module.read(target, input)
  const after = module.want(input, before)
  const changed = !isSameState(before, after)
  if (changed && target.check) foresee?.({ ...ref, before, after })
  let told: Told | undefined
  if (changed && target.check) told = await module.foretell?.(target, before, after)
  else if (changed)
    await apply({ ...ref, before, after }, async () => {
      told = (await module.write(target, before, after)) || undefined
    })
  const values = { ...module.result?.(input, before, after), ...told }
  if (!target.diff) return { changed, values }
  const diff = { before: showState(module, before), after: showState(module, after) }
  return {
    changed,
    values: module.hasDiffList ? { diff: changed ? [renderDiffValue(diff)] : [], ...values } : values,
    ...(changed ? { diff } : {}),
  }
}

function showState(module: AnyStateModule, state: State): Shown {
  return module.show?.(state) ?? { header: module.name, text: `${JSON.stringify(state, undefined, 2)}\n` }
}
