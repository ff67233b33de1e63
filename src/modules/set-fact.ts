import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import type { Value } from '../core/value.ts'

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** `k=v` text gives only strings; Ansible turns these into booleans. */
function booleanOf(value: Value): Value {
  if (typeof value !== 'string') return value
  if (/^(?:true|yes|false|no)$/i.test(value)) return /^(?:true|yes)$/i.test(value)
  return value
}

export const setFact = defineAction({
  name: 'set_fact',
  summary: 'Gives variables to the host, for the rest of the run.',
  reads: true,
  otherParams: { type: 'any', doc: 'The value of the variable of this name.' },
  params: {
    cacheable: {
      type: 'bool',
      default: false,
      doc: 'It is a fact as well: `meta: clear_facts` drops it there, and `fact_caching` keeps it.',
    },
  },
  returns: { ansible_facts: { doc: 'The variables.' } },
  examples: `
- name: Remember two things
  ansible.builtin.set_fact:
    release: "1.2"
    port: 8080
`,
  async run(t, args) {
    const given = Object.entries(args as Readonly<Record<string, Value>>).filter(
      ([name]) => name !== 'cacheable',
    )
    if (given.length === 0)
      throw problem('E_PARAMS', 'set_fact: no variable given', { hint: 'write `set_fact: { name: value }`' })
    const bad = given.find(([name]) => !NAME.test(name))
    if (bad)
      throw problem('E_PARAMS', `set_fact: ${JSON.stringify(bad[0])} is not a valid variable name`, {
        hint: 'use letters, digits and _, not beginning with a digit',
      })
    const facts = new Map<string, Value>(
      given.map(([name, value]) => [name, t.keepsText ? value : booleanOf(value)]),
    )
    return { changed: false, facts, values: { ansible_facts: facts } }
  },
})
