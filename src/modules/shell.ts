import { defineAction } from '../core/module.ts'
import { programParams, programReturns, stdinParams } from './command.ts'
import { outcomeOf, runProgram } from './program.ts'

export const shell = defineAction({
  name: 'shell',
  summary: 'Runs text in a shell on the target.',
  notes: [
    'A text that holds a secret goes to the shell by a pipe, never by its argv. What the text itself then puts into the argv of other programs is its author’s to avoid: prefer `stdin:` or a built-in such as printf.',
  ],
  freeForm: 'cmd',
  foresees: true,
  params: {
    cmd: { type: 'text', required: true, doc: 'The text.' },
    executable: { type: 'path', default: '/bin/sh', doc: 'The shell; has to understand `-c`.' },
    ...programParams,
    ...stdinParams,
  },
  returns: programReturns,
  examples: `
- name: Count the processes
  ansible.builtin.shell: ps | wc -l
  register: count
  changed_when: false
`,
  async run(t, args) {
    const started = await runProgram(t, {
      start: { text: args.cmd, shell: args.executable },
      chdir: args.chdir,
      creates: args.creates,
      removes: args.removes,
      stdin: args.stdin,
      addNewline: args.stdin_add_newline,
    })
    return outcomeOf(started, args.cmd, args.strip_empty_ends)
  },
})
