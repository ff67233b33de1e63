import { problem } from '../core/error.ts'
import type { Source } from '../core/source.ts'
import type { Dict, Value } from '../core/value.ts'
import { renderLabel } from './result.ts'

/** The rendered options of one of the engine's own actions, taken out one by one so that what is left can be refused. */
export interface Options {
  /** The first of the names that is given. */
  take(...names: readonly string[]): Value | undefined
  takeText(...names: readonly string[]): string | undefined
  /** A list, or text with commas. */
  takeList(...names: readonly string[]): string[]
  /** Everything that was not taken. */
  rest(): ReadonlyMap<string, Value>
  /** Throws E_PARAMS for the first option that was not taken. */
  refuseRest(): void
}

export function createOptions(
  action: string,
  args: Dict,
  where: { readonly at: Source; readonly argsAt: ReadonlyMap<string, Source> },
): Options {
  const left = new Map([...args].map(([key, value]) => [String(key), value]))
  const take = (...names: readonly string[]): Value | undefined => {
    const name = names.find(each => left.has(each))
    const value = name === undefined ? undefined : left.get(name)
    for (const each of names) left.delete(each)
    return value
  }
  return {
    take,
    takeText(...names) {
      const value = take(...names)
      return value === undefined || value === null ? undefined : renderLabel(value)
    },
    takeList(...names) {
      const value = take(...names)
      if (value === undefined || value === null) return []
      const list = Array.isArray(value) ? (value as readonly Value[]) : renderLabel(value).split(',')
      return list.map(each => renderLabel(each).trim()).filter(each => each !== '')
    },
    rest: () => left,
    refuseRest() {
      for (const name of left.keys())
        throw problem('E_PARAMS', `${action} has no option "${name}"`, {
          at: where.argsAt.get(name) ?? where.at,
          hint: 'remove it, or look it up in the documentation of the action',
        })
    },
  }
}

/** Throws E_PARAMS naming what is missing. */
export function requireOption<T>(action: string, name: string, value: T | undefined, at: Source): T {
  if (value !== undefined && value !== '') return value
  throw problem('E_PARAMS', `${action} needs ${name}`, { at, hint: `write ${name}: VALUE` })
}
