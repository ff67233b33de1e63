// expect: programs that ask on a real terminal.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect as check, describe, it } from 'vitest'
import type { Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import { expect } from '../../src/modules/expect.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, shells } from './harness.ts'
import { hasProgram } from './sandbox.ts'

const missing = hasProgram('script') ? undefined : 'script(1) is not installed'
if (missing !== undefined) {
  if (process.env['CI']) throw new Error(missing)
  console.log(`skipped: ${missing}`)
}
const folder = mkdtempSync(join(tmpdir(), 'rota-expect-'))
afterAll(() => rmSync(folder, { recursive: true }))
const asking = join(folder, "ask it's.sh")
writeFileSync(
  asking,
  `test -t 0 || { echo no terminal; exit 9; }
printf 'Password for %s: ' "$1"; IFS= read -r one
printf '\\nAgain: '; IFS= read -r two
[ "$one" = "$two" ] || { echo mismatch; exit 3; }
printf '\\nlength %s\\n' "\${#one}"
`,
)
const stubborn = join(folder, 'stubborn.sh')
writeFileSync(stubborn, 'while :; do printf "More? "; IFS= read -r x || exit 0; done\n')

describe.skipIf(missing !== undefined).each(['dash', 'bash'])('expect under %s', shell => {
  let session: Session
  beforeAll(async () => {
    session = await openLocalSession({ shell: shells[shell]! })
  })
  afterAll(() => session.close())
  const run = (args: Record<string, unknown>) => act(makeTarget({ session }), expect, args)
  const command = `sh "${asking}" 'the user'`

  it('answers what is asked, and shows no answer', async () => {
    const secret = new Secret(`canary "x' $y`, 'password')
    const responses = new Map<string, unknown>([
      ['(?i)password for .*: ', secret],
      ['Again', secret],
    ])
    const done = await run({ command, responses })
    check(done).toMatchObject({ changed: true, values: { rc: 0, cmd: command } })
    check(done.values?.['stdout']).toMatch(/^Password for the user: \r\nAgain: \r\nlength 13$/)
    const shown = await run({ command, responses: new Map([['[Pp]assword|Again', 'seen']]), echo: true })
    check(shown.values?.['stdout']).toMatch(/user: seen\r\n/)
  })

  it('gives one answer after the other, and says when there are none left', async () => {
    const responses = new Map([[': $', ['first', 'second']]])
    check(await run({ command, responses })).toMatchObject({
      failed: true,
      msg: 'non-zero return code',
      values: { rc: 3 },
    })
    const ended = await run({ command: `sh ${stubborn}`, responses: new Map([['More', ['one']]]) })
    check(ended).toMatchObject({
      failed: true,
      msg: "No remaining responses for 'More'",
      values: { rc: null },
    })
  })

  it('gives up when nothing that is expected comes', { timeout: 20_000 }, async () => {
    const ended = await run({ command: `sh ${stubborn}`, responses: new Map([['never', 'x']]), timeout: 1 })
    check(ended).toMatchObject({ failed: true, msg: 'command exceeded timeout', values: { rc: null } })
  })

  it('does nothing by creates and removes, and refuses what is not there', async () => {
    const responses = new Map([['x', 'y']])
    check((await run({ command, responses, creates: asking })).changed).toBe(false)
    check((await run({ command, responses, removes: join(folder, 'none') })).changed).toBe(false)
    await check(run({ command: 'no-such-program', responses })).rejects.toThrow(/not found/)
    await check(run({ command, responses, chdir: '/nonexistent' })).rejects.toThrow(
      /Unable to change directory/,
    )
    await check(run({ command, responses: new Map([['x', true]]) })).rejects.toMatchObject({
      code: 'E_PARAMS',
    })
  })
})
