import { defineAction } from '../core/module.ts'
import { gatherFacts } from './facts/gather.ts'

/** Options that setup and gather_facts share. */
export const factsParams = {
  gather_subset: {
    type: 'list',
    default: ['all'],
    doc: 'Which facts: all, min, hardware, network, virtual, or one by name; a ! in front leaves it out.',
  },
  filter: { type: 'list', default: [], doc: 'Shell patterns of the names to keep; without it all.' },
  fact_path: {
    type: 'path',
    default: '/etc/ansible/facts.d',
    doc: 'Folder on the target with `NAME.fact` files: programs, JSON or INI.',
  },
  gather_timeout: {
    type: 'int',
    default: 10,
    doc: 'Taken for compatibility: no collector here can hang on its own; use the keyword timeout.',
  },
} as const

export const setup = defineAction({
  name: 'setup',
  summary: 'Reads what a host is: its system, hardware, network and users, as `ansible_facts`.',
  notes: [
    'One round trip, and no Python on the target. Facts that need other programs (facter, ohai) are left out.',
    '`ansible_python` is the host’s own python3, when it has one.',
  ],
  reads: true,
  params: factsParams,
  returns: { ansible_facts: { doc: 'The facts; they are the host’s variables from then on.' } },
  examples: `
- name: What the host is
  ansible.builtin.setup:
    gather_subset: ['!all', network]
`,
  async run(t, args) {
    const facts = await gatherFacts(t, args)
    return { changed: false, facts }
  },
})
