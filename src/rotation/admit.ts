import { prepareHosts } from './prepare.ts'
import { note, type Red, type Run, record, toMessage } from './run.ts'

/** Hosts that were taken in, or those of them that are in the way. */
interface Admission {
  readonly hosts: readonly string[]
  readonly red: Red
}

/**
 * Takes the hosts into the run that have joined since it began: they are locked and read, and their values are sealed in the journal. At a
 * barrier, where hosts share values: they have to accept both before the run goes on. Also those that an earlier process had recorded and
 * left off with. Throws E_LOCKED when the run was taken over.
 */
export async function admitHosts(run: Run): Promise<Admission> {
  const { world, ledger } = run
  if (!world.distributes || !world.setHosts) return { hosts: [], red: new Map() }
  const joined = (await world.joined?.()) ?? []
  const isReady = (host: string): boolean => ledger.dropped.has(host) || ledger.secrets?.has(host) === true
  const hosts = [...world.hosts.filter(host => !isReady(host)), ...joined]
  if (hosts.length === 0) return { hosts, red: new Map() }
  const failed = (error: unknown): Red => {
    run.deps.hostLocks?.checkHeld()
    const message = toMessage(run, error)
    return new Map(hosts.map(host => [host, { status: 'failed', message }]))
  }
  try {
    if (joined.length > 0) await addHosts(run, joined)
    const found = await prepareHosts(run, hosts)
    if (found === undefined) return { hosts, red: new Map() }
    return { hosts, red: found.red.size > 0 ? found.red : failed(new Error(found.why)) }
  } catch (error) {
    return { hosts, red: failed(error) }
  }
}

/** They are of the run before anything is done on them, and every host that was there knows that. */
async function addHosts(run: Run, joined: readonly string[]): Promise<void> {
  await record(run, { type: 'admit', hosts: joined }, { required: true })
  run.ledger.hosts.push(...joined)
  note(run, 'info', `${joined.join(', ')} joined since the run began, and is one of its hosts from now on`)
  await run.world.setHosts?.([...run.world.hosts, ...joined])
}
