// Two names that take turns.
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import type { Templar } from '../../src/core/templar.ts'
import type { Change } from '../../src/core/transaction.ts'
import type { State, Value } from '../../src/core/value.ts'
import { isOfIdle, renderTurns, turnsInForce } from '../../src/run/alternate.ts'

const at = { file: 'p.yml', line: 1, col: 1 }
const templar = { render: (value: Value) => value } as unknown as Templar
const reading = { templar, scope: { get: () => undefined, names: () => [] }, at }
const turns = (current: Value, between: readonly Value[] = ['app_a', 'app_b']) =>
  renderTurns(reading, [{ name: 'USER', between, current, at }])

describe('of two names', () => {
  it('the other one is next, also where the one in force was read as a secret', () => {
    expect(turns('app_a')).toEqual([{ name: 'USER', current: 'app_a', pending: 'app_b' }])
    expect(turns(new Secret('app_b', 'x'))).toEqual([{ name: 'USER', current: 'app_b', pending: 'app_a' }])
  })
  it('one has to be in force, and they have to be two', () => {
    expect(() => turns('root')).toThrow(expect.objectContaining({ code: 'E_PREFLIGHT' }))
    expect(() => turns('app_a', ['app_a'])).toThrow(expect.objectContaining({ code: 'E_PLAYBOOK' }))
  })
  it('the one that works is shown by what is in force', () => {
    const shown = (inForce: 'pending' | 'current') =>
      Object.fromEntries(
        Object.entries(turnsInForce(turns('app_a'), inForce)).map(([key, map]) => [key, map.get('USER')]),
      )
    expect(shown('pending')).toEqual({ current: 'app_a', pending: 'app_b', secrets: 'app_b', stale: 'app_a' })
    expect(shown('current')).toEqual({ current: 'app_a', pending: 'app_b', secrets: 'app_a', stale: 'app_b' })
  })
  it('a change of the idle one itself is told from one that puts it to use', () => {
    const change = (after: State): Change =>
      ({ step: 's', host: 'h', module: 'm', what: 'w', before: null, after }) as unknown as Change
    expect(isOfIdle(change({ role: 'app_b', verifier: new Secret('x', 'x') }), turns('app_a'))).toBe(true)
    expect(isOfIdle(change({ role: 'app_a', verifier: null }), turns('app_a'))).toBe(false)
    expect(isOfIdle(change({ path: '/.env', text: new Secret('USER=app_b', 'env') }), turns('app_a'))).toBe(
      false,
    )
    expect(isOfIdle(change({ role: 'app_b' }), [])).toBe(false)
  })
})
