// A fleet whose hosts part ways, as an operator runs it: failure budget, `commit: host`, and what is refused.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Operator, openDesks, type Site } from './desks.ts'

const hosts = ['h1', 'h2', 'h3', 'h4', 'h5']
let site: Site
let alice: Operator
beforeAll(async () => {
  site = openDesks(hosts)
  alice = await site.operator('alice')
})
afterAll(() => site.close())

const rotate = (...more: string[]) => site.rota(alice, ['run', site.playbook, '-i', site.inventory, ...more])
const keys = () => hosts.map(host => site.key(host))

it('a host over the budget: every host of the run is back on its old secrets, exit 10', async () => {
  site.writePlaybook('    failure_budget: 1')
  const before = keys()
  for (const host of ['h2', 'h4']) site.put(host, 'broken', '')
  const done = await rotate()
  expect(done.exit, done.stderr + done.stdout).toBe(10)
  expect(keys()).toEqual(before)
  expect(hosts.map(host => site.running(host))).toEqual(before)
})

it('within the budget: the broken host alone is back, exit 2, and the next command is named', async () => {
  const before = keys()
  site.put('h4', 'broken', undefined)
  const done = await rotate()
  expect(done.exit, done.stderr + done.stdout).toBe(2)
  expect(done.stdout).toContain('--limit h2')
  expect(keys().map((key, i) => key === before[i])).toEqual([false, true, false, false, false])
  expect(hosts.map(host => site.running(host))).toEqual(keys())
  const status = await site.rota(alice, ['status', alice.lastRun()])
  expect([status.exit, status.stdout]).toEqual([0, expect.stringContaining('committed')])
  site.put('h2', 'broken', undefined)
  const rest = await rotate('--limit', 'h2')
  expect(rest.exit, rest.stderr).toBe(0)
  expect(site.key('h2')).not.toBe(before[1])
})

it('the percentage of Ansible is the budget too; commit: host keeps the waves that were green', async () => {
  site.writePlaybook('    commit: host', '  max_fail_percentage: 20\n  serial: 2')
  const before = keys()
  for (const host of ['h2', 'h4']) site.put(host, 'broken', '')
  const done = await rotate()
  expect(done.exit, done.stderr + done.stdout).toBe(2)
  // h2 is within the budget of one; h4 is over it: its wave-mate was green, h5 never had its turn.
  expect(keys().map((key, i) => key === before[i])).toEqual([false, true, false, true, true])
  expect(hosts.map(host => site.running(host))).toEqual(keys())
})

it.each([
  ['    commit: sometimes', 'commit: sometimes is neither run nor host'],
  ['    failure_budget: 1', 'API_KEY is shared'],
])('refuses what cannot be meant: %s', async (keywords, message) => {
  site.writePlaybook(keywords)
  const { readFileSync, writeFileSync } = await import('node:fs')
  if (message.includes('shared'))
    writeFileSync(
      site.playbook,
      readFileSync(site.playbook, 'utf8').replace('length: 32', 'length: 32, shared: true'),
    )
  const before = keys()
  const done = await rotate()
  expect([done.exit, done.stderr]).toEqual([65, expect.stringContaining(message)])
  expect(keys()).toEqual(before)
})
