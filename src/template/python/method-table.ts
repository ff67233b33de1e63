import type { Reach } from './brace-format.ts'
import type { Py } from './kinds.ts'
import { type Args, parseSignature, type Signature } from './signature.ts'

export interface Method<Self> {
  readonly signature: Signature
  readonly run: (self: Self, args: Args, reach: Reach) => Py
  /** It changes the list or dict it belongs to, so it is never run twice. */
  readonly isMutator: boolean
}
export type MethodTable = ReadonlyMap<string, Method<Py>>

/** Declares methods as `name: [signature, run]`. */
export function methodTable<Self extends Py>(
  methods: Readonly<Record<string, readonly [string, (self: Self, args: Args, reach: Reach) => Py]>>,
  mutators: readonly string[] = [],
): MethodTable {
  return new Map(
    Object.entries(methods).map(([name, [signature, run]]) => [
      name,
      {
        signature: parseSignature(signature),
        run: run as unknown as Method<Py>['run'],
        isMutator: mutators.includes(name),
      },
    ]),
  )
}
