import { defineAction } from '../core/module.ts'

export const fail = defineAction({
  name: 'fail',
  summary: 'Fails with a message.',
  reads: true,
  params: { msg: { type: 'string', default: 'Failed as requested from task', doc: 'The message.' } },
  returns: {},
  examples: `
- name: Stop when the disk is full
  ansible.builtin.fail:
    msg: the disk is full
  when: false
`,
  async run(_t, args) {
    return { changed: false, failed: true, msg: args.msg }
  },
})
