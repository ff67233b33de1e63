// Argument specs in a role's meta/ are checked before the role's tasks, as a task that can be rescued and cannot be skipped by tags.
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { makeFolder, type Real, runReal } from './real.ts'

const made: { remove(): void }[] = []
afterEach(() => {
  for (const folder of made.splice(0)) folder.remove()
})
const spec =
  'argument_specs:\n  main:\n    short_description: The app.\n    options:\n      port: {type: int, required: true}\n'
const role = {
  'roles/app/meta/argument_specs.yml': spec,
  'roles/app/tasks/main.yml': '- debug: {msg: "port {{ port }}"}\n  tags: [app]\n',
  'roles/app/tasks/other.yml': '- debug: {msg: "other"}\n',
}
async function run(play: string, settings = {}): Promise<string[]> {
  const folder = makeFolder({ ...role, 'play.yml': `- hosts: h1\n  gather_facts: false\n${play}` })
  made.push(folder)
  const real: Real = await runReal(join(folder.path, 'play.yml'), settings)
  return real.events
    .filter((event): event is Extract<RunEvent, { type: 'host.end' }> => event.type === 'host.end')
    .map(end => `${end.status}: ${end.message}`)
}
const passed = 'ok: The arg spec validation passed'
const missing = 'Validation of arguments failed:\nmissing required arguments: port'

it('a role that is given what it needs runs', async () => {
  expect(await run('  roles: [{role: app, port: 80}]\n')).toEqual([passed, 'ok: port 80'])
})
it('a role that is given too little does not run, and the failure can be rescued', async () => {
  expect(await run('  roles: [app]\n')).toEqual([`failed: ${missing}`])
  const rescue =
    '  tasks:\n    - block: [{include_role: {name: app}}]\n      rescue: [{debug: {msg: "{{ ansible_failed_result.argument_errors | join }}"}}]\n'
  expect((await run(rescue)).slice(-2)).toEqual([
    `rescued: ${missing}`,
    'ok: missing required arguments: port',
  ])
})
it('other files of tasks, and rolespec_validate: false, are not checked by it', async () => {
  const include = (more: string) => `  tasks:\n    - import_role: {name: app, ${more}}\n`
  expect(await run(include('tasks_from: other'))).toEqual(['ok: other'])
  expect((await run(include('rolespec_validate: false')))[0]).toContain("'port' is undefined")
})
it('no tags leave it out', async () => {
  expect(await run('  roles: [{role: app, port: x}]\n', { tags: ['none'] })).toHaveLength(1)
})
