import { defineAction } from '../core/module.ts'
import { sh } from '../core/script.ts'

const answer = sh`rt_set answer "$p_data"`

/** What Ansible's module, which is a Python program, leaves behind when it raises an exception. */
const crash = {
  changed: false,
  failed: true,
  msg: 'boom',
  values: { rc: 1, module_stdout: '', module_stderr: 'Exception: boom' },
} as const

export const ping = defineAction({
  name: 'ping',
  summary: 'Proves that the target runs scripts and answers.',
  reads: true,
  params: { data: { type: 'text', default: 'pong', doc: 'What to answer; `crash` fails.' } },
  returns: { ping: { doc: 'The text of `data`, as the target gave it back.' } },
  examples: `
- name: Is it there
  ansible.builtin.ping:
`,
  async run(t, args) {
    if (args.data === 'crash') return crash
    const ran = await t.run(answer, { data: args.data })
    return { changed: false, values: { ping: ran.values['answer'] ?? '' } }
  },
})
