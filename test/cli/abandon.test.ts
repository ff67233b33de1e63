// A host that never answers again, as operators meet it: given up by name, found locked when it returns, freed when it was looked at.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Operator, openDesks, type Site } from './desks.ts'

let site: Site
let alice: Operator
let bob: Operator
let whole: string
beforeAll(async () => {
  site = openDesks(['one', 'two'])
  whole = readFileSync(site.inventory, 'utf8')
  alice = await site.operator('alice')
  bob = await site.operator('bob')
})
afterAll(() => site.close())

/** Where `two` was, nobody listens. */
function loseTwo(): void {
  const inventory = JSON.parse(whole)
  Object.assign(inventory.all.children.app.hosts.two, {
    ansible_connection: 'ssh',
    ansible_host: '127.0.0.1',
    ansible_port: 1,
  })
  writeFileSync(site.inventory, JSON.stringify(inventory))
}

it('ends the run without it, says who and why, and lets no rotation work on it before a person has looked', async () => {
  const begin = ['run', site.playbook, '-i', site.inventory]
  const died = await site.die(alice, [...begin, '--recipient', bob.recipient], 'two')
  expect(died.exit, died.stderr).toBe(null)
  const run = alice.lastRun()
  loseTwo()
  const mute = await site.rota(alice, ['rollback', run, '--abandon', 'two'])
  expect([mute.exit, mute.stderr]).toEqual([64, expect.stringContaining('--abandon without a reason')])
  const alive = await site.rota(alice, ['rollback', run, '--abandon', 'one', '-m', 'no more'])
  expect([alive.exit, alive.stderr]).toEqual([64, expect.stringContaining('one answers')])

  const done = await site.rota(alice, ['rollback', run, '--abandon', 'two', '-m', 'its disk is scrap'])
  expect(done.exit, done.stderr + done.stdout).toBe(2)
  expect(done.stdout).toMatch(/rotation: \[two\] abandoned – given up by .+ \(its disk is scrap\)/)
  expect(done.stdout).toContain('every host but two is on its old secrets')
  expect([site.key('one'), site.running('one')]).toEqual(['old-key-of-one', 'old-key-of-one'])
  const shown = await site.rota(alice, ['journal', 'show', run])
  expect(shown.stdout).toMatch(/abandon +two given up as it stands by \S+@\S+: its disk is scrap/)
  const summary = JSON.parse(readFileSync(join(alice.runs, run, 'evidence', 'summary.json'), 'utf8'))
  expect(summary.hosts.two).toMatchObject({
    state: 'abandoned',
    message: expect.stringContaining('its disk is scrap'),
  })

  const status = await site.rota(alice, ['status'])
  expect(status.stdout).toMatch(
    / two was given up by \S+@\S+ at .+ \(its disk is scrap\), as it stood: .+rota recover two/,
  )

  const page = await site.rota(alice, ['report', run])
  expect(page.stdout).toContain('The evidence verifies.')
  expect(page.stdout).toContain('<td>two</td><td>abandoned</td>')

  // It is there again.
  writeFileSync(site.inventory, whole)
  for (const [who, args, exit] of [
    [alice, begin, 7],
    [alice, ['resume', run], 2],
    [bob, ['resume', run, '--from-host', 'two', '-i', site.inventory], 5],
    [alice, begin, 7],
  ] as const) {
    const refused = await site.rota(who, args)
    expect(refused.exit, refused.stderr + refused.stdout).toBe(exit)
  }
  expect((await site.rota(alice, [...begin, '--limit', 'one'])).exit).toBe(0)
  const looked = await site.rota(bob, ['recover', 'two', '-i', site.inventory, '--yes'])
  expect([looked.exit, looked.stdout]).toEqual([0, expect.stringContaining('its disk is scrap')])
  expect(looked.stdout).toContain('two is free')
  const anew = await site.rota(alice, [...begin, '--limit', 'two'])
  expect(anew.exit, anew.stderr + anew.stdout).toBe(0)
  expect((await site.rota(alice, ['status'])).stdout).not.toContain('given up')
}, 120_000)
