import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { isDict, type Value } from '../core/value.ts'
import { outcomeOf, runProgram } from './program.ts'
import { splitWords } from './words.ts'

/** Options that command, shell and script share. */
export const programParams = {
  chdir: { type: 'path', doc: 'Change into this folder of the target first.' },
  creates: { type: 'path', doc: 'A file or glob; when something matches, the task does nothing.' },
  removes: { type: 'path', doc: 'A file or glob; when nothing matches, the task does nothing.' },
} as const
export const stdinParams = {
  stdin: { type: 'text', doc: 'Text for the standard input; may be a secret. Without it: /dev/null.' },
  stdin_add_newline: { type: 'bool', default: true, doc: 'Put a line end after `stdin`.' },
  strip_empty_ends: {
    type: 'bool',
    default: true,
    doc: 'Take line ends off the end of stdout and stderr.',
  },
} as const
export const programReturns = {
  cmd: { doc: 'The words or the text that ran.' },
  rc: { doc: 'Exit status.' },
  stdout: { doc: 'Standard output.' },
  stdout_lines: { doc: 'Standard output as a list of lines.' },
  stderr: { doc: 'Standard error.' },
  stderr_lines: { doc: 'Standard error as a list of lines.' },
  start: { doc: 'When it was sent, by the clock of the operator (UTC).' },
  end: { doc: 'When the answer came.' },
  delta: { doc: 'The time between.' },
} as const

const inArgv = (): never => {
  throw problem('E_PARAMS', 'command: a secret in a command line can be seen by every user of the host', {
    hint: 'give it by `stdin:` or `environment:`, or write it with the shell module, whose text never gets into an argv',
  })
}

function isWord(value: Value): value is string | number | bigint | boolean {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
}

/** The words to start. Throws E_PARAMS for a secret among them and for what is no word. */
function selectArgv(cmd: string | Secret | undefined, argv: Value | undefined): readonly string[] {
  if (cmd instanceof Secret) return inArgv()
  const list: Value = cmd !== undefined ? [...splitWords(cmd)] : (argv ?? [])
  const words = (Array.isArray(list) ? list : [list]).map((word: Value) => {
    if (word instanceof Secret) return inArgv()
    if (!isWord(word))
      throw problem('E_PARAMS', `command: argv holds a ${isDict(word) ? 'dict' : 'value'} that is no word`, {
        hint: 'argv is a list of strings',
      })
    return String(word)
  })
  return words
}

/** In Ansible these are results with an exit status, not arguments that are wrong. */
export const refused = (msg: string): Outcome => ({ changed: false, failed: true, msg, values: { rc: 256 } })

export const command = defineAction({
  name: 'command',
  summary: 'Starts a program on the target, without a shell.',
  notes: [
    'Words are split by the rules of Python’s shlex; `*`, `|`, `>` and `;` are ordinary characters.',
    'A secret among the words is refused, since every user of the host could read it.',
  ],
  freeForm: 'cmd',
  foresees: true,
  params: {
    cmd: { type: 'text', doc: 'The program and its words.' },
    argv: { type: 'any', doc: 'The same as a list, for words with blanks or quotes in them.' },
    expand_argument_vars: {
      type: 'bool',
      default: true,
      doc: 'Replace `~`, `$NAME` and `${NAME}` in the words by what they are in the environment on the target; secrets of `environment:` are not.',
    },
    executable: { type: 'path', doc: 'No longer supported, as in Ansible: a warning is given.' },
    ...programParams,
    ...stdinParams,
  },
  returns: programReturns,
  examples: `
- name: Which kernel
  ansible.builtin.command: uname -r
  changed_when: false
- name: A word with a blank in it
  ansible.builtin.command:
    argv: [touch, /tmp/a file]
    creates: /tmp/a file
`,
  async run(t, args) {
    if (args.cmd !== undefined && args.argv !== undefined)
      return refused('only command or argv can be given, not both')
    const argv = selectArgv(args.cmd, args.argv)
    if (argv.length === 0 || argv[0] === '') return refused('no command given')
    const started = await runProgram(t, {
      start: { argv },
      expands: args.expand_argument_vars,
      chdir: args.chdir,
      creates: args.creates,
      removes: args.removes,
      stdin: args.stdin,
      addNewline: args.stdin_add_newline,
    })
    const outcome = outcomeOf(started, argv, args.strip_empty_ends)
    if (args.executable === undefined) return outcome
    const warning = `command: "executable" is no longer supported, ${args.executable} is not used`
    return { ...outcome, values: { ...outcome.values, warnings: [warning] } }
  },
})
