import { orElse, type Py } from '../python/kinds.ts'
import type { Runtime } from './runtime.ts'

/** The local variables of one nesting level of a template. Levels see outwards, and end in the template's runtime. */
export class Frame {
  readonly runtime: Runtime
  private readonly outer: Frame | undefined
  private vars: Map<string, Py> | undefined
  constructor(runtime: Runtime, outer: Frame | undefined) {
    this.runtime = runtime
    this.outer = outer
  }
  get(name: string): Py {
    return orElse(this.local(name), () => this.runtime.lookup(name))
  }
  private local(name: string): Py | undefined {
    for (let frame: Frame | undefined = this; frame; frame = frame.outer) {
      const value = frame.vars?.get(name)
      if (value !== undefined) return value
    }
    return undefined
  }
  set(name: string, value: Py): void {
    this.vars ??= new Map()
    this.vars.set(name, value)
  }
  inner(): Frame {
    return new Frame(this.runtime, this)
  }
}

/** The outermost level: what is set here is what `import` of the template gets, and what blocks see. */
export class TopFrame extends Frame {
  override set(name: string, value: Py): void {
    this.runtime.exported.set(name, value)
  }
}
