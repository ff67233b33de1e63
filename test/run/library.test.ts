// The operator's own modules: programs in `library`, beside a playbook or in a role.
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { makeFolder, runReal } from './real.ts'

const made: { remove(): void }[] = []
afterEach(() => {
  for (const folder of made.splice(0)) folder.remove()
})
const answer = (json: unknown) =>
  `#!/bin/sh\necho "Welcome"\ncat <<'X'\n${JSON.stringify(json, null, 1)}\nX\n`
const python = '#!/usr/bin/python3\nfrom ansible.module_utils.basic import AnsibleModule\n'
const library = {
  'library/say': '#!/bin/sh\n. "$1"\nprintf \'{"msg": "%s for %s", "changed": true}\' "$word" "$WHO"\n',
  'roles/r/library/json.sh': '#!/bin/sh\n# WANT_JSON\nprintf \'{"msg": "it", "given": %s}\' "$(cat "$1")"\n',
  'roles/r/tasks/main.yml':
    '- json: {a: [1], b: {c: yes}}\n  register: r\n- debug: {msg: "= {{ r.given | to_json }}"}\n',
  'library/odd': '#!/usr/lib/no/python\nprint("Hi")\nprint("{\\"msg\\": \\"it\\"}")\nprint("Bye")\n',
  'library/bad': '#!/bin/sh\necho oops\n',
  'library/own.py': python,
  'library/one': answer({
    ansible_facts: { l: [1, 2], d: { x: 1 }, k: 'one', ansible_host: 'elsewhere', ansible_facts: { z: 1 } },
  }),
  'library/two': answer({ ansible_facts: { l: [2, 3], d: { y: 2 }, k: 'two' } }),
}
async function run(play: string): Promise<readonly (string | undefined)[]> {
  const folder = makeFolder({ ...library, 'play.yml': `- hosts: h1\n${play}` })
  made.push(folder)
  const { events } = await runReal(join(folder.path, 'play.yml'), { gatherFacts: false })
  return events
    .filter((event): event is Extract<RunEvent, { type: 'host.end' }> => event.type === 'host.end')
    .map(({ status, message }) => `${status}: ${message}`)
}

it('a program gets its options and the environment, and answers in JSON', async () => {
  const task = "  tasks: [{say: {word: it's}, environment: {WHO: me}}]\n"
  expect(await run(task)).toEqual(["changed: it's for me"])
  expect(await run('  roles: [r]\n')).toEqual(['ok: it', 'ok: = {"a": [1], "b": {"c": true}}'])
})

it('Python is the host’s or the one that a variable names, and what comes behind the answer is a warning', async () => {
  const play =
    '  tasks: [{odd: , register: r}, {debug: {msg: "= {{ r.warnings }}"}}, {odd: , vars: {ansible_python_interpreter: /no/x}}]\n'
  const [ok, warned, failed] = await run(play)
  expect([ok, failed]).toEqual(['ok: it', 'failed: odd did not answer in JSON'])
  expect(warned).toContain('had junk after the JSON data: Bye')
})

it('one that gives no JSON has failed, and one in Ansible’s Python is no module', async () => {
  expect(await run('  tasks: [{bad: }]\n')).toEqual(['failed: bad did not answer in JSON'])
  await expect(run('  tasks: [{own: }]\n')).rejects.toThrow(/own/)
})

it('facts of several gatherers are merged; none says how a host is reached', async () => {
  const shown = `{{ [l, d, k, ansible_host == 'elsewhere', ansible_facts.ansible_facts is defined] | to_json }}`
  const tasks = `  tasks: [{debug: {msg: "= ${shown}"}}]\n`
  const gathered = await run(`  gather_facts: true\n  vars: {ansible_facts_modules: [one, two]}\n${tasks}`)
  expect(gathered.at(-1)).toBe('ok: = [[1, 2, 3], {"x": 1, "y": 2}, "two", false, false]')
})
