import { readFile } from 'node:fs/promises'
import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { programParams, programReturns } from './command.ts'
import { outcomeOf, runProgram } from './program.ts'
import { splitWords } from './words.ts'

export const script = defineAction({
  name: 'script',
  summary: 'Runs a script of the operator’s machine on the target.',
  notes: [
    'It is written to a temporary file of mode 0700 that is removed afterwards. Its words reach it as they are: no shell expands them.',
  ],
  freeForm: 'cmd',
  foresees: true,
  refused: {
    decrypt: 'keep the script in plain text and give it its secrets by environment',
  },
  params: {
    cmd: { type: 'text', required: true, doc: 'Path of the script (as for `copy`), then its words.' },
    executable: { type: 'string', doc: 'Program to start it with instead of its own `#!` line.' },
    ...programParams,
  },
  returns: programReturns,
  examples: `
- name: Run a script of ours
  ansible.builtin.script: files/collect.sh --short
  args:
    creates: /var/tmp/collected
`,
  async run(t, args) {
    if (args.cmd instanceof Secret)
      throw problem('E_PARAMS', 'script: a secret in a command line can be seen by every user of the host', {
        hint: 'give it by `environment:`',
      })
    const [path = '', ...argv] = splitWords(args.cmd)
    const local = t.operator.find('files', path)
    const file = await readFile(local)
    if (file.subarray(0, 14).toString('latin1') === '$ANSIBLE_VAULT')
      throw problem('E_VAULT', `${local} is an encrypted script, which is not supported`, {
        hint: 'keep the script in plain text and give it its secrets by `environment:`',
      })
    const executable = splitWords(args.executable ?? '')
    const started = await runProgram(t, {
      start: { file, executable, argv },
      chdir: args.chdir,
      creates: args.creates,
      removes: args.removes,
    })
    if (started.kind === 'skipped') {
      const option = started.why === 'exists' ? 'creates' : 'removes'
      return {
        changed: false,
        skipped: true,
        msg: `${started.path} ${started.why}, matching ${option} option`,
      }
    }
    // In check mode nothing but creates and removes is looked at.
    if (started.kind === 'foreseen') return { changed: false, skipped: true }
    return outcomeOf(started, args.cmd, true)
  },
})
