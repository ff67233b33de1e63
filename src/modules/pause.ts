import { setTimeout } from 'node:timers/promises'
import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import { renderTime } from './program.ts'

export const pause = defineAction({
  name: 'pause',
  summary: 'Waits.',
  notes: ['It never asks: a run must not hang on a keyboard. Values come in by vars_prompt or -e.'],
  reads: true,
  params: {
    seconds: { type: 'float', doc: 'How long.' },
    minutes: { type: 'float', doc: 'How long.' },
    prompt: { type: 'string', doc: 'Said while it waits.' },
    echo: { type: 'bool', default: true, doc: 'Taken for compatibility: nothing is typed.' },
  },
  rules: { mutuallyExclusive: [['seconds', 'minutes']] },
  returns: {
    start: { doc: 'When it began.' },
    stop: { doc: 'When it ended.' },
    delta: { doc: 'Whole seconds between.' },
    stdout: { doc: 'A sentence that says how long.' },
  },
  examples: `
- name: Let it settle
  ansible.builtin.pause:
    seconds: 1
`,
  async run(t, args) {
    if (args.seconds === undefined && args.minutes === undefined)
      throw problem('E_PARAMS', 'pause: waiting for a key is not supported', {
        hint: 'give seconds or minutes; ask for a confirmation with vars_prompt',
      })
    const seconds = Math.max(0, args.seconds ?? (args.minutes ?? 0) * 60)
    if (args.prompt !== undefined) t.say(t.redactor.clean(args.prompt))
    const start = t.operator.now()
    try {
      await setTimeout(seconds * 1000, undefined, { signal: t.stop })
    } catch {
      throw problem('E_TASK', 'pause: the run was stopped')
    }
    const stop = t.operator.now()
    // Ansible's number is a float of Python.
    const float = (value: number): string => (Number.isInteger(value) ? `${value}.0` : `${value}`)
    const said =
      args.minutes === undefined
        ? `Paused for ${float(seconds)} seconds`
        : `Paused for ${float(args.minutes)} minutes`
    return {
      changed: false,
      values: {
        start: renderTime(start),
        stop: renderTime(stop),
        delta: Math.floor((stop.getTime() - start.getTime()) / 1000),
        echo: args.echo,
        user_input: '',
        rc: 0,
        stdout: said,
        stderr: '',
      },
    }
  },
})
