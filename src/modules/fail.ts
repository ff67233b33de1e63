import { defineAction } from '../core/module.ts'

export const fail = defineAction({
  name: 'fail',
  summary: 'Fails with a message.',
  reads: true,
  params: {
    msg: { type: 'any', default: 'Failed as requested from task', doc: 'The message, or a list of them.' },
  },
  returns: {},
  examples: `
- name: Stop when the disk is full
  ansible.builtin.fail:
    msg: the disk is full
  when: false
`,
  async run(_t, args) {
    const { msg } = args
    if (typeof msg === 'string') return { changed: false, failed: true, msg }
    return { changed: false, failed: true, values: { msg } }
  },
})
