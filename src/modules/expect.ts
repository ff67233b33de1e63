import { PassThrough, Writable } from 'node:stream'
import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Ran } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import type { Dict, Value } from '../core/value.ts'
import { environmentParams } from './environment.ts'
import { splitLines } from './program.ts'
import { parseRegex } from './python-regex.ts'
import { splitWords } from './words.ts'

/*
 * script(1) gives the program a terminal; its own stdin is what is typed there. What it starts is a text for a shell, so the words are
 * put in quotes here. The exit status comes by a file, since not every script(1) hands it on.
 */
const onTerminal = sh`
if [ -n "$p_chdir" ]; then cd -- "$p_chdir" || rt_fail "Unable to change directory before execution: $p_chdir"; fi
if [ -n "$p_creates" ] && [ -e "$p_creates" ]; then rt_set skipped exists; exit 0; fi
if [ -n "$p_removes" ] && ! [ -e "$p_removes" ]; then rt_set skipped 'does not exist'; exit 0; fi
command -v script >/dev/null 2>&1 || rt_fail "this host has no script(1), which gives a program a terminal"
command -v -- "$p_arg0" >/dev/null 2>&1 || rt_fail "The command was not found or was not executable: $p_arg0"
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
quote() { printf "'%s' " "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
text=''
i=0
while [ "$i" -lt "$p_argc" ]; do eval "word=\$p_arg$i"; text="$text$(quote "$word")"; i=$((i + 1)); done
status=$(mktemp) || exit 1
trap 'rm -f -- "$status"' EXIT
echo=''
if [ "$p_echo" = 0 ]; then echo='stty -echo;'; fi
script -q -c "$echo $text; printf %s \$? >$(quote "$status")" /dev/null 8>&-
rt_set code "$(cat "$status")"
exit 0
`

interface Prompt {
  readonly pattern: RegExp
  readonly text: string
  /** What is typed, in order; the last one again and again when there is only one. */
  readonly answers: readonly (string | Secret)[]
  readonly isRepeated: boolean
}

function parsePrompts(responses: Dict): readonly Prompt[] {
  const isText = (value: Value): value is string | Secret =>
    typeof value === 'string' || value instanceof Secret
  return [...responses].map(([key, value]) => {
    const text = String(key)
    const answers = (Array.isArray(value) ? value : [value]).map((one: Value) =>
      typeof one === 'number' ? String(one) : one,
    )
    if (!answers.every(isText))
      throw problem('E_PARAMS', `expect: the response to ${JSON.stringify(text)} is no text`, {
        hint: 'write a text or a list of texts',
      })
    return { pattern: parseRegex(text), text, answers, isRepeated: !Array.isArray(value) }
  })
}

/** Types an answer whenever a prompt has been seen in what came since the last one. */
class Dialogue {
  readonly keyboard = new PassThrough()
  problem: string | undefined
  private output = ''
  private seen = 0
  private readonly given = new Map<Prompt, number>()
  private timer: NodeJS.Timeout | undefined
  private readonly prompts: readonly Prompt[]
  private readonly timeoutMs: number

  constructor(prompts: readonly Prompt[], timeoutMs: number) {
    this.prompts = prompts
    this.timeoutMs = timeoutMs
    this.wait()
  }

  get text(): string {
    return this.output
  }

  readonly screen = new Writable({
    decodeStrings: true,
    write: (chunk: Buffer, _encoding, done) => {
      this.output += chunk.toString('utf8')
      this.answer()
      done()
    },
  })

  /** Interrupts the program, and hangs up should that not be enough. */
  private stop(why: string): void {
    this.problem ??= why
    clearTimeout(this.timer)
    this.keyboard.write('\x03')
    this.timer = setTimeout(() => this.keyboard.end('\x04'), 2000)
  }

  private wait(): void {
    clearTimeout(this.timer)
    if (this.timeoutMs > 0)
      this.timer = setTimeout(() => this.stop('command exceeded timeout'), this.timeoutMs)
  }

  /** The prompt that comes first in what has not been answered yet. */
  private next(): { readonly prompt: Prompt; readonly end: number } | undefined {
    const found = this.prompts.flatMap(prompt => {
      prompt.pattern.lastIndex = this.seen
      const match = prompt.pattern.exec(this.output)
      return match === null || match[0] === ''
        ? []
        : [{ prompt, start: match.index, end: match.index + match[0].length }]
    })
    return found.sort((a, b) => a.start - b.start)[0]
  }

  private answer(): void {
    for (let found = this.next(); found !== undefined && this.problem === undefined; found = this.next()) {
      const { prompt, end } = found
      const count = this.given.get(prompt) ?? 0
      const answer = prompt.answers[prompt.isRepeated ? 0 : count]
      this.seen = end
      if (answer === undefined) {
        this.stop(`No remaining responses for '${prompt.text}'`)
        return
      }
      this.given.set(prompt, count + 1)
      this.keyboard.write(`${answer instanceof Secret ? reveal(answer) : answer}\n`)
      this.wait()
    }
  }

  end(): void {
    clearTimeout(this.timer)
    this.keyboard.end()
  }
}

export const expect = defineAction({
  name: 'expect',
  summary: 'Start a program on a terminal and answer what it asks.',
  notes: [
    'The target needs script(1), which Debian and RHEL have in any installation. No shell looks at the command: use `sh -c` for pipes.',
    'Answers may be secrets: they are typed, and are in no command line. A program that shows what is typed shows them: leave echo off.',
  ],
  params: {
    command: { type: 'string', required: true, doc: 'The program and its words.' },
    responses: {
      type: 'dict',
      required: true,
      doc: 'Regular expression of Python’s to what is typed when it is seen: one text for each time, or a list for one after the other.',
    },
    timeout: {
      type: 'int',
      default: 30,
      doc: 'Seconds to wait for the next thing that is expected; 0 or less for ever.',
    },
    chdir: { type: 'path', default: '', doc: 'Folder to be in.' },
    creates: { type: 'path', default: '', doc: 'Do nothing when this is there.' },
    removes: { type: 'path', default: '', doc: 'Do nothing when this is not there.' },
    echo: { type: 'bool', default: false, doc: 'The terminal shows what is typed.' },
  },
  returns: {
    cmd: { doc: 'The command.' },
    rc: { doc: 'Its exit status; null when it did not end in time.' },
    stdout: { doc: 'What stood on the terminal.' },
    stdout_lines: { doc: 'The same as a list of lines.' },
  },
  examples: `
- expect:
    command: passwd deploy
    responses: { (?i)password: "{{ new_password }}" }
  no_log: true
`,
  async run(t: Target, args): Promise<Outcome> {
    const words = splitWords(args.command)
    if (words.length === 0) throw problem('E_PARAMS', 'no command given', { hint: 'add command' })
    const dialogue = new Dialogue(parsePrompts(args.responses), args.timeout * 1000)
    const params = {
      ...environmentParams(t),
      chdir: args.chdir,
      creates: args.creates,
      removes: args.removes,
      echo: args.echo,
      argc: words.length,
      ...Object.fromEntries(words.map((word, i) => [`arg${i}`, word])),
    }
    const ran = await t
      .pipe(onTerminal, params, { stdin: dialogue.keyboard, stdout: dialogue.screen })
      .finally(() => dialogue.end())
    return outcomeOf(t, args.command, ran, dialogue)
  },
})

function outcomeOf(t: Target, cmd: string, ran: Ran, dialogue: Dialogue): Outcome {
  const said = t.redactor.clean(ran.stderr.toString().trim())
  if (ran.exit !== 0) throw problem('E_TASK', `expect: ${said}`, { hint: 'check the command and the folder' })
  if (ran.values['skipped'] !== undefined)
    return { changed: false, values: { cmd, rc: 0, stdout: `skipped, since it ${ran.values['skipped']}` } }
  const stdout = dialogue.text.replace(/[\r\n]+$/, '')
  const rc = dialogue.problem === undefined ? Number(ran.values['code'] || 1) : null
  const values = { cmd, rc, stdout, stdout_lines: splitLines(stdout) }
  if (rc === 0) return { changed: true, values }
  return { changed: true, failed: true, msg: dialogue.problem ?? 'non-zero return code', values }
}
