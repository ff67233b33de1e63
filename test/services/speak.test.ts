// The modules that decide, say and wait: assert, debug, fail, set_fact, pause, ping, wait_for.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { problem } from '../../src/core/error.ts'
import { Secret } from '../../src/core/secret.ts'
import { Template, type Value } from '../../src/core/value.ts'
import { assert } from '../../src/modules/assert.ts'
import { debug } from '../../src/modules/debug.ts'
import { fail } from '../../src/modules/fail.ts'
import { pause } from '../../src/modules/pause.ts'
import { ping } from '../../src/modules/ping.ts'
import { setFact } from '../../src/modules/set-fact.ts'
import { waitFor } from '../../src/modules/wait-for.ts'
import { makeTarget, runAction, shells } from './target.ts'

const at = { file: 'p.yml', line: 1, col: 1 }
const expression = (text: string) => new Template(text, at)
/** Expressions of this file's: names of a small table. */
const table = new Map<string, Value>([
  ['yes', true],
  ['no', false],
  ['empty', ''],
  ['some', [1]],
  ['none', null],
])
function evaluate(value: Value): Value {
  if (!(value instanceof Template)) return value
  const found = table.get(value.text)
  if (found === undefined) throw problem('E_UNDEFINED', `${value.text} is not defined`)
  return found
}
const t = makeTarget({ evaluate })

describe('assert', () => {
  it('passes when all hold, and says so; quiet is about what is shown of each condition', async () => {
    const that = [expression('yes'), true, expression('some')]
    expect(await runAction(t, assert, { that })).toMatchObject({
      changed: false,
      msg: 'All assertions passed',
    })
    expect((await runAction(t, assert, { that, quiet: true })).msg).toBe('All assertions passed')
    expect((await runAction(t, assert, { that, success_msg: 'fine' })).msg).toBe('fine')
  })
  it('names the condition that does not hold', async () => {
    for (const [name, value] of [
      ['no', false],
      ['empty', ''],
      ['none', null],
    ] as const) {
      const outcome = await runAction(t, assert, { that: [expression('yes'), expression(name)] })
      expect(outcome).toMatchObject({ failed: true, values: { assertion: name, evaluated_to: value } })
      expect(outcome.msg).toContain(name)
    }
    expect(await runAction(t, assert, { that: false, fail_msg: 'oh' })).toMatchObject({
      failed: true,
      msg: 'oh',
    })
  })
})

it('debug shows a message, a variable, what is not defined, and no secret', async () => {
  expect((await runAction(t, debug)).values['msg']).toBe('Hello world!')
  expect((await runAction(t, debug, { msg: [1, 2] })).values['msg']).toEqual([1, 2])
  expect((await runAction(t, debug, { var: expression('some') })).values).toEqual({ some: [1] })
  expect((await runAction(t, debug, { var: expression('nope') })).values).toEqual({
    nope: 'VARIABLE IS NOT DEFINED!',
  })
  expect(await runAction(t, debug, { msg: 'x', verbosity: 2 })).toMatchObject({ skipped: true })
  expect(
    (await runAction(makeTarget({ verbosity: 2 }), debug, { msg: 'x', verbosity: 2 })).values['msg'],
  ).toBe('x')
  expect(
    JSON.stringify((await runAction(t, debug, { msg: new Secret('hidden', 's') })).values),
  ).not.toContain('hidden')
})

it('set_fact gives variables, and refuses names that are none', async () => {
  const secret = new Secret('x', 's')
  const { facts } = await runAction(t, setFact, { a: 1, b: 'yes', c: secret, cacheable: true })
  expect(facts).toEqual(
    new Map<string, Value>([
      ['a', 1],
      ['b', true],
      ['c', secret],
    ]),
  )
  for (const args of [{}, { cacheable: true }, { 'a-b': 1 }])
    await expect(runAction(t, setFact, args)).rejects.toMatchObject({
      code: 'E_PARAMS',
      hint: expect.any(String),
    })
})

it('fail fails, ping answers, pause waits, and goes on where there is nobody to ask', async () => {
  expect(await runAction(t, fail, { msg: 'no' })).toMatchObject({ failed: true, msg: 'no' })
  expect((await runAction(t, ping)).values).toEqual({ ping: 'pong' })
  expect(await runAction(t, ping, { data: 'crash' })).toMatchObject({ failed: true, msg: 'boom' })
  expect((await runAction(t, pause, { seconds: 0.01 })).values).toMatchObject({
    rc: 0,
    stdout: 'Paused for 0.01 seconds',
  })
  expect((await runAction(t, pause, { prompt: 'sure?' })).values).toMatchObject({ user_input: '', rc: 0 })
  const stopped = new AbortController()
  stopped.abort()
  await expect(runAction({ ...t, stop: stopped.signal }, pause, { minutes: 5 })).rejects.toMatchObject({
    code: 'E_TASK',
  })
})

describe.each(Object.entries(shells))('wait_for under %s', (_name, shell) => {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => {}).write('220 mail.example.com ready\n')
  })
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close()
  })
  const listen = (): Promise<number> =>
    new Promise(resolve =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    )
  const wait = (args: object, options = {}) =>
    runAction(makeTarget({ shell, ...options }), waitFor, { timeout: 1, sleep: 0, ...args })

  it.each([false, true])('sees a port open and closed (forwarding refused: %s)', async noForward => {
    const port = await listen()
    expect(await wait({ port }, { noForward })).toMatchObject({
      changed: false,
      values: { port, state: 'started' },
    })
    expect((await wait({ port, state: 'stopped', msg: 'still there' }, { noForward })).msg).toBe(
      'still there',
    )
    server.close()
    for (const socket of sockets) socket.destroy()
    expect((await wait({ port, state: 'stopped' }, { noForward })).failed).toBeUndefined()
    const closed = await wait({ port, timeout: 0 }, { noForward })
    expect(closed).toMatchObject({
      failed: true,
      msg: `Timeout when waiting for 127.0.0.1:${port}`,
    })
  })

  it('reads what a server says first', async () => {
    const port = await listen()
    const outcome = await wait({ port, search_regex: '^220 (?P<host>\\S+)' })
    expect(outcome.values).toMatchObject({
      match_groups: ['mail.example.com'],
      match_groupdict: { host: 'mail.example.com' },
    })
    expect(await wait({ port, search_regex: 'nothing', connect_timeout: 1, timeout: 0 })).toMatchObject({
      failed: true,
    })
    await expect(wait({ port, search_regex: '(' })).rejects.toMatchObject({ code: 'E_PARAMS' })
  })

  it('tells when nobody is connected any more', async () => {
    const port = await listen()
    expect((await wait({ port, state: 'drained' })).failed).toBeUndefined()
    const channel = await makeTarget({ shell }).forward({ host: '127.0.0.1', port })
    expect((await wait({ port, state: 'drained', timeout: 0 })).failed).toBe(true)
    channel.destroy()
  })

  it('waits for a file, for a line in it, and for its end', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'rota-wait-')), 'a file')
    expect((await wait({ path, state: 'absent' })).failed).toBeUndefined()
    expect((await wait({ path, timeout: 0 })).failed).toBe(true)
    const appears = wait({ path, search_regex: 'ready (\\d+)$', timeout: 20 })
    writeFileSync(path, 'starting\n')
    appendFileSync(path, 'ready 7\nmore\n')
    expect((await appears).values['match_groups']).toEqual(['7'])
    const goes = wait({ path, state: 'absent', timeout: 20 })
    rmSync(path)
    expect((await goes).failed).toBeUndefined()
  })
})
