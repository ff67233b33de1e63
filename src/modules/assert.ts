import { defineAction, type Outcome } from '../core/module.ts'
import { Template, type Value } from '../core/value.ts'

function textOf(condition: Value): string {
  return condition instanceof Template ? condition.text : String(condition)
}

/** Python's truth of what a condition gave. */
function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Map) return value.size > 0
  return value !== null && value !== false && value !== 0 && value !== 0n && value !== ''
}

export const assert = defineAction({
  name: 'assert',
  summary: 'Fails unless every condition holds.',
  reads: true,
  params: {
    that: { type: 'expression', required: true, doc: 'A condition as in `when`, or a list of them.' },
    fail_msg: { type: 'any', aliases: ['msg'], doc: 'Message (or list of messages) when one does not hold.' },
    success_msg: { type: 'any', doc: 'Message when all hold.' },
    quiet: { type: 'bool', default: false, doc: 'Say nothing of the conditions that hold.' },
  },
  returns: {
    assertion: { doc: 'The first condition that does not hold.' },
    evaluated_to: { doc: 'What it gave.' },
  },
  examples: `
- name: There are two of them
  ansible.builtin.assert:
    that:
      - 1 + 1 == 2
      - "'a' in 'abc'"
    fail_msg: arithmetic is broken
`,
  async run(t, args): Promise<Outcome> {
    const conditions: readonly Value[] = Array.isArray(args.that) ? args.that : [args.that]
    for (const condition of conditions) {
      const value = condition instanceof Template ? t.operator.evaluate(condition) : condition
      if (isTrue(value)) continue
      const text = textOf(condition)
      const msg = args.fail_msg ?? 'Assertion failed'
      const say = typeof msg === 'string' ? msg : text
      return {
        changed: false,
        failed: true,
        msg: say === 'Assertion failed' ? `Assertion failed: ${text}` : say,
        values: { assertion: text, evaluated_to: value, ...(typeof msg === 'string' ? {} : { msg }) },
      }
    }
    const msg = args.success_msg ?? 'All assertions passed'
    if (args.quiet) return { changed: false, shown: '', msg: 'All assertions passed' }
    return typeof msg === 'string' ? { changed: false, msg } : { changed: false, values: { msg } }
  },
})
