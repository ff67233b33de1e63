import { PassThrough, Writable } from 'node:stream'
import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { parseRegex } from '../core/python-regex.ts'
import type { Ran } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { reveal, Secret } from '../core/secret.ts'
import { fromValue, isDict, type Value } from '../core/value.ts'
import { accept } from '../resources/file.ts'
import { pathScript } from '../resources/path-script.ts'
import { programParams, programReturns, refused } from './command.ts'
import { environmentParams } from './environment.ts'
import { beginning, renderDelta, renderTime, splitLines } from './program.ts'
import { splitWords } from './words.ts'

const params = {
  command: { type: 'string', required: true, doc: 'The program and its words; no shell reads them.' },
  responses: {
    type: 'any',
    required: true,
    doc: 'Dict: a Python regular expression for a prompt, and what to answer; a list answers one after the other. Answers may be secrets.',
  },
  timeout: {
    type: 'int',
    default: 30,
    doc: 'Seconds to wait for the next prompt or the end; 0: no limit.',
  },
  echo: { type: 'bool', default: false, doc: 'The terminal shows what is answered in the output.' },
  ...programParams,
} as const
type ExpectArgs = Args<typeof params>

/** script(1) of util-linux and of busybox makes the terminal. The command's exit status comes through it, behind a mark. */
const onTerminal = joinScripts(
  pathScript,
  beginning,
  sh`
begin
rt_need script "this host has no script(1), which makes the terminal that expect needs"
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
# script(1) gives its text to the shell that this names.
SHELL=/bin/sh
export SHELL
script -q -c "$p_text" /dev/null 8>&-
exit 0
`,
)

/** A prompt and what is still to be answered to it. A single answer is given every time. */
interface Prompt {
  readonly pattern: RegExp
  readonly source: string
  readonly answers: readonly (string | Secret)[]
  readonly isList: boolean
  used: number
}

function parsePrompts(responses: Value): readonly Prompt[] {
  if (!isDict(responses))
    throw problem('E_PARAMS', 'expect: responses must be a dict of prompts and answers', {
      hint: "write responses: { 'Password:': '{{ password }}' }",
    })
  return [...responses].map(([source, given]) => {
    const isList = Array.isArray(given)
    const answers = (isList ? (given as readonly Value[]) : [given]).map(one =>
      one instanceof Secret ? one : String(fromValue(one) ?? ''),
    )
    return {
      pattern: parseRegex(String(source), { dotAll: true }),
      source: String(source),
      answers,
      isList,
      used: 0,
    }
  })
}

/** The next prompt in what was not yet looked at: the leftmost, of several the first that was given. */
function findPrompt(prompts: readonly Prompt[], text: string): { prompt: Prompt; end: number } | undefined {
  const found = prompts.flatMap(prompt => {
    prompt.pattern.lastIndex = 0
    const match = prompt.pattern.exec(text)
    return match === null ? [] : [{ prompt, start: match.index, end: match.index + match[0].length }]
  })
  return found.sort((a, b) => a.start - b.start)[0]
}

const plain = (answer: string | Secret): string => (answer instanceof Secret ? reveal(answer) : answer)

class Expired extends Error {}
class Exhausted extends Error {}

/** Reads the terminal and types the answers. Ending `keys` with an error ends the command. */
class Dialogue {
  readonly keys = new PassThrough()
  output = ''
  #seen = 0
  #timer: NodeJS.Timeout | undefined
  readonly #prompts: readonly Prompt[]
  readonly #timeoutMs: number

  constructor(prompts: readonly Prompt[], timeoutMs: number) {
    this.#prompts = prompts
    this.#timeoutMs = timeoutMs
    this.wait()
  }

  readonly screen = new Writable({
    decodeStrings: true,
    write: (chunk: Buffer, _encoding, done) => {
      this.output += chunk.toString('utf8')
      this.#answer()
      done()
    },
  })

  wait(): void {
    clearTimeout(this.#timer)
    if (this.#timeoutMs > 0) this.#timer = setTimeout(() => this.keys.destroy(new Expired()), this.#timeoutMs)
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #answer(): void {
    for (;;) {
      const found = findPrompt(this.#prompts, this.output.slice(this.#seen))
      if (found === undefined) return
      const { prompt, end } = found
      this.#seen += end
      const next = prompt.isList ? prompt.used : 0
      const answer = prompt.answers[next]
      if (answer === undefined) {
        this.keys.destroy(new Exhausted(`No remaining responses for '${prompt.source}'`))
        return
      }
      prompt.used = next + 1
      this.keys.write(`${plain(answer).replace(/\n+$/, '')}\n`)
      this.wait()
    }
  }
}

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** Runs the words on a terminal of the target. Throws Expired and Exhausted. */
async function converse(t: Target, args: ExpectArgs, words: readonly string[], mark: string) {
  const dialogue = new Dialogue(parsePrompts(args.responses), args.timeout * 1000)
  const silence = args.echo ? '' : 'stty -echo; '
  const text = `${silence}${words.map(quote).join(' ')}; printf '\\n%s %s\\n' ${mark} "$?"`
  const io = { stdin: dialogue.keys, stdout: dialogue.screen }
  const given = {
    ...environmentParams(t),
    text,
    chdir: args.chdir ?? '',
    creates: args.creates ?? '',
    removes: args.removes ?? '',
    dry: false,
  }
  try {
    return { ran: await t.pipe(onTerminal, given, io), output: dialogue.output }
  } finally {
    dialogue.end()
  }
}

/** What the terminal showed, and the exit status behind the mark. Throws E_UNKNOWN when there is none. */
function parseEnd(output: string, mark: string): { readonly shown: string; readonly rc: number } {
  const found = new RegExp(`\\r?\\n${mark} (\\d+)\\r?\\n`).exec(output)
  if (found === null)
    throw problem('E_UNKNOWN', 'expect: the terminal ended before the command said its exit status', {
      hint: 'look on the host what became of it',
    })
  return { shown: output.slice(0, found.index).replace(/[\r\n]+$/, ''), rc: Number(found[1]) }
}

function notStarted(t: Target, args: ExpectArgs, ran: Ran): Outcome | undefined {
  const { skipped, missing } = ran.values
  if (missing !== undefined) return { changed: false, failed: true, msg: missing }
  if (skipped !== undefined) {
    const path = skipped === 'exists' ? args.creates : args.removes
    const stdout = `skipped, since ${path} ${skipped}`
    return { changed: false, values: { cmd: args.command, rc: 0, stdout, stdout_lines: [stdout] } }
  }
  accept(t, ran)
  return undefined
}

export const expect = defineAction({
  name: 'expect',
  summary: 'Runs a program on a terminal of the target and answers its prompts.',
  notes: [
    'The terminal is made by script(1) on the target, which util-linux and most builds of busybox have; where there is none the task is refused.',
    'Answers reach the terminal by the connection’s own channel: never an argv, an environment or a file. An answer that is a secret is best kept from the output: leave `echo` off.',
  ],
  params,
  returns: programReturns,
  examples: `
- name: Set a password that only a prompt takes
  expect:
    command: passwd panel
    responses:
      (?i)password: '{{ panel_password }}'
`,
  async run(t, args): Promise<Outcome> {
    const words = splitWords(args.command)
    if (words.length === 0) return refused('no command given')
    const mark = `rota-${t.operator.random(8).toString('hex')}`
    const start = t.operator.now()
    try {
      const { ran, output } = await converse(t, args, words, mark)
      const nothing = notStarted(t, args, ran)
      if (nothing !== undefined) return nothing
      const { shown, rc } = parseEnd(output, mark)
      const end = t.operator.now()
      return {
        changed: true,
        ...(rc === 0 ? {} : { failed: true, msg: 'non-zero return code' }),
        values: {
          cmd: args.command,
          rc,
          stdout: shown,
          stdout_lines: splitLines(shown),
          start: renderTime(start),
          end: renderTime(end),
          delta: renderDelta(end.getTime() - start.getTime()),
        },
      }
    } catch (error) {
      if (error instanceof Expired) return { changed: true, failed: true, msg: 'command exceeded timeout' }
      if (error instanceof Exhausted) return { changed: true, failed: true, msg: error.message }
      throw error
    }
  },
})
