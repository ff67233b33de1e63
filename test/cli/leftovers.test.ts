// What a rotation leaves behind, and what it holds besides its own hosts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Operator, openDesks, type Site } from './desks.ts'

vi.setConfig({ testTimeout: 120_000 })

let site: Site
let alice: Operator
let bob: Operator
beforeAll(async () => {
  site = openDesks(['one', 'two', 'db'])
  alice = await site.operator('alice')
  bob = await site.operator('bob')
})
afterAll(() => site.close())

const rotate = (who: Operator, ...more: string[]) =>
  site.rota(who, ['run', site.playbook, '-i', site.inventory, '-l', 'one,two', ...more])
const journal = (who: Operator, run: string) => readFileSync(join(who.runs, run, 'journal'), 'utf8')
const copy = (host: string, run: string) =>
  readFileSync(join(site.folder, host, 'rota', run, 'journal'), 'utf8')
const lastLock = (host: string) => {
  const names = [...site.locks(host)].sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)))
  return names.length === 0
    ? 'none'
    : readFileSync(join(site.folder, host, 'rota', names.at(-1)!), 'utf8').split(/\s/)[0]!
}

it('an undone run keeps no value, sealed or not: here its records, on the hosts only the last one', async () => {
  site.put('two', 'broken', '')
  const events = join(site.folder, 'events')
  const done = await rotate(alice, '--output', 'jsonl', '--events', events)
  expect(done.exit, done.stderr).toBe(10)
  site.put('two', 'broken', undefined)
  const run = alice.lastRun()
  const told = readFileSync(events, 'utf8')
  expect(journal(alice, run)).not.toMatch(/"sealed":|"key":/)
  const shown = await site.rota(alice, ['journal', 'show', run])
  expect([shown.exit, shown.stdout]).toEqual([0, expect.stringContaining(`run ${run}: rolled_back\n`)])
  expect(shown.stdout).toMatch(/forgotten +what was sealed is taken out; the head was [0-9a-f]{64}/)
  for (const host of ['one', 'two'])
    expect(copy(host, run).match(/^\n?\d+ [0-9a-f]{16} \{.*"type":"end".*\}\n$/)).not.toBe(null)
  // It answers as before: in text, since nobody asked for anything else now, and the file of events is left alone.
  for (const command of ['resume', 'rollback'])
    expect(await site.rota(alice, [command, run])).toMatchObject({
      exit: 10,
      stdout: expect.stringMatching(/^rotation: \[one\] rolled_back$/m),
    })
  expect(readFileSync(events, 'utf8')).toBe(told)
})

it('a committed run keeps its values until it is finalised', async () => {
  const done = await rotate(alice)
  expect(done.exit, done.stderr).toBe(0)
  const run = alice.lastRun()
  expect(journal(alice, run)).toMatch(/"sealed":/)
  expect(copy('one', run)).toMatch(/"sealed":/)
  const last = await site.rota(alice, ['finalise', run])
  expect(last.exit, last.stderr).toBe(0)
  expect(journal(alice, run)).not.toMatch(/"sealed":|"key":/)
  expect(copy('one', run)).not.toMatch(/"sealed":|"key":/)
  expect((await site.rota(alice, ['finalise', run])).exit).toBe(0)
})

it('with nothing to finalise they go at the commit', async () => {
  const text = readFileSync(site.playbook, 'utf8')
  writeFileSync(site.playbook, text.slice(0, text.indexOf('    finalise:')))
  const done = await rotate(alice)
  expect(done.exit, done.stderr).toBe(0)
  const run = alice.lastRun()
  expect(journal(alice, run)).not.toMatch(/"sealed":|"key":/)
  expect(copy('two', run)).not.toMatch(/"sealed":|"key":/)
  const last = await site.rota(alice, ['finalise', run])
  expect([last.exit, last.stdout]).toEqual([0, expect.stringContaining('had nothing to finalise')])
  writeFileSync(site.playbook, text)
})

it('prune removes what is left on hosts of runs that are over, and nothing that is still wanted', async () => {
  const kept = await rotate(alice)
  expect(kept.exit, kept.stderr).toBe(0)
  const run = alice.lastRun()
  const prune = (age: string) => site.rota(alice, ['prune', 'one', '-i', site.inventory, '--older-than', age])
  expect((await prune('1d')).stdout).toBe('one: 0 of 4 runs removed\n')
  expect((await prune('0')).stdout).toBe('one: 3 of 4 runs removed\n')
  const left = readdirSync(join(site.folder, 'one', 'rota')).filter(name => !name.startsWith('lock.'))
  expect(left).toEqual([run])
  const wrong = await prune('soon')
  expect([wrong.exit, wrong.stderr]).toEqual([64, expect.stringContaining('--older-than')])
  expect((await site.rota(alice, ['finalise', run])).exit).toBe(0)
})

/** Each host changes a line of its own in one file of the host `db`, which is no host of the run. */
function delegate(): void {
  const text = readFileSync(site.playbook, 'utf8')
  writeFileSync(
    site.playbook,
    text.replace(
      '    converge:',
      `      - name: Tell the database
        lineinfile:
          path: "{{ hostvars.db.folder }}/peers"
          line: "{{ inventory_hostname }} {{ 'new' if pending else '' }}"
          create: true
          mode: '0600'
        delegate_to: db
        throttle: 1
    converge:`,
    ),
  )
}

it('a host outside the run is held while changes are delegated to it, undone with them, and given back', async () => {
  delegate()
  site.put('two', 'broken', '')
  const before = site.key('one')
  const done = await rotate(alice)
  expect(done.exit, done.stdout + done.stderr).toBe(10)
  expect(site.key('one')).toBe(before)
  expect(readdirSync(join(site.folder, 'db'))).not.toContain('peers')
  expect(site.locks('db').length).toBe(2)
  expect(lastLock('db')).toBe('free')
  site.put('two', 'broken', undefined)
})

it('it is found held by a run that died; another run is refused there; who recovers it there ends the whole run', async () => {
  const died = await site.die(
    alice,
    ['run', site.playbook, '-i', site.inventory, '-l', 'one', '--recipient', bob.recipient],
    'one',
  )
  expect(died.exit, died.stderr).toBe(null)
  const run = alice.lastRun()
  expect(lastLock('db')).toBe('held')
  const before = site.key('two')
  const refused = await site.rota(bob, ['run', site.playbook, '-i', site.inventory, '-l', 'two'])
  expect(refused.exit, refused.stdout + refused.stderr).toBe(10)
  expect(refused.stdout).toContain(`db is held by run ${run}`)
  expect(site.key('two')).toBe(before)
  expect(lastLock('db')).toBe('held')

  const taken = await site.rota(bob, ['recover', 'db', '-i', site.inventory, '--yes'])
  expect(taken.exit, taken.stderr).toBe(0)
  expect(taken.stdout).toContain('hosts  one')
  const back = await site.rota(bob, ['rollback', run, '-i', site.inventory])
  expect(back.exit, back.stdout + back.stderr).toBe(10)
  expect([lastLock('db'), lastLock('one')]).toEqual(['free', 'free'])
  expect(readdirSync(join(site.folder, 'db'))).not.toContain('peers')
  const stale = await site.rota(alice, ['resume', run])
  expect([stale.exit, stale.stderr]).toEqual([1, expect.stringContaining('went on elsewhere')])
})
