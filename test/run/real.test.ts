// Whole playbooks through the real parts, over the local transport: what needs a real shell, real files or real YAML.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { makeFolder, type Real, runReal } from './real.ts'

const made: { remove(): void }[] = []
afterEach(() => {
  for (const folder of made.splice(0)) folder.remove()
})
function files(all: Readonly<Record<string, string>>): string {
  const folder = makeFolder(all)
  made.push(folder)
  return folder.path
}
const play = (body: string, hosts = 'h1') =>
  `- hosts: ${hosts}\n  gather_facts: false\n  tasks:\n${body.replace(/^/gm, '    ')}\n`
const ends = ({ events }: Real) =>
  events.filter((event): event is Extract<RunEvent, { type: 'host.end' }> => event.type === 'host.end')
const messages = (real: Real) => ends(real).map(end => end.message)

it('a task that takes longer than its timeout leaves the host in an unknown state', async () => {
  const body =
    '- block:\n    - command: sleep 30\n      timeout: 1\n      ignore_errors: true\n  rescue:\n    - debug: {msg: no}\n  always:\n    - debug: {msg: no}'
  const folder = files({ 'play.yml': play(body) })
  const real = await runReal(join(folder, 'play.yml'))
  expect(ends(real).map(end => [end.status, end.problem?.code])).toEqual([['unknown', 'E_UNKNOWN']])
  expect(real.exit).toBe('unknown')
  expect(real.recap['h1']).toMatchObject({ unknown: 1, ok: 0 })
})

it('rota_run and rota_timestamp are there in every play', async () => {
  const body = '- debug: {msg: "{{ rota_run }} {{ rota_timestamp is match(\'[0-9]{8}T[0-9]{6}Z$\') }}"}'
  const folder = files({ 'play.yml': play(body) })
  expect(messages(await runReal(join(folder, 'play.yml')))).toEqual(['run-1 True'])
})

it('a state module shows its diff in check mode and changes the file only without it', async () => {
  const folder = files({
    'f.txt': 'one\n',
    'play.yml': play(
      '- lineinfile: {path: "{{ playbook_dir }}/f.txt", line: two}\n  register: r\n- debug: {msg: "is {{ r.changed }}"}',
    ),
  })
  const checked = await runReal(join(folder, 'play.yml'), { check: true, diff: true })
  expect(ends(checked)[0]).toMatchObject({ status: 'changed', diff: expect.stringContaining('+two') })
  expect(readFileSync(join(folder, 'f.txt'), 'utf8')).toBe('one\n')
  expect(messages(await runReal(join(folder, 'play.yml'))).at(-1)).toBe('is True')
  expect(readFileSync(join(folder, 'f.txt'), 'utf8')).toBe('one\ntwo\n')
  expect(messages(await runReal(join(folder, 'play.yml'))).at(-1)).toBe('is False')
})

it('import_playbook gives its tags, conditions and variables to the plays', async () => {
  const folder = files({
    'play.yml':
      '- import_playbook: sub/other.yml\n  vars: {v: given}\n  when: inventory_hostname == "h2"\n  tags: [t]\n',
    'sub/other.yml': play('- debug: {msg: "{{ v }} {{ playbook_dir | basename }}"}', 'h1,h2'),
    'sub/hosts': '',
  })
  const real = await runReal(join(folder, 'play.yml'), { tags: ['t'] })
  expect(ends(real).map(end => [end.host, end.status, end.message])).toEqual([
    ['h1', 'skipped', undefined],
    ['h2', 'ok', 'given sub'],
  ])
  expect(ends(await runReal(join(folder, 'play.yml'), { tags: ['other'] }))).toEqual([])
})

it('what is wrong with an import is said before any task is run', async () => {
  const folder = files({
    'play.yml': play('- command: touch {{ playbook_dir }}/made\n- import_tasks: nothing.yml'),
  })
  await expect(runReal(join(folder, 'play.yml'))).rejects.toMatchObject({
    code: 'E_FILE',
    at: { line: 5 },
    hint: expect.stringContaining(join(folder, 'nothing.yml')),
  })
})

it('text of a target is never evaluated', async () => {
  const body = [
    "- shell: printf '%s' '{' '{ 1 + 1 }' '}'",
    '  register: r',
    '- set_fact: {y: "{{ r.stdout }}"}',
    '- debug: {msg: "{{ y }} {{ hostvars.h1.r.stdout }}"}',
    '- debug: {msg: "{{ item }}"}',
    '  loop: "{{ r.stdout_lines }}"',
  ].join('\n')
  const folder = files({ 'play.yml': play(body) })
  const real = await runReal(join(folder, 'play.yml'))
  expect(messages(real)[2]).toBe('{{ 1 + 1 }} {{ 1 + 1 }}')
  expect(real.events.filter(event => event.type === 'host.item')).toMatchObject([{ label: '{{ 1 + 1 }}' }])
})

it('each item of an include that names a file that is not there counts as failed, other items together as one', async () => {
  const body = [
    '- block: [{include_tasks: "{{ item }}", loop: [a, b]}]',
    '  rescue: [{debug: {msg: on}}]',
    '- copy: {src: "{{ item }}", dest: /nowhere/x}',
    '  loop: [a, b]',
  ].join('\n')
  const folder = files({ 'play.yml': play(body) })
  const { recap } = await runReal(join(folder, 'play.yml'))
  expect(recap['h1']).toMatchObject({ ok: 1, failed: 3, rescued: 0 })
})

it('a prompt is answered by extra vars, by the operator, or by its default', async () => {
  const folder = files({
    'play.yml': `- hosts: h1
  gather_facts: false
  vars_prompt:
    - {name: a, prompt: A?}
    - {name: b, default: standard}
  tasks:
    - debug: {msg: "{{ a }} {{ b }}"}
`,
  })
  const file = join(folder, 'play.yml')
  expect(messages(await runReal(file, { extraVars: new Map([['a', 'given']]) }))).toEqual(['given standard'])
  const asked = await runReal(file, {}, { askVariable: async ({ name, text }) => `${name}:${text}` })
  expect(messages(asked)).toEqual(['a:A? b:b'])
  await expect(runReal(file)).rejects.toMatchObject({ code: 'E_VARS', hint: 'give it with -e a=VALUE' })
})

it('collections are where roles are looked for first; a role looks in its own and in those of its meta', async () => {
  const say = (text: string) => `- debug: {msg: ${text}}\n`
  const stuff = 'collections/ansible_collections/my/stuff/roles'
  const folder = files({
    'play.yml': `- hosts: h1\n  gather_facts: false\n  collections: [my.none, my.stuff]\n  roles: [greet]\n${play(
      '- include_role: {name: greet}\n- include_role: {name: greet}\n  collections: [my.stuff]',
    )}`,
    'roles/greet/tasks/main.yml': say('plain'),
    [`${stuff}/greet/tasks/main.yml`]: '- include_role: {name: other}\n',
    [`${stuff}/greet/meta/main.yml`]: 'collections: [my.more]\ndependencies: [dep]\n',
    [`${stuff}/other/tasks/main.yml`]: say('other'),
    'collections/ansible_collections/my/more/roles/dep/tasks/main.yml': say('dep'),
  })
  const shown = messages(await runReal(join(folder, 'play.yml'))).filter(
    message => !message?.startsWith('included'),
  )
  expect(shown).toEqual(['dep', 'other', 'plain', 'dep', 'other'])
})
