// Who holds a host, how its run stands, and taking it over: `rota recover`, `rota journal show`, as an operator types them.
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Operator, openDesks, type Site } from './desks.ts'

let site: Site
let alice: Operator
let bob: Operator
beforeAll(async () => {
  site = openDesks(['one', 'two'])
  alice = await site.operator('alice')
  bob = await site.operator('bob')
})
afterAll(() => site.close())

const rotate = (...more: string[]) => ['run', site.playbook, '-i', site.inventory, ...more]
const recover = (...more: string[]) => ['recover', 'one', '-i', site.inventory, ...more]

it('a host that nobody holds', async () => {
  const done = await site.rota(bob, recover())
  expect([done.exit, done.stdout]).toEqual([
    0,
    'one is held by no run (epoch 0): there is nothing to recover\n',
  ])
})

it('says who holds a host and how the run stands; takes it over only when told to; then it ends here', async () => {
  const died = await site.die(alice, rotate('--recipient', bob.recipient), 'two')
  expect(died.exit, died.stderr).toBe(null)
  const run = alice.lastRun()
  const locks = site.locks('one')

  const asked = await site.rota(bob, recover())
  expect(asked.exit, asked.stderr).toBe(64)
  expect(asked.stdout).toMatch(/^one is held \(epoch 1\)\n/)
  expect(asked.stdout).toContain(`run    ${run}, reason scheduled, begun 20`)
  expect(asked.stdout).toMatch(/by {5}\S+@\S+ since 20/)
  expect(asked.stdout).toContain('state  running; changes stand on one')
  expect(asked.stdout).toContain('hosts  one, two')
  expect(asked.stderr).toContain('rota recover one --yes')
  expect(site.locks('one')).toEqual(locks)

  const taken = await site.rota(bob, recover('--yes'))
  expect(taken.exit, taken.stderr).toBe(0)
  expect(taken.stdout).toContain(`run ${run} is here now. Forward: rota resume ${run}`)
  expect(site.locks('one')).toEqual(['lock.1', 'lock.2'])

  const status = await site.rota(bob, ['status'])
  expect(status.exit).toBe(5)
  expect(status.stdout).toContain(`rota resume ${run}, or rota rollback ${run}`)
  // Told once more, it says whose it is now.
  const again = await site.rota(bob, recover('--yes'))
  expect([again.exit, again.stdout]).toEqual([5, expect.stringContaining('this operator’s own')])

  const back = await site.rota(bob, ['rollback', run, '-i', site.inventory])
  expect(back.exit, back.stderr).toBe(10)
  for (const host of ['one', 'two'])
    expect([site.key(host), site.running(host)]).toEqual([`old-key-of-${host}`, `old-key-of-${host}`])
  // On the first machine the run is out of date.
  const stale = await site.rota(alice, ['resume', run])
  expect(stale.exit).toBe(1)
  expect(stale.stderr).toContain('went on elsewhere')
  rmSync(alice.runs, { recursive: true })
}, 60_000)

it('who has no key to the run stops nobody, and is told the way out; the last way frees the host as it stands', async () => {
  const died = await site.die(alice, rotate(), 'one')
  expect(died.exit).toBe(null)
  const run = alice.lastRun()
  const locks = site.locks('one')
  const refused = await site.rota(bob, recover('--yes'))
  expect(refused.exit, refused.stderr).toBe(65)
  expect(refused.stderr).toContain(`run ${run} is not sealed to you`)
  expect(refused.stderr).toContain('rota recover one --abandon')
  const unknown = await site.rota(bob, ['resume', run])
  expect([unknown.exit, unknown.stderr]).toEqual([64, expect.stringContaining('--from-host HOST')])
  const fetched = await site.rota(bob, ['resume', run, '--from-host', 'one', '-i', site.inventory])
  expect(fetched.exit).toBe(65)
  expect(site.locks('one')).toEqual(locks)

  // Whoever can open the run does not abandon it.
  const home = join(alice.home, '.local')
  const kept = `${home}.kept`
  const { renameSync } = await import('node:fs')
  renameSync(home, kept)
  const open = await site.rota(alice, recover('--abandon', '--yes'))
  expect(open.exit, open.stdout).toBe(64)
  expect(open.stderr).toContain(`rota rollback ${run}`)
  rmSync(home, { recursive: true, force: true })
  renameSync(kept, home)

  const left = await site.rota(bob, recover('--abandon', '--yes'))
  expect(left.exit, left.stderr).toBe(0)
  expect(left.stdout).toContain('one is free')
  const stale = await site.rota(alice, ['rollback', run])
  expect(stale.exit, stale.stdout + stale.stderr).toBe(10)
}, 60_000)

it('journal show: every record in order, no secret, the torn end said, damage refused', async () => {
  const carol = await site.operator('carol')
  for (const host of ['one', 'two']) rmSync(join(site.folder, host, 'rota'), { recursive: true, force: true })
  const before = site.key('two')
  const done = await site.rota(carol, rotate())
  expect(done.exit, done.stderr).toBe(0)
  const run = carol.lastRun()
  const show = (...more: string[]) => site.rota(carol, ['journal', 'show', 'latest', ...more])
  const text = await show()
  expect(text.exit, text.stderr).toBe(0)
  expect(text.stdout).toContain(`run ${run}: committed\n`)
  expect(text.stdout).toMatch(/each follows the one before it; head sha256 [0-9a-f]{64}\n/)
  expect(text.stdout).toMatch(
    /^ +0 {2}20\S+Z {2}begin +reason scheduled, plan [0-9a-f]{16}, hosts one, two$/m,
  )
  expect(text.stdout).toMatch(/intent +two {2}env_file {2}Write the key \(.*rotate\.yml:\d+\)$/m)
  const json = JSON.parse((await show('--format', 'json')).stdout)
  expect(json).toMatchObject({ run, tornBytes: 0 })
  expect(json.records.map(({ seq }: { seq: number }) => seq)).toEqual([...json.records.keys()])
  for (const shown of [text.stdout, JSON.stringify(json)])
    for (const value of [before, site.key('one'), site.key('two'), '"sealed"', '"key"', 'AGE'])
      expect(shown.includes(value), value).toBe(false)

  const file = join(carol.runs, run, 'journal')
  const whole = readFileSync(file)
  appendFileSync(file, whole.subarray(0, 40))
  const torn = await show()
  expect([torn.exit, torn.stdout]).toEqual([0, expect.stringContaining('its end is torn: 40 bytes')])
  const { writeFileSync } = await import('node:fs')
  const damaged = Buffer.from(whole)
  damaged[damaged.indexOf('committed')]! ^= 1
  writeFileSync(file, damaged)
  const bad = await show()
  expect([bad.exit, bad.stderr]).toEqual([1, expect.stringMatching(/record \d+ is damaged/)])
  writeFileSync(file, whole)
}, 60_000)

it('finalise goes on from a host when the machine that committed is gone', async () => {
  const dan = await site.operator('dan')
  const erin = await site.operator('erin')
  const done = await site.rota(dan, rotate('--recipient', erin.recipient))
  expect(done.exit, done.stderr).toBe(0)
  const run = dan.lastRun()
  rmSync(dan.runs, { recursive: true })
  const last = await site.rota(erin, ['finalise', run, '--from-host', 'one', '-i', site.inventory])
  expect(last.exit, last.stderr + last.stdout).toBe(0)
  for (const host of ['one', 'two']) readFileSync(join(site.folder, host, 'finalised'))
}, 60_000)

it('a machine that is lost while it gives its hosts back: the one that it kept is given back from elsewhere', async () => {
  const frank = await site.operator('frank')
  const gina = await site.operator('gina')
  await site.die(frank, rotate('--recipient', gina.recipient), 'two')
  const run = frank.lastRun()
  // What host two looks like when the process is cut off after host one was given back, and before host two was.
  const kept = join(site.folder, 'kept')
  cpSync(join(site.folder, 'two', 'rota'), kept, { recursive: true })
  const back = await site.rota(frank, ['rollback', run])
  expect(back.exit, back.stderr).toBe(10)
  rmSync(join(site.folder, 'two', 'rota'), { recursive: true })
  cpSync(kept, join(site.folder, 'two', 'rota'), { recursive: true })
  rmSync(frank.runs, { recursive: true })

  const two = ['recover', 'two', '-i', site.inventory]
  expect((await site.rota(gina, two)).stdout).toMatch(/^two is held/)
  const freed = await site.rota(gina, ['resume', run, '--from-host', 'two', '-i', site.inventory])
  expect([freed.exit, freed.stderr]).toEqual([0, ''])
  expect(freed.stdout).toBe(`run ${run} is over (rolled_back): two is free again\n`)
  expect((await site.rota(gina, two)).stdout).toMatch(/^two is held by no run/)
}, 60_000)

it('a host that has joined the inventory since is none of the run, and does not keep it from being resumed', async () => {
  const grown = openDesks(['one', 'two'])
  try {
    const who = await grown.operator('carol')
    const whole = JSON.parse(readFileSync(grown.inventory, 'utf8'))
    const { two: _two, ...alone } = whole.all.children.app.hosts
    writeFileSync(grown.inventory, JSON.stringify({ all: { children: { app: { hosts: alone } } } }))
    const died = await grown.die(who, ['run', grown.playbook, '-i', grown.inventory], 'one')
    expect(died.exit, died.stderr).toBe(null)
    writeFileSync(grown.inventory, JSON.stringify(whole))
    const done = await grown.rota(who, ['resume'])
    expect(done.exit, done.stderr + done.stdout).toBe(0)
    expect([grown.running('one') === 'old-key-of-one', grown.key('two')]).toEqual([false, 'old-key-of-two'])
  } finally {
    grown.close()
  }
})
