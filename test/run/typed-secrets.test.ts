// What is typed for an option that is secret is not in what the module returns.
import { expect, it } from 'vitest'
import { toValue } from '../../src/core/value.ts'
import { uri } from '../../src/modules/uri.ts'
import { fromOutcome } from '../../src/run/result.ts'
import { withoutTyped } from '../../src/run/typed-secrets.ts'

it("masks it as Ansible does, in names and texts of any depth, but not in the module's own names", () => {
  const outcome = {
    changed: false,
    msg: 'OK for hunter22',
    values: { hunter22: 1, json: { args: { 'key-hunter22': ['value-hunter22'] } }, status: 200 },
  }
  const clean = (password: string) =>
    withoutTyped(fromOutcome(outcome, false), uri, new Map([['password', password]]))
  expect(clean('hunter22').message).toBe('OK for ********')
  expect(clean('hunter22').values).toEqual(
    toValue({
      changed: false,
      hunter22: 1,
      json: { args: { 'key-********': ['value-********'] } },
      status: 200,
      msg: 'OK for ********',
      failed: false,
    }),
  )
  // So short that it would blank ordinary text.
  expect(clean('OK').message).toBe('OK for hunter22')
})
