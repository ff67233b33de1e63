// The operator at a terminal: the task debugger, --step, questions that nobody answers. `script` gives the program a terminal.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { rota } from './rota.ts'

const program = join(resolve(import.meta.dirname, '../..'), 'dist', 'rota.mjs')
const folder = mkdtempSync(join(tmpdir(), 'rota-interactive-'))
afterAll(() => rmSync(folder, { recursive: true }))

const inventory = 'a ansible_connection=local\nb ansible_connection=local\n'
writeFileSync(join(folder, 'hosts'), inventory)
function playbook(text: string): string {
  writeFileSync(join(folder, 'play.yml'), text)
  return 'play.yml'
}

/** Runs a playbook at a terminal; each answer is typed when its prompt is there. */
async function converse(args: string, answers: readonly (readonly [prompt: string, typed: string])[]) {
  const command = `'${process.execPath}' '${program}' run -i hosts ${args}`
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: folder,
    env: { ...process.env, HOME: folder, NO_COLOR: '1', TERM: 'xterm' },
  })
  let said = ''
  let at = 0
  const left = [...answers]
  child.stdout.on('data', chunk => {
    said += chunk
    for (let found = said.indexOf(left[0]?.[0] ?? '\0', at); found >= 0 && left.length > 0; ) {
      const [prompt, typed] = left.shift()!
      at = found + prompt.length
      child.stdin.write(typed)
      found = said.indexOf(left[0]?.[0] ?? '\0', at)
    }
  })
  const exit = await new Promise<number | null>(done => child.on('close', done))
  expect(left, said).toEqual([])
  return { exit, said: said.replaceAll('\r', '') }
}

const noTerminal = process.platform === 'linux' && existsSync('/usr/bin/script') ? undefined : 'no `script`'
if (noTerminal) console.log(`skipped: a terminal: ${noTerminal}`)

const failing = `
- hosts: all
  gather_facts: false
  debugger: on_failed
  vars: { wanted: 1 }
  tasks:
    - name: Look
      assert: { that: "wanted == 2" }
      run_once: true
    - name: After
      command: echo {{ wanted }}
`
describe.skipIf(noTerminal)('at a terminal', () => {
  const prompt = 'TASK: Look (debug)> '

  it('the debugger shows a failed task, changes it and runs it again', async () => {
    const { exit, said } = await converse(playbook(failing), [
      [`[a] ${prompt}`, "p result._result['msg']\r"],
      [prompt, 'p task.args\r'],
      [prompt, 'what\r'],
      [prompt, 'p nothing.there\r'],
      [prompt, 'r\r'],
      [prompt, 'task.args["that"] = ["wanted == 1"]\r'],
      [prompt, 'u\r'],
      [prompt, "task_vars['wanted'] = 2\r"],
      [prompt, 'redo\r'],
    ])
    expect(said).toContain("\n'Assertion failed: wanted == 2'\n")
    expect(said).toContain("\n{'that': 'wanted == 2'}\n")
    expect(said).toMatch(/\np EXPRESSION +print/)
    expect(said).toContain('nothing')
    expect(said).toMatch(/^a +: ok=2 .* failed=0/m)
    expect(said).toMatch(/^b +: ok=1 .* failed=0/m)
    expect(exit).toBe(0)
  })

  it('goes on with the failure, or ends the run', async () => {
    const on = await converse(playbook(failing), [[prompt, 'c\r']])
    expect(on.exit).toBe(2)
    expect(on.said).toMatch(/^a +: ok=0 .* failed=1/m)
    const by = await converse(playbook(failing.replace('debugger: on_failed', 'strategy: debug')), [
      [prompt, 'c\r'],
    ])
    expect(by.exit).toBe(2)
    const calm = failing.replace('on_failed', 'always').replace('== 2', '== 1')
    for (const typed of ['quit\r', '\u0004', '\u0003']) {
      const ended = await converse(playbook(calm), [[prompt, typed]])
      expect([ended.exit, ended.said.includes('TASK [After]')]).toEqual([130, false])
    }
  })

  it('--step asks before each task, until it is told to go on', async () => {
    const four = ['one', 'two', 'three', 'four'].map(name => `    - { name: ${name}, command: /bin/true }\n`)
    const file = playbook(`- hosts: all\n  gather_facts: false\n  tasks:\n${four.join('')}`)
    const ask = (name: string) => `Perform task: TASK: ${name} (N)o/(y)es/(c)ontinue: `
    const { exit, said } = await converse(`${file} --step`, [
      [ask('one'), 'y\r'],
      [ask('two'), '\r'],
      [ask('three'), 'c\r'],
    ])
    expect(said.match(/^TASK \[\w+\]/gm)).toEqual(['TASK [one]', 'TASK [three]', 'TASK [four]'])
    expect(said).toMatch(/^b +: ok=3 /m)
    expect(exit).toBe(0)
  })

  it('pause waits for a line, shown or not, or a time; ^C there asks whether to go on', async () => {
    const file = playbook(`
- hosts: all
  gather_facts: false
  tasks:
    - pause: { prompt: Sure }
      register: one
    - pause: { prompt: Key, echo: false }
      register: two
    - debug: { msg: "{{ one.user_input }}" }
    - debug: { msg: "{{ two.user_input }}" }
    - assert: { that: two.user_input | length == 8 }
    - pause: { seconds: 600 }
    - pause:
    - pause:
    - name: After
      command: /bin/true
`)
    const { exit, said } = await converse(file, [
      ['Sure:', 'as ever\r'],
      ['Key (output is hidden):', 'hunter22\r'],
      ["ctrl+C then 'A' = abort)", '\rx\u0003C'],
      ['Press enter to continue', '\u0003'],
      ["Press 'C' to continue", 'C'],
      ['Press enter to continue', '\u0003'],
      ["'A' to abort", 'A'],
    ])
    expect(said).toContain('"msg": "as ever"')
    expect(said).toMatch(/^a +: ok=7 .* failed=1/m)
    expect(said).not.toContain('hunter22')
    expect(said).toContain('user requested abort!')
    expect([exit, said.includes('TASK [After]')]).toEqual([2, false])
  })

  it('what is typed unseen for vars_prompt is a secret where the name of the variable says so', async () => {
    const file = playbook(`
- hosts: a
  gather_facts: false
  vars_prompt: [{ name: word }, { name: token }, { name: passphrase, encrypt: sha512_crypt }]
  tasks: [{ debug: { msg: "= {{ word }} {{ passphrase[:3] }}" } }, { debug: { msg: "{{ token }}" } }]
`)
    const { said } = await converse(file, [
      ['word: ', 'hello\r'],
      ['token: ', 'hunter22\r'],
      ['passphrase: ', 'hunter23\r'],
    ])
    expect(said.match(/"msg": .*/g)).toEqual(['"msg": "= hello $6$"', '"msg": "[secret token]"'])
    expect(said).not.toMatch(/hunter2|word: hello/)
  })

  it('a question that the terminal ends instead of answering is an error', async () => {
    const asks = playbook(
      '- hosts: all\n  gather_facts: false\n  vars_prompt: [{ name: x, prompt: Which }]\n  tasks: []\n',
    )
    const { exit, said } = await converse(asks, [['Which: ', '\u0004']])
    expect([exit, said]).toEqual([64, expect.stringContaining('"Which" was not answered')])
  })
})

it('without a terminal the debugger is passed over with a warning, and --step is refused', () => {
  const passed = rota(folder, ['run', '-i', 'hosts', playbook(failing)])
  expect(passed.exit).toBe(2)
  expect(passed.stdout + passed.stderr).toContain('debugger is passed over: there is no terminal')
  const refused = rota(folder, ['run', '-i', 'hosts', '--step', playbook(failing)])
  expect([refused.exit, refused.stderr]).toEqual([
    64,
    expect.stringContaining('--step asks before each task'),
  ])
})

it('without a terminal pause goes on, with a warning', () => {
  const file = playbook('- hosts: all\n  gather_facts: false\n  tasks: [pause: { prompt: Sure }]\n')
  const passed = rota(folder, ['run', '-i', 'hosts', file])
  expect([passed.exit, passed.stdout + passed.stderr]).toEqual([
    0,
    expect.stringContaining('[WARNING]: Not waiting for response to prompt as stdin is not interactive'),
  ])
})

it('says which occasions there are', () => {
  const wrong = rota(folder, ['run', '-i', 'hosts', playbook(failing.replace('on_failed', 'sometimes'))])
  expect(wrong.exit).toBe(2)
  expect(wrong.stdout).toContain('one of always, never, on_failed, on_unreachable, on_skipped')
})
