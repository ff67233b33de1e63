import { setTimeout } from 'node:timers/promises'
import { problem, type RotaError } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { renderTime } from './program.ts'

export const pause = defineAction({
  name: 'pause',
  summary: 'Waits, for a time or for the operator.',
  notes: [
    'Without seconds or minutes it asks at the terminal. Where there is none, as in CI, it goes on with a warning; a rotation does not wait for a person and refuses it.',
    'With `echo: false` what is typed is a secret.',
  ],
  reads: true,
  params: {
    seconds: { type: 'float', doc: 'How long.' },
    minutes: { type: 'float', doc: 'How long.' },
    prompt: { type: 'string', doc: 'What is asked, or said while it waits.' },
    echo: { type: 'bool', default: true, doc: 'Show what is typed.' },
  },
  rules: { mutuallyExclusive: [['minutes', 'seconds']] },
  returns: {
    start: { doc: 'When it began.' },
    stop: { doc: 'When it ended.' },
    delta: { doc: 'Whole seconds between.' },
    user_input: { doc: 'What was typed.' },
    echo: { doc: 'Whether that was shown.' },
    stdout: { doc: 'A sentence that says how long.' },
  },
  examples: `
- name: Let it settle
  ansible.builtin.pause:
    seconds: 1

- name: Look before it goes on
  ansible.builtin.pause:
    prompt: Is the new page as it should be? (Enter goes on, ^C ends the run)
`,
  async run(t, args) {
    const start = t.operator.now()
    const isTimed = args.seconds !== undefined || args.minutes !== undefined
    const typed = isTimed ? '' : await ask(t, args)
    const seconds = Math.max(0, args.seconds ?? (args.minutes ?? 0) * 60)
    if (isTimed) await waitFor(t, seconds, args.prompt)
    const stop = t.operator.now()
    const deltaS = (stop.getTime() - start.getTime()) / 1000
    const said =
      args.seconds === undefined
        ? `Paused for ${renderFloat(args.minutes ?? Math.round(deltaS / 0.6) / 100)} minutes`
        : `Paused for ${renderFloat(seconds)} seconds`
    return {
      changed: false,
      values: {
        start: renderTime(start),
        stop: renderTime(stop),
        delta: Math.floor(deltaS),
        echo: args.echo,
        user_input: typed,
        rc: 0,
        stdout: said,
        stderr: '',
      },
    }
  },
})

/** Ansible's number is a float of Python. */
const renderFloat = (value: number): string => (Number.isInteger(value) ? `${value}.0` : `${value}`)

const stopped = (): RotaError => problem('E_TASK', 'pause: the run was stopped')
const aborted = (): RotaError => problem('E_TASK', 'user requested abort!')
const CHOICE = "Press 'C' to continue the play or 'A' to abort"
const INTERRUPT = '\u0003'

/** What a key means once it was asked whether to go on. */
function chosen(key: string): 'continue' | 'abort' | undefined {
  if (key.toLowerCase() === 'c') return 'continue'
  return key.toLowerCase() === 'a' || key === INTERRUPT ? 'abort' : undefined
}

async function waitFor(t: Target, seconds: number, prompt: string | undefined): Promise<void> {
  const done = new AbortController()
  const sleep = (): Promise<void> =>
    setTimeout(seconds * 1000, undefined, { signal: AbortSignal.any([t.stop, done.signal]) })
  const { readKeys } = t.operator
  if (prompt !== undefined && !readKeys) t.say(t.redactor.clean(prompt))
  if (!readKeys)
    return sleep().catch(() => {
      throw stopped()
    })
  const how = "(ctrl+C then 'C' = continue early, ctrl+C then 'A' = abort)"
  const lines = [`Pausing for ${seconds} seconds`, how, ...(prompt === undefined ? [] : [`${prompt}:`])]
  const over = new AbortController()
  let isAsked = false
  // Who was asked is waited for.
  sleep().then(
    () => isAsked || over.abort(),
    () => isAsked || over.abort(),
  )
  // First the keys, then what asks for them: ^C is the run's before.
  const choosing = readKeys(key => {
    if (isAsked) return chosen(key)
    if (key === INTERRUPT) {
      isAsked = true
      t.say(t.redactor.clean(CHOICE))
    }
    return undefined
  }, over.signal)
  t.say(t.redactor.clean(lines.join('\n')))
  const choice = await choosing
  done.abort()
  if (t.stop.aborted) throw stopped()
  if (choice === 'abort' || (isAsked && choice === undefined)) throw aborted()
}

async function ask(
  t: Target,
  args: { readonly prompt?: string; readonly echo: boolean },
): Promise<string | Secret> {
  if (!t.operator.ask) {
    t.warn('Not waiting for response to prompt as stdin is not interactive')
    return ''
  }
  const question = args.prompt ?? 'Press enter to continue, Ctrl+C to interrupt'
  const typed = await t.operator.ask(`${question}${args.echo ? '' : ' (output is hidden)'}:\n`, !args.echo)
  if (typed === undefined) {
    const choosing = t.operator.readKeys?.(chosen, t.stop)
    t.say(t.redactor.clean(CHOICE))
    if ((await choosing) !== 'continue') throw aborted()
    return ''
  }
  if (args.echo) return typed
  const secret = new Secret(typed, 'user_input')
  t.redactor.add(secret)
  return secret
}
