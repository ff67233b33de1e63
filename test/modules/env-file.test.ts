import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { reveal, Secret } from '../../src/core/secret.ts'
import { env_file } from '../../src/modules/env-file.ts'
import { env_read } from '../../src/modules/env-read.ts'
import { openLocalSession } from '../support/local-session.ts'
import { makeTarget } from '../support/target.ts'
import { act, apply, asState, describeCases, shells } from './harness.ts'

const values = (entries: Record<string, unknown>) => new Map(Object.entries(entries))
const secret = new Secret('n3w-v4lue', 'JWT_SECRET')

describeCases(env_file, [
  {
    name: 'changes values in place',
    files: { '.env': { text: "# panel\nexport JWT_SECRET='old-jwt'  # note\n\nPORT=80\n", mode: 0o640 } },
    args: { path: 'DIR/.env', values: values({ JWT_SECRET: secret, PORT: 81 }) },
    expect: { '.env': "# panel\nexport JWT_SECRET='n3w-v4lue'  # note\n\nPORT=81\n", 'mode:.env': '0640' },
    result: { changed_names: ['JWT_SECRET', 'PORT'], names: ['JWT_SECRET', 'PORT'] },
  },
  {
    name: 'adds what is not there',
    files: { '.env': 'A=1' },
    args: { path: 'DIR/.env', values: values({ B: 'x y' }) },
    expect: { '.env': 'A=1\nB=x y\n' },
  },
  {
    name: 'leaves what is right',
    files: { '.env': "A='1'\n" },
    args: { path: 'DIR/.env', values: values({ A: '1' }) },
    changed: false,
    result: { changed_names: [] },
  },
  {
    name: 'makes a private file',
    args: { path: 'DIR/.env', values: values({ A: '1' }), create: true },
    expect: { '.env': 'A=1\n', 'mode:.env': '0600' },
  },
  {
    name: 'removes names',
    files: { '.env': 'A=1\nB=2\nC=3\n' },
    args: { path: 'DIR/.env', state: 'absent', names: ['B', 'Z'] },
    expect: { '.env': 'A=1\nC=3\n' },
    result: { changed_names: ['B'] },
  },
  {
    name: 'refuses duplicates',
    files: { '.env': 'A=1\nA=2\n' },
    args: { path: 'DIR/.env', values: values({ B: '1' }) },
    fails: '.env:2: A is defined on line 1 already',
  },
  {
    name: 'refuses what docker cannot hold',
    files: { '.env': 'A=1\n' },
    args: { path: 'DIR/.env', dialect: 'docker', values: values({ A: 'a\nb' }) },
    fails: 'the value of A cannot be written so that docker reads it back',
  },
  {
    name: 'refuses a missing file',
    args: { path: 'DIR/.env', values: values({ A: '1' }) },
    fails: 'does not exist',
  },
  {
    name: 'refuses a boolean',
    files: { '.env': '' },
    args: { path: 'DIR/.env', values: values({ A: true }) },
    fails: 'values.A is boolean, not text',
  },
])

async function target(files: string) {
  const folder = mkdtempSync(join(tmpdir(), 'rota-env-'))
  writeFileSync(join(folder, '.env'), files)
  const session = await openLocalSession({ shell: shells['dash']! })
  return { t: makeTarget({ session, diff: true }), path: join(folder, '.env') }
}

it('shows which values change and no value', async () => {
  const { t, path } = await target('# TOKEN=old-secret-token\nA=first-value\nB=second-value\n')
  const done = await apply(t, env_file, { path, values: values({ A: 'third-value' }) })
  const { show } = asState(env_file)
  const [before, after] = [show!(done.before).text, show!(done.after).text]
  expect(before).toMatch(/^A: \[secret [0-9a-f]{4}\]\nB: \[secret [0-9a-f]{4}\]\n$/)
  expect(after.split('\n')[0]).not.toBe(before.split('\n')[0])
  expect(after.split('\n')[1]).toBe(before.split('\n')[1])
  expect(t.redactor.clean('was first-value')).toBe('was [secret A]')
  expect(JSON.stringify(done)).not.toMatch(/first-value|second-value|third-value|old-secret/)
  expect(done.result['warnings']).toEqual([])
})

it('names the programs that would read a value differently', async () => {
  const { t, path } = await target('A=1\n')
  const done = await apply(t, env_file, { path, values: values({ A: 'a$b' }) })
  expect(done.result['warnings']).toEqual([`${path}: docker would not read A as compose does`])
  expect(t.said).toEqual(done.result['warnings'])
})

it('env_read gives secrets and makes them known', async () => {
  const { t, path } = await target('PW=pass-w0rd\nNODE_ENV=production\nURL="postgres://u:${PW}@db"\n')
  const { values: found } = await act(t, env_read, { path })
  const env = found!['env'] as Record<string, Secret>
  expect(Object.keys(env)).toEqual(['PW', 'NODE_ENV', 'URL'])
  expect(reveal(env['URL']!)).toBe('postgres://u:pass-w0rd@db')
  expect(JSON.stringify(found)).not.toContain('pass-w0rd')
  expect(t.redactor.clean('pass-w0rd in production')).toBe('[secret PW] in production')
})

it.each([
  ['A=1\nA=2\n', {}, 'A is defined on line 1 already'],
  ['A=$HOME/x\n', {}, 'depends on $HOME'],
  ['A=1\n', { names: ['B'] }, 'does not define B'],
])('env_read refuses %j', async (text, more, message) => {
  const { t, path } = await target(text)
  await expect(act(t, env_read, { path, ...more })).rejects.toThrow(message)
})
