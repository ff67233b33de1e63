import { RotaError } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import { Template, type Value } from '../core/value.ts'

/** What the variable or expression gives; one that is not defined is shown as such instead of failing, as Ansible does. */
function evaluateShown(t: Target, expression: Value): unknown {
  try {
    return t.operator.evaluate(expression)
  } catch (error) {
    if (error instanceof RotaError && error.code === 'E_UNDEFINED') return 'VARIABLE IS NOT DEFINED!'
    throw error
  }
}

export const debug = defineAction({
  name: 'debug',
  summary: 'Shows a message or a variable.',
  notes: ['Secrets are shown by their names only.'],
  reads: true,
  freeForm: 'msg',
  params: {
    msg: { type: 'any', doc: 'What to show; a text, or any other value.' },
    var: { type: 'expression', doc: 'A variable or expression, without braces.' },
    verbosity: { type: 'int', default: 0, doc: 'Show it only with at least this many `-v`.' },
  },
  rules: { mutuallyExclusive: [['msg', 'var']] },
  returns: { msg: { doc: 'The message.' } },
  examples: `
- name: Say hello
  ansible.builtin.debug:
    msg: hello
- name: What is in it
  ansible.builtin.debug:
    var: inventory_hostname
`,
  async run(t, args) {
    if (t.verbosity < args.verbosity)
      return { changed: false, skipped: true, values: { skipped_reason: 'Verbosity threshold not met.' } }
    if (args.var === undefined) return { changed: false, values: { msg: args.msg ?? 'Hello world!' } }
    const name = args.var instanceof Template ? args.var.text : String(args.var)
    return { changed: false, values: { [name]: evaluateShown(t, args.var) } }
  },
})
