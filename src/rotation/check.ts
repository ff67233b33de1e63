import type { Phase } from '../core/play.ts'
import type { RotationWorld } from '../core/transaction.ts'
import { createUniform, type RotationOutcome } from './outcome.ts'
import { makeSecrets, refuseNothing, showGiven } from './pending.ts'
import type { RotationDeps } from './run.ts'

/** What check mode can tell: preflight is really run, changes are read and wanted but not written; actions are skipped. */
const checked: readonly Phase[] = [
  'preflight',
  'backup',
  'distribute',
  'change',
  'converge',
  'verify',
  'committed',
]

/**
 * `--check` of a rotation: says what would change. Pending values are made in memory and forgotten, and no journal is written.
 * Ends `refused` when preflight is red, as the run would, else `running`: nothing was done.
 */
export async function checkRotation(world: RotationWorld, deps: RotationDeps): Promise<RotationOutcome> {
  showGiven({ world, deps })
  for (const phase of checked) {
    if (phase === 'distribute' && !world.distributes) continue
    // Preflight has read the values in force by then.
    if (phase === (world.distributes ? 'distribute' : 'change')) await showMade(world, deps)
    deps.emit({ type: 'phase.start', phase, hosts: world.hosts })
    const results = await world.runPhase(
      phase,
      world.hosts,
      phase === 'distribute' ? 'both' : 'pending',
      refuseWrite,
    )
    const red = [...results].find(([, result]) => result.status !== 'ok')
    if (red === undefined) continue
    const message = deps.clean(`${phase} would be red on ${red[0]}`)
    return createUniform('refused', world.hosts, message)
  }
  return { ...createUniform('running', world.hosts), exit: 'ok' }
}

/** Makes pending values and shows them to the play. What others issue is not made in check mode. */
async function showMade(world: RotationWorld, deps: RotationDeps): Promise<void> {
  const isIssued = world.secrets.some(({ issued }) => issued !== undefined)
  for (const [host, values] of await makeSecrets({ world, deps })) {
    if (!isIssued) refuseNothing(world.secrets, host, values.pending)
    world.setSecrets(host, values)
  }
}

/** The engine never writes in check mode; this makes it certain. */
async function refuseWrite(): Promise<never> {
  throw new Error('a change was about to be written in check mode')
}
