// Detached tasks (async with poll: 0) over a real shell: they go on alone, and async_status says what became of them.
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { makeFolder, type Real, runReal } from './real.ts'

const made: { remove(): void }[] = []
afterEach(() => {
  for (const folder of made.splice(0)) folder.remove()
})

async function run(tasks: string): Promise<Real> {
  const head =
    '- hosts: h1\n  gather_facts: false\n  vars: {ansible_async_dir: "{{ playbook_dir }}/jobs"}\n  tasks:\n'
  const folder = makeFolder({ 'play.yml': head + tasks.replace(/^/gm, '    ') })
  made.push(folder)
  return runReal(join(folder.path, 'play.yml'))
}
const ends = ({ events }: Real) =>
  events.filter((event): event is Extract<RunEvent, { type: 'host.end' }> => event.type === 'host.end')
const messages = (real: Real) => ends(real).map(end => end.message)

it('a command goes on alone, with its words, environment and outcome', async () => {
  const real = await run(`
- shell: 'printf "%s" "it''s $X"; echo late >&2; exit 3'
  environment: { X: "a 'quoted' word" }
  async: 30
  poll: 0
  register: job
- debug: { msg: "{{ job is started }} {{ job is finished }} {{ job is changed }}" }
- async_status: { jid: "{{ job.ansible_job_id }}" }
  register: status
  until: status is finished
  retries: 50
  delay: 0.1
  failed_when: status.rc is defined and status.rc != 3
- debug: { msg: "{{ status.rc }} {{ status.stdout }} {{ status.stderr }}" }
- async_status: { jid: "{{ job.ansible_job_id }}", mode: cleanup }
- async_status: { jid: "{{ job.ansible_job_id }}" }
  ignore_errors: true`)
  expect(messages(real)).toEqual(expect.arrayContaining(['True False True', "3 it's a 'quoted' word late"]))
  expect(ends(real).at(-1)).toMatchObject({ status: 'ignored', message: 'could not find job' })
})

it('a detached command ends at its limit', async () => {
  const real = await run(`
- command: sleep 60
  async: 1
  poll: 0
  register: job
- async_status: { jid: "{{ job.ansible_job_id }}" }
  register: status
  until: status is finished
  retries: 100
  delay: 0.1
  ignore_errors: true
- debug: { msg: "is {{ status.rc }}" }`)
  expect(messages(real).at(-1)).toBe('is 143')
})

it('what is no single program is not detached', async () => {
  const real = await run(
    '\n- lineinfile: { line: x, create: true, path: "{{ playbook_dir }}/x" }\n  async: 5\n  poll: 0',
  )
  expect(ends(real)[0]).toMatchObject({
    status: 'failed',
    problem: { code: 'E_TASK', message: 'lineinfile cannot be detached (async with poll: 0)' },
  })
})

it('a task with async that is waited for is a finished job', async () => {
  const real = await run(`
- command: echo hi
  async: 5
  register: job
- debug: { msg: "{{ job is finished }} {{ job.ansible_job_id is match('j[0-9]+[.][0-9]+$') }} {{ job.stdout }}" }`)
  expect(messages(real).at(-1)).toBe('True True hi')
})

it('a task that is waited for says so, and the folder that is named for its state is there', async () => {
  const real = await run(`
- command: sleep 1.2
  async: 5
  poll: 1
- stat: { path: "{{ ansible_async_dir }}" }
  register: folder
- assert: { that: folder.stat.isdir }`)
  const states = real.events.flatMap(event => (event.type === 'host.job' ? [event.state] : []))
  expect(states[0]).toBe('running')
  expect(states.at(-1)).toBe('ok')
  expect(ends(real).map(end => end.status)).toEqual(['changed', 'ok', 'ok'])
})

it('a keyword that is neither true nor false is the failure of a task whose failure is expected', async () => {
  const real = await run(`
- debug: { msg: hi }
  diff: yes.
  ignore_errors: true
  register: one
- debug: { msg: "{{ one.msg is search('is not a valid boolean') }} {{ one is failed }} pre{{ omit }}" }`)
  expect(messages(real).at(-1)).toBe('True True pre__omit_place_holder__')
})

it('words of a command are expanded on the target, but for secrets', async () => {
  const real = await run(`
- command:
    argv: [printf, '%s|', '~', '$A\${A}$NO $SHELL_LESS', '~nobody-here', '$5 $S']
  environment: { A: "a b", S: "{{ lookup('password', '/dev/null') }}" }
  register: out
- command: { cmd: 'printf %s $A', expand_argument_vars: false }
  environment: { A: x }
  register: as_is
- debug: { msg: "{{ out.stdout.split('|')[1:] | join('|') }} {{ as_is.stdout }}" }`)
  expect(messages(real).at(-1)).toBe('a ba b$NO $SHELL_LESS|~nobody-here|$5 $S| $A')
})
