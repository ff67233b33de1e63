import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import {
  comparePlans,
  fingerprintBase,
  type Plan,
  type PlannedHost,
  renderPlan,
} from '../../src/rotation/plan.ts'

const host = (name: string, more: Partial<PlannedHost> = {}): PlannedHost => ({
  host: name,
  wave: 1,
  login: { address: `${name}:22`, user: 'deploy', hostKey: 'SHA256:aaaa' },
  secrets: [{ name: 'JWT', value: 'made by rota, 64 characters', replaces: true, logsOut: 'everybody' }],
  changes: [
    { step: `0.change.0:${name}`, module: 'env_file', what: 'write it', undo: 'back', base: 'b'.repeat(64) },
  ],
  converge: ['Restart'],
  committed: [],
  ...more,
})
const plan = (more: Partial<Plan> = {}): Plan => ({
  v: 1,
  rotation: 'app',
  reason: 'scheduled',
  made: '2026-11-23T00:00:00.000Z',
  by: 'alice@desk',
  playbooks: ['rotate.yml'],
  inputs: 'f'.repeat(64),
  files: { 'tasks/a.yml': '1' },
  commit: 'run',
  failureBudget: 0,
  downtime: null,
  undo: 'it is taken back',
  hosts: [host('one'), host('two')],
  sealed: { key: 'age', payload: 'sealed' },
  ...more,
})

it('when and by whom it was planned does not count', () => {
  expect(comparePlans(plan(), plan({ made: '2027-01-01T00:00:00.000Z', by: 'bob@lap' }))).toEqual([])
})

it.each<[string, Plan]>([
  ['reason is incident now', plan({ reason: 'incident' })],
  ['commit is host now', plan({ commit: 'host' })],
  ['failureBudget is 1 now', plan({ failureBudget: 1 })],
  ['the playbook, the inventory', plan({ inputs: 'e'.repeat(64) })],
  ['tasks/a.yml is another file', plan({ files: { 'tasks/a.yml': '2' } })],
  ['tasks/b.yml is another file', plan({ files: { 'tasks/a.yml': '1', 'tasks/b.yml': '1' } })],
  ['the hosts are one (wave 1)', plan({ hosts: [host('one')] })],
  ['the hosts are one (wave 1), two (wave 2)', plan({ hosts: [host('one'), host('two', { wave: 2 })] })],
  [
    'two: its host key is SHA256:bbbb',
    plan({
      hosts: [
        host('one'),
        host('two', { login: { address: 'two:22', user: 'deploy', hostKey: 'SHA256:bbbb' } }),
      ],
    }),
  ],
  ['two: its host key is none', plan({ hosts: [host('one'), host('two', { login: null })] })],
  [
    'two: it is reached elsewhere',
    plan({
      hosts: [
        host('one'),
        host('two', { login: { address: 'two:22', user: 'root', hostKey: 'SHA256:aaaa' } }),
      ],
    }),
  ],
  ['two: its secrets are others', plan({ hosts: [host('one'), host('two', { secrets: [] })] })],
  ['two: its converge are others', plan({ hosts: [host('one'), host('two', { converge: [] })] })],
  ['two: nothing is to be changed any more', plan({ hosts: [host('one'), host('two', { changes: [] })] })],
  [
    'two: it is no longer as it was when planned',
    plan({ hosts: [host('one'), host('two', { changes: [{ ...host('two').changes[0]!, base: 'c' }] })] }),
  ],
  [
    'two: another change than planned',
    plan({
      hosts: [host('one'), host('two', { changes: [{ ...host('two').changes[0]!, module: 'copy' }] })],
    }),
  ],
  [
    'two: a change that was not planned',
    plan({ hosts: [host('one'), host('two', { changes: [...host('two').changes, ...host('x').changes] })] }),
  ],
])('%s', (message, now) => {
  expect(comparePlans(plan(), now)).toEqual([expect.stringContaining(message)])
})

it('the fingerprint of a state: the same for the same state, another for another one or another key; it shows no secret', () => {
  const key = Buffer.alloc(32, 1)
  const state = (text: string, more = {}) => ({
    path: '/.env',
    content: { text: new Secret(text, 'env') },
    ...more,
  })
  const base = fingerprintBase(state('a'), key)
  expect(fingerprintBase({ content: { text: new Secret('a', 'other label') }, path: '/.env' }, key)).toBe(
    base,
  )
  expect(fingerprintBase(state('a', { terms: { showKey: 'x' } }), key)).toBe(base)
  for (const other of [state('b'), state('a', { mode: '0600' }), { ...state('a'), path: '/x' }])
    expect(fingerprintBase(other, key)).not.toBe(base)
  expect(fingerprintBase(state('a'), Buffer.alloc(32, 2))).not.toBe(base)
  // A pending value is another one each time.
  const tried = (text: string) => state('a', { passwords: [new Secret(text, 'DB')] })
  const pending = (text: string) => new Map([['DB', new Secret(text, 'DB')]])
  expect(fingerprintBase(tried('n1'), key, pending('n1'))).toBe(
    fingerprintBase(tried('n2'), key, pending('n2')),
  )
  expect(fingerprintBase(tried('n1'), key)).not.toBe(fingerprintBase(tried('n2'), key))
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
      expect(fingerprintBase(a as never, key) === fingerprintBase(b as never, key)).toBe(isSame)
    }),
  )
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([name]) => name !== 'terms')
  return Object.fromEntries(
    members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, sorted(inner)]),
  )
}

it('is read by people', () => {
  const text = renderPlan(plan({ downtime: '10 s', hosts: [host('one', { login: null })] }))
  expect(text).toContain('Downtime   10 s')
  expect(text).toContain('one  (wave 1; no ssh)')
  expect(text).toContain('secret    JWT: made by rota, 64 characters; logs out everybody')
  expect(text).toContain('change    env_file: write it')
})
