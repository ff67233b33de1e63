// What `rota run` prints where nothing is run, and how it says that a playbook is wrong: in Ansible's words, which scripts look for.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { rota } from './rota.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-cli-lists-'))
afterAll(() => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'roles/web/tasks'), { recursive: true })
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
const run = (...args: string[]) => rota(folder, ['run', '-i', 'localhost,', ...args])

write('roles/web/tasks/main.yml', '- name: of the role\n  debug:\n- ping:\n  tags: never\n')
write('imported.yml', '- ping:\n  tags: [b, a]\n')
write(
  'site.yml',
  `- hosts: localhost
  name: first
  tags: all_of_it
  vars: { word: templated }
  roles: [web]
  tasks:
    - block:
        - { name: in a block, ping: , tags: "{{ word }}" }
      always:
        - { name: at last, ping: , tags: x }
    - import_tasks: imported.yml
    - include_tasks: later.yml
    - meta: flush_handlers
`,
)

describe('what would run', () => {
  it('is listed with roles and imports in place and tags rendered', () => {
    expect(run('site.yml', '--list-tasks').stdout).toBe(`
playbook: site.yml

  play #1 (localhost): first\tTAGS: [all_of_it]
    tasks:
      web : of the role\tTAGS: [all_of_it]
      in a block\tTAGS: [all_of_it, templated]
      at last\tTAGS: [all_of_it, x]
      ping\tTAGS: [a, all_of_it, b]
      include_tasks\tTAGS: [all_of_it]
      meta\tTAGS: [all_of_it]
`)
    const chosen = run('site.yml', '--list-tasks', '--list-tags', '--list-hosts', '--tags', 'a,x').stdout
    expect(chosen).toContain("    pattern: ['localhost']\n    hosts (1):\n      localhost\n    tasks:\n")
    expect(chosen).toContain('      TASK TAGS: [a, all_of_it, b, x]\n')
    expect(chosen).not.toContain('in a block')
  })
  it('has all its roles, or --syntax-check says so', () => {
    write('lacks.yml', '- { hosts: localhost, roles: [nowhere] }\n')
    expect(run('site.yml', '--syntax-check')).toMatchObject({ exit: 0, stdout: '\nplaybook: site.yml\n' })
    const lacking = run('lacks.yml', '--syntax-check')
    expect([lacking.exit, lacking.stderr]).toEqual([
      65,
      expect.stringContaining("ERROR! the role 'nowhere' was not found"),
    ])
  })
})

it('groups of names that no variable can have are named anew where the configuration says so', () => {
  write('dashed', '[a-b]\nlocalhost\n')
  const list = (wish: string) =>
    rota(folder, ['inventory', '-i', 'dashed', '--graph'], {
      env: { ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS: wish },
    })
  const [always, never] = [list('always'), list('never')]
  expect(always.stdout).toContain('@a_b:')
  expect(always.stderr).toContain('Invalid characters were found in group names and automatically')
  expect(never.stdout).toContain('@a-b:')
  expect(never.stderr).toContain('Invalid characters were found in group names but not replaced')
})

describe('what cannot be a handler', () => {
  it.each([
    ['block: [{ ping: }, { block: [{ ping: }] }]', 'Using a block as a handler is not supported.'],
    ['import_role: { name: web }', "Using 'import_role' as a handler is not supported."],
    ['include_role: { name: web }', "Using 'include_role' as a handler is not supported."],
    ['meta: flush_handlers', 'flush_handlers cannot be used as a handler'],
  ])('%s', (handler, said) => {
    write('handler.yml', `- hosts: localhost\n  tasks: []\n  handlers:\n    - name: h\n      ${handler}\n`)
    const { exit, stderr } = run('handler.yml')
    expect([exit, stderr]).toEqual([65, expect.stringContaining(`ERROR! ${said}`)])
  })
  it('is not a block of tasks, each of which is one; a name that cannot be rendered is warned of', () => {
    write(
      'block.yml',
      `- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - { ping: , changed_when: true, notify: inner }
  handlers:
    - block:
        - { name: inner, debug: { msg: ran } }
        - { name: "{{ nobody }}", ping: }
    - { name: last, meta: noop }
`,
    )
    const { exit, stdout } = run('block.yml')
    expect(exit).toBe(0)
    expect(stdout).toContain("[WARNING]: Handler '{{ nobody }}' is unusable")
    expect(stdout).toContain('RUNNING HANDLER [inner]')
  })
})

it('several playbooks have a recap each, which counts what was done so far, until one fails', () => {
  write('one.yml', '- { hosts: localhost, gather_facts: false, tasks: [{ ping: }] }\n')
  write('failing.yml', '- { hosts: localhost, gather_facts: false, tasks: [{ fail: }] }\n')
  const recaps = (...files: string[]) =>
    [
      ...rota(folder, ['run', '-i', 'localhost,', '-c', 'local', ...files]).stdout.matchAll(
        /ok=(\d).*failed=(\d)/g,
      ),
    ].map(([, ok, failed]) => `${ok} ${failed}`)
  expect(recaps('one.yml', 'one.yml')).toEqual(['1 0', '2 0'])
  expect(recaps('one.yml', 'failing.yml', 'one.yml')).toEqual(['1 0', '1 1'])
})

describe('rota doc', () => {
  const doc = (...args: string[]) => rota(folder, ['doc', ...args])
  it('lists the modules, and shows one', () => {
    const { stdout } = doc('--list')
    expect(stdout).toMatch(/^copy +Put a file/m)
    expect(stdout).toBe(doc().stdout)
    expect(doc('ansible.builtin.copy').stdout).toMatch(/^# copy\n/)
    expect(doc('lineinfil')).toMatchObject({
      exit: 65,
      stderr: expect.stringContaining('did you mean lineinfile?'),
    })
  })
  it('shows the keywords, as the hint of a misspelt one says', () => {
    expect(doc('keywords').stdout).toMatch(/^# task\n[\s\S]*^\| changed_when \|/m)
  })
})

describe('the configuration decides', () => {
  const ran = (file: string, env: Readonly<Record<string, string>>) => {
    const { exit, stdout, stderr } = rota(folder, ['run', '-i', 'localhost,', '-c', 'local', file], { env })
    return `${exit} ${stdout}${stderr}`
  }
  it('whether facts are variables of their own', () => {
    write(
      'facts.yml',
      `- hosts: localhost
  tasks:
    - debug: { msg: "{{ ansible_system is defined }} {{ ansible_facts.system is defined }}" }
    - debug: { msg: "{{ hostvars.localhost.ansible_system is defined }}" }
`,
    )
    expect(ran('facts.yml', {})).toMatch(/"msg": "True True"[\s\S]*"msg": true/)
    expect(ran('facts.yml', { ANSIBLE_INJECT_FACT_VARS: '0' })).toMatch(
      /"msg": "False True"[\s\S]*"msg": false/,
    )
  })
  it('what a pattern is that names no host', () => {
    write(
      'nobody.yml',
      '- { hosts: nope }\n- { hosts: localhost, gather_facts: false, tasks: [{ ping: }] }\n',
    )
    const mismatch = (wish: string) => ran('nobody.yml', { ANSIBLE_HOST_PATTERN_MISMATCH: wish })
    expect(mismatch('warning')).toMatch(/^0 [\s\S]*WARNING[\s\S]*ok=1/)
    expect(mismatch('ignore')).not.toContain('WARNING')
    expect(mismatch('error')).toMatch(/^65 [\s\S]*ERROR! .*nope/)
    expect(mismatch('oops')).toMatch(/^65 [\s\S]*host_pattern_mismatch is warning, error or ignore/)
  })
  it('what gathers facts', () => {
    write('gather.yml', '- hosts: localhost\n')
    expect(ran('gather.yml', { ANSIBLE_FACTS_MODULES: 'nothing_like_it' })).toMatch(
      /^(?!0)[\s\S]*nothing_like_it/,
    )
    expect(ran('gather.yml', { ANSIBLE_FACTS_MODULES: 'ansible.legacy.setup' })).toMatch(/^0 /)
  })
})
