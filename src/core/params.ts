import type { Secret } from './secret.ts'
import type { Dict, Value } from './value.ts'

interface Doc {
  readonly doc: string
  /** Other names, as Ansible has them (`path` is also `dest`, `name`). */
  readonly aliases?: readonly string[]
}
interface Opt<T> {
  readonly required?: true
  readonly default?: T
}
/** One option of a module: the source of its type, its JSON Schema, its docs and the editor's schema. */
export type Param = Doc &
  (
    | ({ readonly type: 'string'; readonly choices?: readonly string[] } & Opt<string>)
    | ({ readonly type: 'path' } & Opt<string>)
    /** File mode: `'0644'`, `0644` (octal in YAML 1.1), or symbolic `u=rw,g=r`. Arrives as text. */
    | ({ readonly type: 'mode' } & Opt<string>)
    | ({ readonly type: 'int' } & Opt<number>)
    | ({ readonly type: 'float' } & Opt<number>)
    | ({ readonly type: 'bool' } & Opt<boolean>)
    /** List of strings; one string is split at commas, as Ansible does. */
    | ({ readonly type: 'list' } & Opt<readonly string[]>)
    | ({ readonly type: 'dict' } & Opt<Dict>)
    /** Any value, as rendered. */
    | ({ readonly type: 'any' } & Opt<Value>)
    /** Text that may be a Secret; a plain string is turned into one labelled with the option's name. */
    | ({ readonly type: 'secret' } & Opt<never>)
    /** Text that may or may not be secret: stays what it is. */
    | ({ readonly type: 'text' } & Opt<string>)
    /** A bare expression or a list of them, not rendered before the module gets it (assert's `that`, debug's `var`). */
    | ({ readonly type: 'expression' } & Opt<never>)
  )
export type Params = Readonly<Record<string, Param>>

interface TypeOf {
  string: string
  path: string
  mode: string
  int: number
  float: number
  bool: boolean
  list: readonly string[]
  dict: Dict
  any: Value
  secret: Secret
  text: string | Secret
  expression: Value
}
type ValueOf<P extends Param> = P extends { choices: readonly (infer C)[] } ? C : TypeOf[P['type']]
type IsPresent<P extends Param> = P extends { required: true } | { default: NonNullable<unknown> }
  ? true
  : false
/** The arguments a module gets: checked, coerced, defaults filled in, aliases resolved. */
export type Args<P extends Params> = {
  readonly [K in keyof P as IsPresent<P[K]> extends true ? K : never]: ValueOf<P[K]>
} & { readonly [K in keyof P as IsPresent<P[K]> extends true ? never : K]?: ValueOf<P[K]> }
