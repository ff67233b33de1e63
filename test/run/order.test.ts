// Plays in, order of events out.
import { expect, it } from 'vitest'
import { problem } from '../../src/core/error.ts'
import { at, block, inventoryOf, meta, play, recapOf, run, T, task } from './fakes.ts'

const when = (text: string) => ({ when: [T(text)] })
const inner = [
  task('1'),
  block([task('2', 'fail', {}, when("inventory_hostname == 'b'")), task('3')], {
    rescue: [task('r')],
    always: [task('z')],
  }),
  task('4'),
]

it('linear keeps hosts in step, through rescue and always', async () => {
  const result = await run([play(inner)])
  expect(result.order).toBe(
    '1:a 1:b 1:c 2:a=skipped 2:b=rescued 2:c=skipped 3:a 3:c r:b z:a z:b z:c 4:a 4:b 4:c',
  )
  expect(recapOf(result, 'b')).toBe('ok=4 rescued=1')
  expect(result.exit).toBe('ok')
})

it('a failed rescue still runs always, then stops that host only', async () => {
  const result = await run([
    play([block([task('1', 'fail')], { rescue: [task('2', 'fail')], always: [task('3')] }), task('4')], {
      hosts: 'a',
    }),
    play([task('5')]),
  ])
  expect(result.order).toBe('1:a=rescued 2:a=failed 3:a')
  expect(result.exit).toBe('failed')
})

it('an unreachable host and one in an unknown state get neither rescue nor always', async () => {
  for (const module of ['gone', 'lost']) {
    const result = await run([
      play([
        block([task('1', module, {}, { ...when("inventory_hostname == 'b'"), ignoreErrors: true })], {
          rescue: [task('r')],
          always: [task('z')],
        }),
      ]),
      play([task('2')]),
    ])
    const status = module === 'gone' ? 'unreachable' : 'unknown'
    expect(result.order).toBe(`1:a=skipped 1:b=${status} 1:c=skipped z:a z:c 2:a 2:c`)
    expect(result.exit).toBe(status)
  }
})

it('ignore_unreachable keeps the host; nothing keeps a host whose state is unknown', async () => {
  const ignore = { ignoreErrors: true, ignoreUnreachable: true }
  const gone = await run([play([task('1', 'gone', {}, ignore), task('2')], { hosts: 'a' })])
  expect(gone.order).toBe('1:a=ignored 2:a')
  const lost = await run([play([task('1', 'lost', {}, ignore), task('2')], { hosts: 'a' })])
  expect(lost.order).toBe('1:a=unknown')
})

it('includes bring steps: hosts that include the same file run it together', async () => {
  const result = await run(
    [
      play([
        task('i', 'include_tasks', { file: T('{{ which }}') }, { loop: undefined } as never),
        task('after'),
      ]),
    ],
    {
      hosts: { a: { which: '/etc/passwd' }, b: { which: '/etc/group' }, c: { which: '/etc/passwd' } },
      files: { passwd: [task('x'), task('y')], group: [task('g')] },
    },
  )
  expect(result.order).toBe('i:a i:b i:c x:a x:c y:a y:c g:b after:a after:b after:c')
})

it('what a handler includes are handlers too', async () => {
  const include = { ...task('h', 'include_tasks', { file: '/etc/passwd' }), name: 'told' }
  const plays = [
    play([task('1', 'touch', {}, { notify: ['told'] })], { hosts: 'a', handlers: [include] as never }),
  ]
  const { events } = await run(plays, { files: { passwd: [task('x')] } })
  const starts = events.filter(event => event.type === 'task.start')
  expect(starts.map(({ name, handler }) => [name, handler])).toEqual([
    ['1', false],
    ['told', true],
    ['x', true],
  ])
})

it('an include knows the item of its loop', async () => {
  const loop = { kind: 'loop', items: [1, 2], at }
  const result = await run(
    [play([task('i', 'include_tasks', { file: '/etc/passwd' }, { loop })], { hosts: 'a' })],
    {
      files: { passwd: [task('x', 'say', { value: T('{{ item }}') })] },
    },
  )
  expect(result.registered).toEqual([
    ['a', 1],
    ['a', 2],
  ])
})

it('free lets each host go at its own pace', async () => {
  const waits = { a: 3, b: 1, c: 2 } as Record<string, number>
  const modules = {
    wait: async (host: string) => {
      for (let i = 0; i < waits[host]! * 20; i++) await Promise.resolve()
      return {}
    },
  }
  const result = await run([play([task('1', 'wait'), task('2')], { strategy: 'free' })], { modules })
  expect(result.order).toBe('1:b 2:b 1:c 2:c 1:a 2:a')
})

it('serial runs batch after batch, and a batch that fails as a whole ends the run', async () => {
  const tasks = [task('1'), task('2', 'fail', {}, when("inventory_hostname == 'b'"))]
  const ended = await run([play(tasks, { serial: 1 }), play([task('later')])])
  expect(ended.order).toBe('1:a 2:a=skipped 1:b 2:b=failed')
  const half = await run([play(tasks, { serial: ['34%', '100%'] })])
  expect(half.order).toBe('1:a 2:a=skipped 1:b 1:c 2:b=failed 2:c=skipped')
})

it('any_errors_fatal spares the other hosts while a rescue is waiting, and fails them without one', async () => {
  const failing = task('1', 'fail', {}, when("inventory_hostname == 'b'"))
  const result = await run([
    play([block([failing, task('2')], { rescue: [task('r')], anyErrorsFatal: true })]),
  ])
  expect(result.order).toBe('1:a=skipped 1:b=rescued 1:c=skipped 2:a 2:c r:b')
  const plain = await run([play([failing, task('2')], { anyErrorsFatal: true }), play([task('3')])])
  expect(plain.order).toBe('1:a=skipped 1:b=failed 1:c=skipped')
})

it('max_fail_percentage stops when it is exceeded, not when it is reached', async () => {
  const tasks = [task('1', 'fail', {}, when("inventory_hostname == 'b'")), task('2')]
  expect((await run([play(tasks, { maxFailPercentage: 34 })])).order).toBe(
    '1:a=skipped 1:b=failed 1:c=skipped 2:a 2:c',
  )
  const stopped = await run([play(tasks, { maxFailPercentage: 33 })])
  expect(stopped.order).toBe('1:a=skipped 1:b=failed 1:c=skipped')
  expect(stopped.exit).toBe('failed')
})

it('run_once runs on the first host and speaks for all', async () => {
  const result = await run([
    play([
      task('1', 'give', { changed: true, n: 7 }, { runOnce: true, register: 'r' }),
      task('2', 'say', { value: T('{{ r.n }}') }),
    ]),
  ])
  expect(result.order).toBe('1:a=changed 2:a 2:b 2:c')
  expect(result.registered.map(([, value]) => value)).toEqual([7, 7, 7])
  const failed = await run([play([task('1', 'fail', {}, { runOnce: true }), task('2')])])
  expect(failed.order).toBe('1:a=failed')
})

it('handlers run once, in order of definition, when they were notified by name or topic', async () => {
  const handlers = [
    task('h1'),
    task('h2', 'touch', {}, { listen: ['topic'] }),
    task('h3', 'ok', {}, { listen: ['topic'] }),
  ]
  const result = await run([
    play(
      [
        task('1', 'touch', {}, { notify: ['topic', 'h1'] }),
        task('2', 'touch', {}, { notify: ['h1'] }),
        task('3'),
      ],
      {
        handlers,
        hosts: 'a',
      },
    ),
  ])
  expect(result.order).toBe('1:a=changed 2:a=changed 3:a h1:a h2:a=changed h3:a')
})

it('a flush runs what was notified so far; an unchanged task notifies nobody', async () => {
  const result = await run([
    play(
      [
        task('1', 'touch', {}, { notify: ['h'] }),
        meta('flush_handlers'),
        task('2', 'ok', {}, { notify: ['h'] }),
      ],
      {
        handlers: [task('h')],
        hosts: 'a',
      },
    ),
  ])
  expect(result.order).toBe('1:a=changed h:a 2:a')
})

it('handlers of a failed host run only when they are forced', async () => {
  const tasks = [task('1', 'touch', {}, { notify: ['h'] }), task('2', 'fail')]
  const more = { handlers: [task('h')], hosts: 'a' }
  expect((await run([play(tasks, more)])).order).toBe('1:a=changed 2:a=failed')
  expect((await run([play(tasks, { ...more, forceHandlers: true })])).order).toBe(
    '1:a=changed 2:a=failed h:a',
  )
})

it('order says in which order hosts are taken; ansible_play_hosts has them as the inventory has', async () => {
  const tasks = [
    task('1', 'say', { value: T('{{ ansible_play_hosts }} {{ ansible_play_batch }}') }, { register: 'r' }),
  ]
  const { registered } = await run([play(tasks, { order: 'reverse_inventory' })])
  expect(registered[0]![1]).toBe('a,b,c c,b,a')
})

it('a handler that notifies itself does not run again; one that fails counts as failed even where it is rescued', async () => {
  const again = [task('h', 'touch', {}, { notify: ['h'] })]
  const self = await run([play([task('1', 'touch', {}, { notify: ['h'] })], { handlers: again, hosts: 'a' })])
  expect(self.order).toBe('1:a=changed h:a=changed')
  const tasks = [
    block([task('1', 'touch', {}, { notify: ['h'] }), meta('flush_handlers')], { rescue: [task('2')] }),
  ]
  const rescued = await run([play(tasks, { handlers: [task('h', 'fail')], hosts: 'a' })])
  expect(rescued.order).toBe('1:a=changed h:a=rescued 2:a')
  expect(rescued.recap['a']).toMatchObject({ failed: 1, rescued: 0 })
  expect(rescued.exit).toBe('ok')
})

it('a handler that does not exist ends the run', async () => {
  const running = run([play([task('1', 'touch', {}, { notify: ['nobody'] })], { hosts: 'a' })])
  await expect(running).rejects.toMatchObject({
    code: 'E_PLAYBOOK',
    message: expect.stringContaining("'nobody' was not found"),
  })
})

it('meta: end_host, end_batch and end_play end what they say, without a failure', async () => {
  const end = (what: string) =>
    run([play([task('1'), meta(what, when("inventory_hostname == 'a'")), task('2')], { serial: 2 })])
  expect((await end('end_host')).order).toBe('1:a 1:b 2:b 1:c 2:c')
  expect((await end('end_batch')).order).toBe('1:a 1:b 1:c 2:c')
  expect((await end('end_play')).order).toBe('1:a 1:b')
})

it('meta: clear_host_errors lets failed hosts take part in the next play', async () => {
  const result = await run([
    play([task('1', 'fail', {}, when("inventory_hostname == 'a'")), meta('clear_host_errors')]),
    play([task('2')]),
  ])
  expect(result.order).toBe('1:a=failed 1:b=skipped 1:c=skipped 2:a 2:b 2:c')
})

it('after ^C no new task is started, and each host is told how far it came', async () => {
  const stop = new AbortController()
  const modules = {
    interrupt: () => {
      stop.abort()
      return {}
    },
  }
  const result = await run([play([task('1', 'interrupt'), task('2')]), play([task('3')])], {
    modules,
    deps: { stop: stop.signal },
  })
  expect(result.order).toBe('1:a 1:b 1:c')
  expect(result.exit).toBe('interrupted')
  expect(result.events.filter(event => event.type === 'note').map(event => event.text)).toEqual(
    ['a', 'b', 'c'].map(host => `${host}: stopped after "1"; later tasks were not started`),
  )
})

it('tags select, and always and never change the answer', async () => {
  const tasks = [
    task('plain'),
    task('x', 'ok', {}, { tags: ['x'] }),
    task('always', 'ok', {}, { tags: ['always'] }),
    task('never', 'ok', {}, { tags: ['never', 'n'] }),
    block([task('inner')], { tags: ['x'] }),
  ]
  const names = async (tags: string[], skipTags: string[] = []) =>
    (await run([play(tasks, { hosts: 'a' })], { settings: { tags, skipTags } })).order.replaceAll(':a', '')
  expect(await names(['all'])).toBe('plain x always inner')
  expect(await names(['x'])).toBe('x always inner')
  expect(await names(['n'])).toBe('always never')
  expect(await names(['untagged'])).toBe('plain always')
  expect(await names(['tagged'])).toBe('x always inner')
  expect(await names(['all'], ['x'])).toBe('plain always')
  expect(await names(['all'], ['always'])).toBe('plain x inner')
})

it('start_at_task leaves out what is before it', async () => {
  const result = await run([play([task('1'), task('2'), task('3')], { hosts: 'a' })], {
    settings: { startAtTask: '2*' },
  })
  expect(result.order).toBe('2:a 3:a')
})

it('add_host and group_by make hosts and groups for later plays', async () => {
  const result = await run([
    play([
      task('add', 'add_host', { name: 'new', groups: 'fresh', colour: 'red' }),
      task('group', 'group_by', { key: T('is_{{ inventory_hostname }}') }),
    ]),
    play([task('1', 'say', { value: T('{{ colour }}') })], { hosts: 'fresh' }),
    play([task('2', 'say', { value: T('{{ groups.is_b }}') })], { hosts: 'is_b' }),
  ])
  expect(result.order).toBe('add:a=changed group:a=changed group:b=changed group:c=changed 1:new 2:b')
  expect(result.registered).toEqual([
    ['new', 'red'],
    ['b', ['b']],
  ])
})

it('forks and throttle bound how many hosts are busy at once', async () => {
  let busy = 0
  let most = 0
  const modules = {
    work: async () => {
      most = Math.max(most, ++busy)
      for (let i = 0; i < 20; i++) await Promise.resolve()
      busy--
      return {}
    },
  }
  const hosts = Object.fromEntries([...'abcdefgh'].map(name => [name, {}]))
  const busiest = async (forks: number, throttle?: number) => {
    most = 0
    const work = task('1', 'work', {}, throttle === undefined ? {} : { throttle })
    await run([play([work])], { hosts, modules, settings: { forks } })
    return most
  }
  expect(await busiest(50)).toBe(8)
  expect(await busiest(3)).toBe(3)
  expect(await busiest(3, 2)).toBe(2)
})

it('a host that joins a group gets the variables of that group', async () => {
  const result = await run(
    [
      play([task('g', 'group_by', { key: 'red' })], { hosts: 'a' }),
      play([task('1', 'say', { value: T('{{ colour }}') })], { hosts: 'red' }),
    ],
    {
      deps: {
        inventory: {
          ...inventoryOf({}),
          layersOf: {
            host: () => [],
            group: group => [
              { rank: 'inventory group_vars/*', from: group, values: new Map([['colour', group]]) },
            ],
          },
        },
      },
    },
  )
  expect(result.registered).toEqual([['a', 'red']])
})

it('a play that matches no host is skipped with a warning; a run of which no play matches any is refused', async () => {
  const selectHosts: NonNullable<Parameters<typeof run>[1]>['deps'] = {
    selectHosts: (inventory, pattern, limit) => {
      if (pattern === 'all' && limit === undefined) return [...inventory.hosts.keys()]
      throw problem('E_HOSTS', `there is no host ${pattern}`, { hint: 'look at the inventory' })
    },
  }
  const result = await run([play([task('1')], { hosts: 'nobody' }), play([task('2')])], { deps: selectHosts })
  expect(result.order).toBe('2:a 2:b 2:c')
  expect(result.events[0]).toMatchObject({
    type: 'note',
    text: 'there is no host nobody (look at the inventory)',
  })
  await expect(run([play([task('1')], { hosts: 'nobody' })], { deps: selectHosts })).rejects.toMatchObject({
    code: 'E_HOSTS',
  })
  await expect(
    run([play([task('1')])], { deps: selectHosts, settings: { limit: 'nobody' } }),
  ).rejects.toMatchObject({ code: 'E_HOSTS' })
})
