import { RotaError } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import { fromValue, Template, type Value } from '../core/value.ts'

/** What the variable or expression gives; one that is not defined is shown as such instead of failing, as Ansible does. */
function evaluateShown(t: Target, expression: Value): Value {
  // With braces it is a template as any other: one that cannot be rendered fails.
  if (expression instanceof Template && expression.text.includes('{{')) return t.operator.render(expression)
  try {
    return t.operator.evaluate(expression)
  } catch (error) {
    if (error instanceof RotaError && error.code === 'E_UNDEFINED') return 'VARIABLE IS NOT DEFINED!'
    throw error
  }
}

/** A text alone is shown as it is; anything else as indented JSON under its name. Secrets show their labels. */
function show(name: string, value: Value): Outcome {
  const plain = fromValue(value)
  const shown =
    name === 'msg' && typeof plain === 'string' ? plain : JSON.stringify({ [name]: plain }, renderBigint, 4)
  return { changed: false, values: { [name]: value }, shown }
}

function renderBigint(_key: string, member: unknown): unknown {
  return typeof member === 'bigint' ? Number(member) : member
}

export const debug = defineAction({
  name: 'debug',
  summary: 'Shows a message or a variable.',
  notes: ['Secrets are shown by their names only.'],
  reads: true,
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
    if (args.var === undefined) return show('msg', args.msg ?? 'Hello world!')
    const name = args.var instanceof Template ? args.var.text : String(args.var)
    return show(name, evaluateShown(t, args.var))
  },
})
