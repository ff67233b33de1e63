// The safety rules of a rotation, each broken once in a copy of the source. The harness has to find every one.
export interface Mutant {
  readonly rule: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
  /** A test that has to fail, where the trials cannot see it: their machines lose no disk for good. */
  readonly test?: string
}

export const mutants: readonly Mutant[] = [
  {
    rule: 'a record is on the disk before anything relies on it',
    file: 'src/rotation/journal.ts',
    from: "await file.append(Buffer.from(batch.map(({ line }) => line).join('')))\n        await file.sync()",
    to: "await file.append(Buffer.from(batch.map(({ line }) => line).join('')))",
  },
  {
    rule: 'a torn end is cut off before more is written',
    file: 'src/rotation/journal.ts',
    from: 'if (found.sizeBytes < bytes.length) await file.truncate(found.sizeBytes)',
    to: '',
  },
  {
    rule: 'pending secrets are durable before they are used',
    file: 'src/rotation/pending.ts',
    from: 'await record(run, entry, { payload: toSecretsPayload(secrets), required: true })',
    to: 'await record(run, entry, { required: true })',
  },
  {
    rule: 'a change has an intent',
    file: 'src/rotation/steps.ts',
    from: 'await record(run, entry, { payload: toPayload(change), required: true })',
    to: 'void entry',
  },
  {
    rule: 'nothing is written before its intent',
    file: 'src/rotation/steps.ts',
    from: 'const step = await announce(run, change, inForce)',
    to: 'await write()\n  const step = await announce(run, change, inForce)',
  },
  {
    rule: 'a write without an answer is probed',
    file: 'src/rotation/steps.ts',
    from: "const { probe } = await probeStep(run, step)\n    if (probe !== 'applied') throw error",
    to: '',
  },
  {
    rule: 'recovery probes before it undoes',
    file: 'src/rotation/steps.ts',
    from: 'let { probe, why } = probed ?? (await probeStep(run, step))',
    to: "let { probe, why } = probed && false || { probe: 'not_applied' as Probe, why: undefined as Clean | undefined }",
  },
  {
    rule: 'recovery probes before it goes forward',
    file: 'src/rotation/steps.ts',
    from: 'const { probe, why } = await probeStep(run, step)\n  const decision = decide(probe, true, run.deps.reason)',
    to: "const { probe, why } = { probe: 'applied' as Probe, why: undefined }\n  const decision = decide(probe, true, run.deps.reason)",
  },
  {
    rule: 'an undo writes the state of before',
    file: 'src/rotation/steps.ts',
    from: 'await run.world.write(change, change.after, change.before)',
    to: '',
  },
  {
    rule: 'changes are undone latest first',
    file: 'src/rotation/back.ts',
    from: '[...steps].reverse()',
    to: '[...steps]',
  },
  {
    rule: 'after an undo the running system is made to match',
    file: 'src/rotation/back.ts',
    from: "for (const phase of ['converge', 'verify'] as const) {",
    to: "for (const phase of ['verify'] as const) {",
  },
  {
    rule: 'what lands after it was found not applied is undone too',
    file: 'src/rotation/back.ts',
    from: 'if (!(await findLate(run, uncertain, stuck))) break',
    to: 'break',
  },
  {
    rule: 'a run that turned back never turns again',
    file: 'src/rotation/transaction.ts',
    from: 'if (run.ledger.isUndoing) return goBack(run)',
    to: '',
  },
  {
    rule: 'a red verify undoes the run',
    file: 'src/rotation/wave.ts',
    from: "[inForce === 'both' ? 'distribute' : 'change', 'converge', 'verify'] as const",
    to: "[inForce === 'both' ? 'distribute' : 'change', 'converge'] as const",
  },
  {
    rule: 'what cannot be undone comes after the commit',
    file: 'src/rotation/pivot.ts',
    from: "await record(run, { type: 'commit' })\n  run.ledger.isCommitted = true",
    to: "run.ledger.isCommitted = true\n  await finishCommitted(run)\n  await record(run, { type: 'commit' })",
  },
  {
    rule: 'nobody says committed before a host knows of it',
    file: 'src/rotation/pivot.ts',
    from: 'await requireTold(run)',
    to: '',
  },
  {
    rule: 'a run that has ended is over',
    file: 'src/rotation/transaction.ts',
    from: ": end?.type === 'end'",
    to: ": end?.type === ('never' as string)",
  },
  {
    rule: 'after an incident nothing goes back',
    file: 'src/rotation/decide.ts',
    from: "return reason === 'incident' || reason === 'offboarding' || reason === 'key-compromise'",
    to: "return reason === ('never' as string)",
  },
  {
    rule: 'a fenced process stops',
    file: 'src/core/fence.ts',
    from: 'if (found === undefined) return\n',
    to: 'if (found === undefined || found) return\n',
  },
  {
    rule: 'a run that has ended gives its hosts back',
    file: 'src/rotation/end.ts',
    from: "if (type === 'end') await freeHosts(run, state)",
    to: '',
  },
  {
    rule: 'a record that no host has confirmed goes along with the next',
    file: 'src/rotation/host-journal.ts',
    from: 'const batch = [...unkept]',
    to: 'const batch = [lines]',
    test: 'test/rotation/host-journal.test.ts',
  },
]
