import type { TemplateOptions } from './module.ts'
import type { Secret } from './secret.ts'
import type { Scope, Template, Value } from './value.ts'

/**
 * The template language behind an interface, so that only `cli` knows the engine. Compiled templates are cached by text
 * for all hosts. Errors are RotaErrors with the template's place: E_TEMPLATE, and E_UNDEFINED naming the variable.
 * Secret in, Secret out: an operation that needs a Secret's text gives a Secret, except that a test or comparison gives a boolean.
 */
export interface Templar {
  /**
   * Renders deeply: Templates evaluated (native types), dict members and list items that are `omit` dropped. Strings are data.
   * `keepsText`: a Template whose text looks like a list or dict stays text.
   */
  render(value: Value, scope: Scope, keepsText?: boolean): Value
  /** A bare expression (`when`, `that`, `var`): its value, native. */
  evaluate(expression: Template, scope: Scope): Value
  /** The text of a template file. `keep_trailing_newline` on, as in Ansible. */
  renderFile(text: string, file: string, scope: Scope, options?: TemplateOptions): string | Secret
  /** Truth by Python's rules, for conditions that yield something else than a boolean. */
  isTrue(value: Value): boolean
}
