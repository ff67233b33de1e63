// A play with `rotation:` as the transaction sees it.
import { expect, it } from 'vitest'
import { isSameSecret, Secret } from '../../src/core/secret.ts'
import type { Apply, Change, RotationWorld } from '../../src/core/transaction.ts'
import type { RotationPlay } from '../../src/run/deps.ts'
import { findJoined } from '../../src/run/joined-hosts.ts'
import type { PlayPlan } from '../../src/run/play-plan.ts'
import type { PlayRun } from '../../src/run/play-run.ts'
import { at, type Disk, play, rotation, run, T, task, type World } from './fakes.ts'

const specs = [{ name: 'JWT', length: 32, current: T('{{ old }}'), at }]
const set = (name: string, value: string) => task(name, 'set', { key: name, value: T(value) })

async function rotate(
  phases: Parameters<typeof rotation>[0],
  work: (world: RotationWorld, play: RotationPlay) => Promise<void>,
  more: World & { serial?: number } = {},
) {
  return run(
    [play([], { rotation: rotation(phases, specs), ...(more.serial ? { serial: more.serial } : {}) })],
    {
      ...more,
      deps: {
        runRotation: async (world, of) => {
          await work(world, of)
          return 'ok'
        },
      },
    },
  )
}
const direct: Apply = (_, write) => write()
const secret = (text: string) => new Secret(text, 'JWT')
const values = (current: string, pending: string) => ({
  current: new Map([['JWT', secret(current)]]),
  pending: new Map([['JWT', secret(pending)]]),
})

it('phases run over the hosts asked for, and tell host by host how it went', async () => {
  const result = await rotate(
    { preflight: [task('p', 'fail', {}, { when: [T("inventory_hostname == 'b'")] }), task('q')] },
    async world => {
      expect(world.hosts).toEqual(['a', 'b', 'c'])
      expect(world.waves).toEqual([['a', 'b'], ['c']])
      expect(await world.runPhase('preflight', ['a', 'b'], 'pending', direct)).toEqual(
        new Map<string, unknown>([
          ['a', { status: 'ok' }],
          ['b', { status: 'failed', message: 'p: failed as told' }],
        ]),
      )
      // A host that failed takes part again: recovery has to reach it.
      expect((await world.runPhase('verify', ['b'], 'current', direct)).get('b')).toEqual({ status: 'ok' })
    },
    { serial: 2 },
  )
  expect(result.order).toBe('p:a=skipped p:b=failed q:a')
  expect(result.events.filter(event => event.type === 'check')).toEqual([
    { type: 'check', host: 'b', name: 'p', ok: false, message: 'failed as told' },
    { type: 'check', host: 'a', name: 'q', ok: true },
  ])
})

it('every change goes through apply, with ids that are the same when the phase is run again', async () => {
  const disk: Disk = { a: {}, b: { k: 'v' }, c: {} }
  const tasks = [
    set('k', 'v'),
    {
      ...task('loop', 'set', { key: T('{{ item }}'), value: 'w' }),
      loop: { kind: 'loop', items: ['x', 'y'], at },
    },
  ]
  const runs: Change[][] = []
  await rotate(
    { change: tasks },
    async world => {
      for (const write of [false, true]) {
        const seen: Change[] = []
        await world.runPhase('change', ['a', 'b'], 'pending', async (change, apply) => {
          seen.push(change)
          if (write) await apply()
        })
        runs.push(seen.sort((x, y) => (x.step < y.step ? -1 : 1)))
      }
    },
    { disk },
  )
  expect(runs[0]!.map(change => change.step)).toEqual([
    '0.change.0:a',
    '0.change.1:a:0',
    '0.change.1:a:1',
    '0.change.1:b:0',
    '0.change.1:b:1',
  ])
  expect(runs[1]).toEqual(runs[0])
  expect(runs[0]![0]).toMatchObject({
    host: 'a',
    module: 'set',
    before: { key: 'k', value: null },
    after: { key: 'k', value: 'v' },
    what: 'k (/plays/play.yml:1)',
  })
  expect(disk).toEqual({ a: { k: 'v', x: 'w', y: 'w' }, b: { k: 'v', x: 'w', y: 'w' }, c: {} })
})

it('a change can be read again and undone by itself, and a conflict is refused', async () => {
  const disk: Disk = { a: { k: 'old' } }
  await rotate(
    { change: [set('k', 'new')] },
    async world => {
      let change: Change | undefined
      await world.runPhase('change', ['a'], 'pending', async (each, write) => {
        change = each
        await write()
      })
      expect(await world.reread(change!)).toEqual(change!.after)
      await world.write(change!, change!.after, change!.before)
      expect(disk).toEqual({ a: { k: 'old' } })
      await expect(world.write(change!, change!.after, change!.before)).rejects.toMatchObject({
        code: 'E_CONFLICT',
      })
    },
    { disk },
  )
})

it('secrets are the pending values going forward and the old ones after an undo', async () => {
  const seen: string[] = []
  const modules = {
    look: (_: string, args: Readonly<Record<string, unknown>>) => {
      seen.push(isSameSecret(args['value'] as Secret, secret('the-old-value')) ? 'old' : 'new')
      return {}
    },
  }
  const look = (name: string) => task(name, 'look', { value: T(`{{ ${name}.JWT }}`) })
  const result = await rotate(
    {
      preflight: [task('r', 'set_fact', { old: 'the-old-value' })],
      verify: [look('secrets'), look('stale'), look('current'), look('pending')],
    },
    async world => {
      await world.runPhase('preflight', ['a'], 'current', direct)
      const current = await world.currentSecrets('a')
      expect(isSameSecret(current.get('JWT')!, secret('the-old-value'))).toBe(true)
      expect(world.secretShape('a', 'JWT')).toEqual({ length: 32, alphabet: 'A-Za-z0-9' })
      world.setSecrets('a', values('the-old-value', 'the-new-value'))
      await world.runPhase('verify', ['a'], 'pending', direct)
      expect(seen.splice(0)).toEqual(['new', 'old', 'old', 'new'])
      await world.runPhase('verify', ['a'], 'current', direct)
      expect(seen).toEqual(['old', 'new', 'old', 'new'])
    },
    { modules },
  )
  // preflight ran before anybody knew that this is a secret; from then on the redactor knows it.
  expect(JSON.stringify(result.events.slice(5))).not.toMatch(/the-(old|new)-value/)
})

it('after ^C nothing goes forward any more, and an undo still does', async () => {
  const stop = new AbortController()
  const disk: Disk = { a: {} }
  const phases = { change: [set('k', 'v'), set('l', 'v')], converge: [task('c')], verify: [task('v')] }
  const runRotation = async (world: RotationWorld) => {
    let change: Change | undefined
    const changed = await world.runPhase('change', ['a'], 'pending', async (each, write) => {
      change = each
      await write()
      stop.abort()
    })
    expect(changed.get('a')).toEqual({ status: 'failed', message: 'stopped by ^C' })
    expect((await world.runPhase('converge', ['a'], 'pending', direct)).get('a')?.status).toBe('failed')
    await world.write(change!, change!.after, change!.before)
    for (const inForce of ['both', 'current'] as const)
      for (const phase of ['converge', 'verify'] as const)
        expect((await world.runPhase(phase, ['a'], inForce, direct, true)).get('a')).toEqual({ status: 'ok' })
    return 'rolledBack' as const
  }
  const result = await run([play([], { rotation: rotation(phases) })], {
    hosts: { a: {} },
    disk,
    deps: { stop: stop.signal, runRotation },
  })
  expect(disk).toEqual({ a: {} })
  expect(result.exit).toBe('rolledBack')
  expect(result.order).toBe('k:a=changed c:a v:a c:a v:a')
})

it('a snapshot brings registered variables back, whatever their types', async () => {
  const big = new Map<string, unknown>([
    ['n', 3],
    ['list', [1, 'x', null, true, 12345678901234567890n]],
    ['s', secret('abcdefgh')],
  ])
  const give = task('g', 'set_fact', { kept: big as never })
  await rotate({ preflight: [give] }, async world => {
    await world.runPhase('preflight', ['a'], 'current', direct)
    const snapshot = world.snapshot()
    await rotate({ verify: [task('v', 'say', { value: T('{{ kept }}') })] }, async other => {
      other.restore(JSON.parse(JSON.stringify({})))
      other.restore(snapshot)
      expect(other.snapshot()).toEqual(snapshot)
    })
  })
})

it('a rotation without a transaction, or with tasks beside its phases, is refused', async () => {
  await expect(run([play([], { rotation: rotation({}) })])).rejects.toMatchObject({ code: 'E_PLAYBOOK' })
  await expect(run([play([task('1')], { rotation: rotation({}) })])).rejects.toThrow(
    'no tasks and roles beside its phases',
  )
})

it('what is good only now and then in verify lets the other checks run; what is red besides decides', async () => {
  const flap = { changed: false, failed: true, flaky: true, msg: '503 now and then' }
  const modules = { flap: () => flap }
  const result = await rotate(
    { verify: [task('health', 'flap'), task('login')], preflight: [task('baseline', 'flap'), task('never')] },
    async world => {
      const [one] = (await world.runPhase('verify', ['a'], 'pending', direct)).values()
      expect(one).toEqual({ status: 'failed', message: 'health: 503 now and then', isFlaky: true })
      const [two] = (await world.runPhase('preflight', ['a'], 'current', direct)).values()
      expect(two).toEqual({ status: 'failed', message: 'baseline: 503 now and then' })
    },
    { modules },
  )
  expect(result.order).toBe('health:a=ignored login:a baseline:a=failed')
  expect(result.events).toContainEqual({
    type: 'check',
    host: 'a',
    name: 'health',
    ok: false,
    message: flap.msg,
  })
  await rotate(
    { verify: [task('health', 'flap'), task('login', 'fail')] },
    async world => {
      const [found] = (await world.runPhase('verify', ['a'], 'pending', direct)).values()
      expect(found).toEqual({ status: 'failed', message: 'login: failed as told' })
    },
    { modules },
  )
})

it('where values are distributed, both are accepted from then on, and the steps are others than those of change', async () => {
  const disk: Disk = { a: {}, b: {}, c: {} }
  await rotate(
    { distribute: [set('k', '{{ pending.JWT }}')], change: [set('k', '{{ accepted.JWT }}')] },
    async world => {
      expect(world.distributes).toBe(true)
      const steps: string[] = []
      world.setSecrets('a', values('old', 'new'))
      for (const [phase, inForce] of [
        ['distribute', 'both'],
        ['change', 'pending'],
      ] as const)
        await world.runPhase(phase, ['a'], inForce, async change => void steps.push(change.step))
      expect(steps).toEqual(['0.distribute.0:a', '0.change.0:a'])
    },
    { disk },
  )
})

it('knows of hosts that have joined the play since it began', async () => {
  const run = {
    allHosts: ['a', 'b'],
    deps: {
      settings: { limit: 'web' },
      refreshInventory: async () => ({ hosts: new Map(), groups: new Map() }),
      selectHosts: (_: unknown, pattern: string, limit: string) =>
        pattern === 'web' && limit === 'web' ? ['b', 'c', 'a'] : [],
    },
  } as unknown as PlayRun
  const plan = { play: { hosts: 'web' }, reading: {} } as unknown as PlayPlan
  expect(await findJoined(run, plan)).toEqual(['c'])
})
