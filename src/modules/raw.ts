import { defineAction } from '../core/module.ts'
import { programReturns } from './command.ts'
import { outcomeOf, runProgram } from './program.ts'

export const raw = defineAction({
  name: 'raw',
  summary: 'Runs text in a shell on the target and gives its output back byte by byte.',
  notes: [
    'Every module of rota works without Python, so `raw` is seldom needed: it is `shell` without options, and keeps line ends.',
  ],
  freeForm: 'cmd',
  params: {
    cmd: { type: 'text', required: true, doc: 'The text.' },
    executable: { type: 'path', default: '/bin/sh', doc: 'The shell; has to understand `-c`.' },
  },
  returns: programReturns,
  examples: `
- name: Who am I
  ansible.builtin.raw: id -un
  changed_when: false
`,
  async run(t, args) {
    const started = await runProgram(t, { start: { text: args.cmd, shell: args.executable } })
    return outcomeOf(started, args.cmd, false)
  },
})
