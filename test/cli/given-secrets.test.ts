// Where a value that the operator gives may come from, and that it never comes from the command line.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ended, rota } from './rota.ts'

let folder: string
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const [one, two] = ['the first new value', 'a second, w1th "quotes" ä'] as const
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-given-'))
  writeFileSync(join(folder, 'value'), `${one}\r\nanother line\n`)
  writeFileSync(
    join(folder, 'play.yml'),
    `
- hosts: localhost
  connection: local
  gather_facts: false
  rotation:
    name: given
    secrets: { ONE: { given: optional }, TWO: { given: optional } }
    preflight:
      - assert: { that: "pending.ONE | hash('sha256') == '${sha256(one)}'" }
        when: "'ONE' in pending"
      - assert: { that: "pending.TWO | hash('sha256') == '${sha256(two)}'" }
        when: "'TWO' in pending"
      - debug: { msg: "given {{ pending | sort | join(',') }}" }
`,
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

const give = (input: string, ...flags: string[]): Ended =>
  rota(
    folder,
    ['run', 'play.yml', '-i', 'localhost,', '--check', ...flags.flatMap(flag => ['--secret', flag])],
    {
      input,
    },
  )

describe('--secret', () => {
  it.each([
    ['lines of stdin, in the order of the flags', ['TWO=-', 'ONE=-'], 'ONE,TWO', `${two}\n${one}\n`],
    ['the first line of a file', ['ONE=@value'], 'ONE', ''],
    ['the first line that a program prints', ['TWO=cmd:cat; echo more'], 'TWO', `${two}\n`],
    ['a descriptor', ['ONE=fd:0'], 'ONE', `${one}\n`],
  ])('takes %s', (_, flags, names, input) => {
    const ended = give(input, ...flags)
    expect(ended.exit, ended.stdout + ended.stderr).toBe(0)
    expect(ended.stdout).toContain(`given ${names}`)
    for (const value of [one, two]) expect(ended.stdout + ended.stderr).not.toContain(value)
  })

  it.each([
    ['stdin that ends too early', ['ONE=-', 'TWO=-'], 64, /cannot ask for "new value of TWO"/, `${one}\n`],
    ['a program that fails', ['ONE=cmd:echo half; exit 3'], 65, /the command of ONE ended with 3/, ''],
    [
      'a program that prints nothing',
      ['ONE=cmd:true'],
      65,
      /no secret in the first line of the command of ONE/,
      '',
    ],
    ['a value', ['ONE=plain-value'], 64, /--secret ONE=… does not say where/, ''],
  ])('refuses %s', (_, flags, exit, message, input) => {
    const ended = give(input, ...flags)
    expect([ended.exit, ended.stderr]).toEqual([exit, expect.stringMatching(message)])
    expect(ended.stderr).not.toMatch(/plain-value|half/)
  })

  it('wants at least one secret that is optional', () => {
    const ended = give('')
    expect(ended.exit, ended.stdout + ended.stderr).toBe(3)
    expect(ended.stdout + ended.stderr).toMatch(/no secret was given[\s\S]*--secret ONE=-/)
  })
})

describe('rota rotate-integration-secrets', () => {
  const run = (...flags: string[]): Ended => rota(folder, ['rotate-integration-secrets', ...flags])
  it.each(['--proxmox-token-secret', '--paystack-secret', '--flutterwave-webhook-hash', '--smtp-password'])(
    'refuses a value after %s, says what to type, and does not show it',
    flag => {
      for (const flags of [[flag, 'sk-typed'], [`${flag}=sk-typed`]]) {
        const ended = run('-i', 'localhost,', ...flags)
        expect(ended.exit).toBe(64)
        expect(ended.stderr).toMatch(
          new RegExp(
            `ERROR! ${flag} does not say where.* \\(E_USAGE\\)[\\s\\S]*→ write ${flag} - to be asked`,
          ),
        )
        expect(ended.stdout + ended.stderr).not.toContain('sk-typed')
      }
    },
  )
  it('is run with its own playbook wherever it is typed', () => {
    const ended = run('-i', 'localhost,', '--paystack-secret', '@value', '--list-tasks')
    expect([ended.exit, ended.stderr]).toEqual([0, expect.any(String)])
    expect(ended.stdout).toContain('Write the new secrets into the env file')
  })
  it('says so when there is no window to end, and that ending one takes no values', () => {
    expect(run('--finalize-payment-webhook-grace').stderr).toMatch(
      /ERROR! no previous key of a webhook counts.* \(E_USAGE\)/,
    )
    const both = run('--finalize-payment-webhook-grace', '--paystack-secret', '-')
    expect([both.exit, both.stderr]).toEqual([64, expect.stringMatching(/takes no new ones/)])
  })
})
