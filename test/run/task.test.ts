// What one task does on one host: keywords in, result, registered variables and events out.
import { expect, it } from 'vitest'
import { problem } from '../../src/core/error.ts'
import { Secret } from '../../src/core/secret.ts'
import { fromValue, type Value } from '../../src/core/value.ts'
import { at, block, type Disk, play, recapOf, run, T, task } from './fakes.ts'

const loop = (items: Value, kind = 'loop') => ({ kind, items, at })
const one = { hosts: 'a' }
const registered = async (first: ReturnType<typeof task>, world = {}) => {
  const result = await run([play([first, task('2', 'say', { value: T('{{ r }}') })], one)], world)
  return fromValue(result.registered[0]?.[1] ?? null) as Record<string, any>
}

it('registers what the module gave, with changed and failed', async () => {
  const more = { register: 'r', ignoreErrors: true }
  expect(await registered(task('1', 'give', { stdout: 'a\nb\n', rc: 0 }, more))).toMatchObject({
    stdout: 'a\nb\n',
    stdout_lines: ['a', 'b'],
    rc: 0,
    changed: false,
    failed: false,
  })
  expect(await registered(task('1', 'fail', {}, more))).toEqual({
    changed: false,
    failed: true,
    msg: 'failed as told',
  })
  expect(await registered(task('1', 'ok', {}, { ...more, when: [false] }))).toEqual({
    changed: false,
    skipped: true,
    skip_reason: 'Conditional result was False',
    false_condition: false,
  })
})

it('a loop gives results with their items; it fails if one fails and goes on to the last', async () => {
  const result = await registered(
    task(
      '1',
      'give',
      { failed: T("{{ item == 'y' }}") },
      { register: 'r', ignoreErrors: true, loop: loop(['x', 'y', 'z']) },
    ),
  )
  expect(result).toMatchObject({ changed: false, failed: true, msg: 'One or more items failed' })
  expect(result['results'].map((each: any) => [each.item, each.failed, each.ansible_loop_var])).toEqual([
    ['x', false, 'item'],
    ['y', true, 'item'],
    ['z', false, 'item'],
  ])
})

it('a loop ends at the first item whose options cannot be rendered, and that is the result', async () => {
  const options = { value: T('{{ nothere }}') }
  const result = await run([
    play([task('1', 'say', options, { register: 'r', loop: loop(['x', 'y', 'z']) })], one),
  ])
  const items = result.events.filter(event => event.type === 'host.item')
  expect(items).toHaveLength(0)
  expect(recapOf(result, 'a')).toBe('failed=1')
})

it('loop_control names the variables', async () => {
  const control = { loopVar: 'it', indexVar: 'i', extended: true, label: T('L{{ it }}'), at }
  const looped = await run([
    play(
      [
        task(
          '1',
          'say',
          { value: T('{{ it }}{{ i }}{{ ansible_loop.revindex }}') },
          { loop: loop(['x', 'y']), loopControl: control },
        ),
      ],
      one,
    ),
  ])
  expect(looped.registered).toEqual([
    ['a', 'x02'],
    ['a', 'y11'],
  ])
  expect(looped.events.flatMap(event => (event.type === 'host.item' ? [event.label] : []))).toEqual([
    'Lx',
    'Ly',
  ])
})

it('an empty loop is skipped, and so is one of which when takes no item', async () => {
  const empty = await registered(task('1', 'ok', {}, { register: 'r', loop: loop([]) }))
  expect(empty).toMatchObject({ skipped: true, results: [], skipped_reason: 'No items in the list' })
  const none = await run([play([task('1', 'ok', {}, { loop: loop([1, 2]), when: [T('item == 3')] })], one)])
  expect(recapOf(none, 'a')).toBe('skipped=1')
})

it('a loop that cannot be evaluated matters only when the task is not skipped', async () => {
  const more = { loop: loop(T('{{ nothing }}')) }
  expect((await run([play([task('1', 'ok', {}, { ...more, when: [false] })], one)])).order).toBe(
    '1:a=skipped',
  )
  const failed = await run([play([task('1', 'ok', {}, more)], one)])
  expect(failed.events.find(event => event.type === 'host.end')).toMatchObject({
    status: 'failed',
    problem: { code: 'E_UNDEFINED', at },
  })
})

it('set_fact in a loop is seen by the next item', async () => {
  const first = task('1', 'set_fact', { seen: T('{{ item }}{{ seen }}') }, { loop: loop(['x', 'y']) })
  const result = await run([
    play([first, task('2', 'say', { value: T('{{ seen }}') })], { ...one, vars: new Map([['seen', '']]) }),
  ])
  expect(result.registered).toEqual([['a', 'yx']])
})

it('until repeats and says how often; retries run out as a failure', async () => {
  let calls = 0
  const modules = { count: () => ({ values: { n: ++calls } }) }
  const more = { register: 'r', delay: 0, retries: 5, ignoreErrors: true }
  const met = await registered(task('1', 'count', {}, { ...more, until: [T('r.n == 3')] }), { modules })
  expect(met).toMatchObject({ n: 3, attempts: 3, failed: false })
  calls = 0
  const result = await run(
    [play([task('1', 'count', {}, { ...more, retries: 2, until: [T('r.n == 9')] })], one)],
    { modules },
  )
  expect(calls).toBe(3)
  expect(result.order).toBe('1:a=ignored')
  expect(result.events.flatMap(event => (event.type === 'host.retry' ? [event.left] : []))).toEqual([2, 1])
})

it('changed_when and failed_when have the last word and see the result', async () => {
  const more = { register: 'r', ignoreErrors: true }
  const give = (keywords: object) =>
    registered(task('1', 'give', { rc: 5, failed: true }, { ...more, ...keywords }))
  expect(await give({ changedWhen: [T('r.rc == 5')], failedWhen: [false] })).toMatchObject({
    changed: true,
    failed: false,
    failed_when_result: false,
  })
  expect(await give({ failedWhen: [T('r.rc == 5'), T('r.rc == 6')] })).toMatchObject({ failed: false })
  expect(await give({ failedWhen: [T('r.rc == 5')] })).toMatchObject({
    failed: true,
    failed_when_result: true,
  })
})

it('a rescue knows what failed', async () => {
  const result = await run([
    play(
      [
        block([task('1', 'fail')], {
          rescue: [
            task('r', 'say', { value: T('{{ ansible_failed_result.msg }}/{{ ansible_failed_task.name }}') }),
          ],
        }),
      ],
      one,
    ),
  ])
  expect(result.registered).toEqual([['a', 'failed as told/1']])
})

it('a state module changes once, and check mode and diff are derived', async () => {
  const disk: Disk = {}
  const set = task('1', 'set', { key: 'k', value: 'v' })
  const settings = { check: true, diff: true }
  const checked = await run([play([set], one)], { disk, settings })
  expect(disk).toEqual({})
  expect(checked.order).toBe('1:a=changed')
  expect(checked.events.find(event => event.type === 'host.end')).toMatchObject({ diff: '-null\n+v\n' })
  expect((await run([play([set], one)], { disk })).order).toBe('1:a=changed')
  expect(disk).toEqual({ a: { k: 'v' } })
  expect((await run([play([set], one)], { disk })).order).toBe('1:a')
  expect((await run([play([{ ...set, checkMode: false }], one)], { disk: {}, settings })).order).toBe(
    '1:a=changed',
  )
})

it('an action that does not only read is skipped in check mode', async () => {
  const result = await run([play([task('1', 'touch'), task('2', 'touch', {}, { checkMode: false })], one)], {
    settings: { check: true },
  })
  expect(result.order).toBe('1:a=skipped 2:a=changed')
})

it('errors are the host’s failure, with their place and hint; bugs say that they are', async () => {
  const modules = {
    wrong: () => {
      throw problem('E_TASK', 'cannot', { at, hint: 'do it so' })
    },
    bug: () => {
      throw new TypeError('x is not a function')
    },
  }
  const result = await run([play([task('1', 'wrong', {}, { ignoreErrors: true }), task('2', 'bug')], one)], {
    modules,
  })
  const problems = result.events.flatMap(event => (event.type === 'host.end' ? [event.problem] : []))
  expect(problems).toEqual([
    { code: 'E_TASK', message: 'cannot', at, hint: 'do it so' },
    {
      code: 'E_BUG',
      message: 'x is not a function',
      at,
      hint: 'set ROTA_DEBUG=1 for the stack trace, and report it',
    },
  ])
})

it('a condition that is no boolean is taken by truth, with one warning', async () => {
  const result = await run([play([task('1', 'ok', {}, { when: [T("'yes'")] })])])
  expect(result.order).toBe('1:a 1:b 1:c')
  expect(result.events.filter(event => event.type === 'note')).toHaveLength(1)
})

it('no event holds a secret or anything of a no_log task', async () => {
  const canary = 'c4n4ry-value'
  const secret = new Secret(canary, 'db')
  const modules = {
    leak: () => ({ failed: true, msg: `got ${canary}`, values: { stdout: canary, secret } }),
    quiet: () => ({ failed: true, msg: 'only for me', values: { stdout: 'only for me' } }),
  }
  const seen: unknown[] = []
  const tasks = [
    task('1', 'leak', {}, { ignoreErrors: true, register: 'r' }),
    task('2', 'leak', {}, { ignoreErrors: true, loop: loop([1]) }),
    task('3', 'quiet', {}, { ignoreErrors: true, noLog: true }),
    task('4', 'quiet', {}, { ignoreErrors: true, noLog: true, loop: loop(['only for me']) }),
  ]
  const { createRedactor } = await import('../../src/core/redact.ts')
  const redactor = createRedactor()
  redactor.add(secret)
  await run([play(tasks, one)], { modules, deps: { redactor }, onEvent: event => seen.push(event) })
  const text = JSON.stringify(seen)
  expect(text).toContain('[secret db]')
  expect(text).not.toContain(canary)
  expect(text).not.toContain('only for me')
})

it('module_defaults are below the own options of a task', async () => {
  const defaults = new Map([['say', new Map([['value', 'from defaults']])]])
  const result = await run([
    play([task('1', 'say'), task('2', 'say', { value: 'own' })], { ...one, moduleDefaults: defaults }),
  ])
  expect(result.registered).toEqual([
    ['a', 'from defaults'],
    ['a', 'own'],
  ])
})

it('hostvars are lazy and rendered with the variables of the host they belong to', async () => {
  const hosts = {
    a: { port: 1, url: T('http:{{ port }}') },
    b: { port: 2, url: T('http:{{ port }}'), bad: T('{{ nothing }}') },
  }
  const result = await run([play([task('1', 'say', { value: T('{{ hostvars.b.url }}') })], one)], { hosts })
  expect(result.registered).toEqual([['a', 'http:2']])
})

it('delegated tasks register on their own host and act on the other', async () => {
  const disk: Disk = {}
  const delegated = task(
    '1',
    'set',
    { key: 'k', value: T('{{ inventory_hostname }}') },
    { delegateTo: 'b', register: 'r' },
  )
  const result = await run([play([delegated, task('2', 'say', { value: T('{{ r.after }}') })], one)], {
    disk,
  })
  expect(disk).toEqual({ b: { k: 'a' } })
  expect(result.registered).toEqual([['a', 'a']])
})

it('a detached task is refused by name, and a role that is not there names every place', async () => {
  const result = await run([play([task('1', 'ok', {}, { async: 10, poll: 0 })], one)])
  expect(result.order).toBe('1:a=failed')
  await expect(run([play([task('1', 'import_role', { name: 'x' })], one)])).rejects.toMatchObject({
    message: "the role 'x' was not found",
    hint: 'looked for /plays/roles/x, /plays/x',
  })
})
