// The module expect on a real terminal. busybox of Debian has no script(1): there it is refused.
import { afterAll, beforeAll, describe, it, expect as the } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Value } from '../../src/core/value.ts'
import { expect } from '../../src/modules/expect.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, shells } from './harness.ts'

const asking = `sh -c 'printf "Name: "; read a; printf "Password: "; read b; echo "$a/$b"; exit 3'`
const dict = (entries: Record<string, Value>) => new Map<Value, Value>(Object.entries(entries))

describe.each(['dash', 'bash'])('expect under %s', shell => {
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
  })
  afterAll(() => session.close())
  const run = (args: Record<string, unknown>) => act(makeTarget({ session }), expect, args)

  it('answers prompts, with secrets too, and gives the exit status', async () => {
    const responses = dict({ '(?i)name:': 'ann', 'Pass\\w+:': new Secret("s3 cr'et", 'PW') })
    const done = await run({ command: asking, responses })
    the(done).toMatchObject({ changed: true, failed: true, msg: 'non-zero return code', values: { rc: 3 } })
    the(done.values!['stdout_lines']).toEqual(["Name: Password: ann/s3 cr'et"])
  })
  it('is a terminal, in the folder asked for, without a shell for its words', async () => {
    const done = await run({
      command: `sh -c 'tty -s && pwd; echo "$1"' x '$HOME;'`,
      responses: dict({}),
      chdir: '/usr',
    })
    the(done.values!['stdout_lines']).toEqual(['/usr', '$HOME;'])
  })
  it('echoes only when told to', async () => {
    const one = { command: `sh -c 'printf ">"; read a; echo done'`, responses: dict({ '>': 'typed' }) }
    the((await run(one)).values!['stdout']).not.toContain('typed')
    the((await run({ ...one, echo: true })).values!['stdout']).toContain('typed')
  })
  it('gives the answers of a list one after the other, and fails when they are used up', async () => {
    const twice = `sh -c 'printf "?"; read a; printf "?"; read b; echo "$a$b"'`
    const done = await run({ command: twice, responses: dict({ '\\?': ['1', '2'] }) })
    the(done.values!['stdout_lines']).toEqual(['??12'])
    const short = await run({ command: twice, responses: dict({ '\\?': ['1'] }) })
    the(short).toMatchObject({ failed: true, msg: "No remaining responses for '\\?'" })
  })
  it('ends what waits too long', async () => {
    const late = await run({ command: 'sleep 60', responses: dict({ x: 'y' }), timeout: 1 })
    the(late).toMatchObject({ failed: true, msg: 'command exceeded timeout' })
  })
  it('does nothing where creates is there', async () => {
    const none = await run({ command: 'false', responses: dict({}), creates: '/usr' })
    the(none).toMatchObject({ changed: false, values: { rc: 0, stdout: 'skipped, since /usr exists' } })
  })
})

it('is refused on a host without script(1)', async () => {
  const session = await openLocalSession({ shell: shells['busybox']! })
  try {
    const one = act(makeTarget({ session }), expect, { command: 'true', responses: dict({}) })
    await the(one).rejects.toThrow(/no script\(1\)/)
  } finally {
    await session.close()
  }
})
