// command, shell, script, raw: what reaches the program, under each shell of the targets.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { command } from '../../src/modules/command.ts'
import { raw } from '../../src/modules/raw.ts'
import { script } from '../../src/modules/script.ts'
import { shell } from '../../src/modules/shell.ts'
import { splitWords } from '../../src/modules/words.ts'
import { makeTarget, runAction, shells } from './target.ts'

const words = [process.execPath, '-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '--']

describe.each(Object.entries(shells))('under %s', (_name, argv) => {
  const target = (more = {}) => makeTarget({ shell: argv, ...more })

  it('command gives words to the program byte by byte', async () => {
    const odd = ['a b', "it's", '"', '$HOME', '*', '', '\\', 'ü€', 'line\nend\n', '-n', '`id`']
    const outcome = await runAction(target(), command, {
      argv: [...words, ...odd],
      expand_argument_vars: false,
    })
    expect(JSON.parse(outcome.values['stdout'])).toEqual(odd)
    expect(outcome).toMatchObject({ changed: true, values: { rc: 0, cmd: [...words, ...odd] } })
  })

  it('command reports the exit status, both streams and a program that is not there', async () => {
    const bad = await runAction(target(), command, { argv: ['sh', '-c', 'echo out; echo err >&2; exit 7'] })
    expect(bad).toMatchObject({
      failed: true,
      changed: true,
      msg: 'non-zero return code',
      values: { rc: 7, stdout: 'out', stderr: 'err', stdout_lines: ['out'], stderr_lines: ['err'] },
    })
    expect(bad.values['delta']).toMatch(/^\d+:\d\d:\d\d\.\d{6}$/)
    const missing = await runAction(target(), command, { cmd: 'no-such-program-here -x' })
    expect(missing).toMatchObject({ failed: true, changed: false, values: { rc: 2 } })
    expect(missing.msg).toContain('no-such-program-here')
  })

  it('chdir, creates and removes, globs with blanks too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota services '))
    const t = target()
    expect((await runAction(t, command, { cmd: 'pwd', chdir: folder })).values['stdout']).toBe(folder)
    expect(await runAction(t, command, { cmd: 'pwd', chdir: `${folder}/none` })).toMatchObject({
      failed: true,
    })
    expect(await runAction(t, command, { cmd: 'touch made', chdir: folder, creates: 'ma*' })).toMatchObject({
      changed: true,
    })
    expect(existsSync(join(folder, 'made'))).toBe(true)
    const again = await runAction(t, command, { cmd: 'touch other', creates: `${folder}/m*e` })
    expect(again).toMatchObject({ changed: false, values: { rc: 0 } })
    expect(again.values['stdout']).toContain('skipped, since')
    const gone = await runAction(t, command, { cmd: 'touch other', removes: `${folder}/x*` })
    expect(gone).toMatchObject({ changed: false })
    expect(readdirSync(folder)).toEqual(['made'])
  })

  it('stdin reaches it, with and without a line end, secret or not; /dev/null without', async () => {
    const t = target()
    const size = async (args: object): Promise<string> =>
      (await runAction(t, command, { cmd: 'wc -c', ...args })).values['stdout'].trim()
    expect(await size({})).toBe('0')
    expect(await size({ stdin: 'abc' })).toBe('4')
    expect(await size({ stdin: 'abc', stdin_add_newline: false })).toBe('3')
    expect(await size({ stdin: new Secret('abc', 'x') })).toBe('4')
    const unread = await runAction(t, command, { argv: ['sh', '-c', 'exit 3'], stdin: 'x'.repeat(200_000) })
    expect(unread.values['rc']).toBe(3)
  })

  it('the environment keyword reaches the program and nobody else', async () => {
    const environment = { GREETING: "it's $HOME\n`id`", TOKEN: new Secret('tok-en-123', 'TOKEN') }
    const t = target({ environment })
    const outcome = await runAction(t, shell, { cmd: 'printf %s "$GREETING:$TOKEN"' })
    expect(outcome.values['stdout']).toBe("it's $HOME\n`id`:tok-en-123")
    const own = await runAction(t, command, { cmd: 'env' })
    expect(own.values['stdout']).not.toMatch(/^p_/m)
    await expect(runAction(target({ environment: { 'a-b': 'x' } }), raw, { cmd: ':' })).rejects.toMatchObject(
      {
        code: 'E_PARAMS',
      },
    )
  })

  it('shell runs text as sh -c does; a secret in it is in no argv', async () => {
    const t = target()
    const outcome = await runAction(t, shell, { cmd: 'echo "a  b" | tr a-z A-Z; echo "$#"; exit 4' })
    expect(outcome.values).toMatchObject({ rc: 4, stdout: 'A  B\n0' })
    const text = `# canary-7f3a\ncat; tr '\\0' ' ' </proc/$$/cmdline | grep -c canary-7f3a; echo "$#"; exit 5`
    const secret = await runAction(t, shell, { cmd: new Secret(text, 'text'), stdin: 'from stdin' })
    expect(secret.values).toMatchObject({ rc: 5, stdout: 'from stdin\n0\n0' })
    expect(secret.values['cmd']).toBeInstanceOf(Secret)
    const plain = await runAction(t, shell, { cmd: text, executable: '/bin/bash' })
    expect(plain.values['stdout_lines'][0]).toBe('2')
  })

  it('raw keeps line ends', async () => {
    const outcome = await runAction(target(), raw, { cmd: 'printf "a\\n\\n"' })
    expect(outcome.values).toMatchObject({ stdout: 'a\n\n', stdout_lines: ['a', ''] })
  })

  it('script runs a file of ours with its words and leaves nothing behind', async () => {
    const files = mkdtempSync(join(tmpdir(), 'rota-files-'))
    writeFileSync(join(files, 'say.sh'), '#!/bin/sh\nprintf "%s|" "$0" "$@"; printf "%s" "$X"; exit 6\n')
    const t = target({ files, environment: { X: 'y' } })
    const outcome = await runAction(t, script, { cmd: `say.sh 'a b' '$HOME'` })
    expect(outcome).toMatchObject({ changed: true, failed: true, values: { rc: 6 } })
    const [path, ...rest] = outcome.values['stdout'].split('|')
    expect(rest).toEqual(['a b', '$HOME', 'y'])
    expect(existsSync(path)).toBe(false)
    const other = await runAction(t, script, { cmd: 'say.sh z', executable: 'cat -A' })
    expect(other.values['stdout']).toContain('#!/bin/sh$')
    expect(await runAction(t, script, { cmd: 'say.sh', creates: files })).toMatchObject({ skipped: true })
  })
})

it('a secret among the words of command is refused with what to do', async () => {
  const t = makeTarget()
  for (const args of [{ cmd: new Secret('ls', 'x') }, { argv: ['echo', new Secret('pw', 'x')] }])
    await expect(runAction(t, command, args)).rejects.toMatchObject({
      code: 'E_PARAMS',
      hint: expect.stringContaining('stdin'),
    })
})

it('splits words as Python’s shlex does', () => {
  const piece = fc.constantFrom(
    'a',
    'b c',
    "'",
    '"',
    '\\',
    ' ',
    '\t',
    '\n',
    '$x',
    '#',
    '*',
    'é',
    '|',
    '',
    "\\'",
  )
  const lines = fc.sample(
    fc.array(piece, { maxLength: 9 }).map(parts => parts.join('')),
    { numRuns: 1500, seed: 7 },
  )
  const python = `
import json, shlex, sys
def split(s):
    try: return shlex.split(s)
    except ValueError: return None
print(json.dumps([split(s) for s in json.load(sys.stdin)]))`
  const expected = JSON.parse(
    execFileSync('python3', ['-c', python], { input: JSON.stringify(lines), encoding: 'utf8' }),
  )
  const ours = lines.map(line => {
    try {
      return splitWords(line)
    } catch {
      return null
    }
  })
  expect(ours).toEqual(expected)
  expect(expected.filter((words: unknown) => words !== null).length).toBeGreaterThan(300)
})
