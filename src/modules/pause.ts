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
  rules: { mutuallyExclusive: [['seconds', 'minutes']] },
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

async function waitFor(t: Target, seconds: number, prompt: string | undefined): Promise<void> {
  if (prompt !== undefined) t.say(t.redactor.clean(prompt))
  await setTimeout(seconds * 1000, undefined, { signal: t.stop }).catch(() => {
    throw stopped()
  })
}

async function ask(
  t: Target,
  args: { readonly prompt?: string; readonly echo: boolean },
): Promise<string | Secret> {
  if (!t.operator.ask) {
    t.warn('Not waiting for response to prompt as stdin is not interactive: there is no terminal')
    return ''
  }
  const question = args.prompt ?? 'Press enter to continue, Ctrl+C to interrupt'
  const typed = await t.operator.ask(`${question}:${args.echo ? '' : ' (output is hidden)'}\n`, !args.echo)
  if (typed === undefined) throw stopped()
  if (args.echo) return typed
  const secret = new Secret(typed, 'user_input')
  t.redactor.add(secret)
  return secret
}
