import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { rota } from './rota.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-cli-report-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('makes a page of what any run wrote of itself', () => {
  writeFileSync(
    join(folder, 'site.yml'),
    '- hosts: localhost\n  gather_facts: false\n  tasks:\n    - name: one\n      command: "true"\n    - name: two\n      fail: { msg: <as told> }\n',
  )
  expect(rota(folder, ['run', 'site.yml', '--events', 'events.jsonl']).exit).toBe(2)
  expect(rota(folder, ['report', 'events.jsonl', '-o', 'page.html']).exit).toBe(0)
  const page = readFileSync(join(folder, 'page.html'), 'utf8')
  expect(page).toContain('&lt;as told&gt;')
  expect(statSync(join(folder, 'page.html')).mode & 0o777).toBe(0o600)
  expect(rota(folder, ['report', 'events.jsonl']).stdout).toBe(page)
})

it('takes what a killed run wrote as far as it is whole', () => {
  const lines = readFileSync(join(folder, 'events.jsonl'), 'utf8').split('\n')
  writeFileSync(join(folder, 'killed.jsonl'), `${lines.slice(0, 4).join('\n')}\n{"type":"host.e`)
  const { exit, stdout } = rota(folder, ['report', 'killed.jsonl'])
  expect([exit, stdout]).toEqual([0, expect.stringContaining('the run did not reach its end')])
  writeFileSync(join(folder, 'odd.jsonl'), '{"type":"run.start","at":"now"}\n')
})

it.each([
  [['odd.jsonl'], 'odd.jsonl holds events that no run writes'],
  [['site.yml'], 'this is no event of a run'],
  [['nowhere.jsonl'], 'cannot read nowhere.jsonl'],
  [['latest'], 'there is no run'],
  [['events.jsonl', '-o', 'no/page.html'], 'the report cannot be written to no/page.html'],
])('says what is wrong with %j', (args, said) => {
  const { exit, stderr } = rota(folder, ['report', ...args], { env: { XDG_STATE_HOME: folder } })
  expect(stderr).toContain(said)
  expect(stderr).not.toContain('    at ')
  expect([1, 9, 64, 65]).toContain(exit)
})
