import { defineAction } from '../core/module.ts'
import { gatherFacts } from './facts/gather.ts'
import { factsParams } from './setup.ts'

export const gatherFactsModule = defineAction({
  name: 'gather_facts',
  summary: 'Reads what a host is; the same as `setup`, under the name that plays use.',
  reads: true,
  params: {
    ...factsParams,
    parallel: {
      type: 'bool',
      default: false,
      doc: 'Taken for compatibility: there is one collector of facts.',
    },
  },
  returns: { ansible_facts: { doc: 'The facts; they are the host’s variables from then on.' } },
  examples: `
- name: What the host is
  ansible.builtin.gather_facts:
`,
  async run(t, args) {
    return { changed: false, facts: await gatherFacts(t, args) }
  },
})
