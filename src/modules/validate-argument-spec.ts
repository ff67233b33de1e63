import { defineAction } from '../core/module.ts'
import { findArgumentErrors } from './argument-spec.ts'

export const validateArgumentSpec = defineAction({
  name: 'validate_argument_spec',
  summary: 'Check variables by an argument spec, as those of roles are checked.',
  notes: ['Checked are required, type, elements, choices, aliases and the same of `options` inside.'],
  reads: true,
  params: {
    argument_spec: { type: 'dict', required: true, doc: 'What each variable has to be.' },
    provided_arguments: { type: 'dict', doc: 'The values. Default: the variables of these names.' },
    validate_args_context: { type: 'dict', doc: 'Where the spec is from; returned as it is.' },
  },
  returns: {
    argument_errors: { doc: 'List of what is wrong.' },
    argument_spec_data: { doc: 'The spec, when something is wrong.' },
    validate_args_context: { doc: 'As given.' },
  },
  examples: `
- validate_argument_spec:
    argument_spec:
      port: { type: int, required: true }
      mode: { type: str, choices: [blue, green] }
  vars: { port: 3000, mode: blue }
`,
  async run(t, { argument_spec, provided_arguments, validate_args_context }) {
    const names = [...argument_spec.keys()].map(String)
    const found = names.flatMap(name => {
      const value = t.operator.scope.get(name)
      return value === undefined ? [] : [[name, t.operator.render(value)] as const]
    })
    const errors = findArgumentErrors(argument_spec, new Map([...found, ...(provided_arguments ?? [])]))
    const context = { validate_args_context: validate_args_context ?? new Map() }
    if (errors.length === 0) return { changed: false, msg: 'The arg spec validation passed', values: context }
    return {
      changed: false,
      failed: true,
      msg: `Validation of arguments failed:\n${errors.join('\n')}`,
      values: { ...context, argument_errors: errors, argument_spec_data: argument_spec },
    }
  },
})
