import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { renderDelta, renderOutput, renderTime } from './program.ts'

const look = sh`
case $p_folder in \~/*) p_folder=$HOME/\${p_folder#\~/} ;; esac
job=$p_folder/$p_jid
rt_set file "$job"
if ! [ -f "$job" ]; then rt_set state missing; exit 0; fi
if [ "$p_mode" = cleanup ]; then
  if [ "$p_dry" != 1 ]; then rm -f -- "$job" "$job.out" "$job.err" "$job.pid" "$job.rc"; fi
  rt_set state erased
  exit 0
fi
IFS= read -r begun <"$job"
rt_set begun "$begun"
if [ -f "$job.rc" ]; then
  IFS=' ' read -r code ended <"$job.rc"
  rt_set state finished
  rt_set code "$code"
  rt_set ended "$ended"
  cat "$job.out"
  cat "$job.err" >&2
elif IFS= read -r pid 2>/dev/null <"$job.pid" && ! kill -0 "$pid" 2>/dev/null && ! [ -d "/proc/$pid" ]; then
  rt_set state lost
else
  rt_set state running
fi
`

export const asyncStatus = defineAction({
  name: 'async_status',
  summary: 'What became of a task that was started with async and poll: 0.',
  notes: [
    'The state of such a task is kept on the host in `ansible_async_dir`, by default `~/.ansible_async`.',
  ],
  reads: true,
  params: {
    jid: { type: 'string', required: true, doc: '`ansible_job_id` of the task’s result.' },
    mode: {
      type: 'string',
      choices: ['status', 'cleanup'],
      default: 'status',
      doc: 'Ask, or forget what is kept of it.',
    },
  },
  returns: {
    started: { doc: '1 when there is such a task.' },
    finished: { doc: '1 when it has ended.' },
    ansible_job_id: { doc: 'As given.' },
    results_file: { doc: 'Where its state is kept.' },
    erased: { doc: 'With `mode: cleanup`: what was removed.' },
    rc: { doc: 'Exit status.' },
    stdout: { doc: 'Standard output.' },
    stderr: { doc: 'Standard error.' },
    start: { doc: 'When it began, by the host’s clock (UTC).' },
    end: { doc: 'When it ended.' },
    delta: { doc: 'The time between.' },
  },
  examples: `
- name: Wait for it
  ansible.builtin.async_status:
    jid: "{{ started_task.ansible_job_id }}"
  register: job
  until: job is finished
  retries: 30
  delay: 2
`,
  async run(t, { jid, mode }) {
    if (!/^[\w.-]+$/.test(jid) || jid.startsWith('.'))
      throw problem('E_PARAMS', `async_status: ${JSON.stringify(jid)} is no job id`, {
        hint: 'give `ansible_job_id` of the result of the task that was started',
      })
    const given = t.operator.scope.get('ansible_async_dir')
    const folder = given === undefined ? '~/.ansible_async' : String(t.operator.render(given))
    const ran = await t.run(look, { jid, mode, folder, dry: t.check })
    const { state, file = '', begun = '0', code = '0', ended = '0' } = ran.values
    const values = {
      ansible_job_id: jid,
      results_file: file,
      started: 1,
      finished: state === 'running' ? 0 : 1,
    }
    if (state === 'missing') return { changed: false, failed: true, msg: 'could not find job', values }
    if (state === 'erased') return { changed: true, values: { ...values, erased: file } }
    if (state === 'running') return { changed: false, values }
    if (state === 'lost')
      return {
        changed: false,
        failed: true,
        msg: 'the job was ended before it could say how it went',
        values,
      }
    return finished(
      { ...values, ...renderOutput({ ...ran, exit: Number(code) }, true) },
      Number(begun),
      Number(ended),
    )
  },
})

function finished(values: Readonly<Record<string, unknown>>, begunS: number, endedS: number): Outcome {
  const failed = values['rc'] !== 0
  return {
    changed: true,
    ...(failed ? { failed, msg: 'non-zero return code' } : {}),
    values: {
      ...values,
      start: renderTime(new Date(1000 * begunS)),
      end: renderTime(new Date(1000 * endedS)),
      delta: renderDelta(1000 * (endedS - begunS)),
    },
  }
}
