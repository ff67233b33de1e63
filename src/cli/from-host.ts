import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { problem, RotaError } from '../core/error.ts'
import { createRedactor } from '../core/redact.ts'
import type { Become, Connections } from '../core/remote.ts'
import type { Value } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { createConnections } from '../remote/connections.ts'
import { rebuildJournal } from '../rotation/host-journal.ts'
import { type Found, freeHost, type Owner, takeCopy } from '../rotation/host-lock.ts'
import { type JournalRecord, parseLine } from '../rotation/journal.ts'
import { isRunId, type RunFolder } from '../rotation/run-folder.ts'
import type { GetVariable } from '../run/deps.ts'
import { scopeOf } from '../vars/scope.ts'
import type { ConfigValues } from './config.ts'
import { configureFlags } from './config-flags.ts'
import { type Credentials, readCredentials } from './credentials.ts'
import { parseExtraVars } from './extra-vars.ts'
import { openInvocation, placePlaybooks, selectFolder } from './invocation.ts'
import { loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import type { Mode } from './rotation.ts'
import { createRunState, type RunState } from './run-state.ts'
import { createOperatorTemplar } from './templar.ts'
import { openRunVault, type RunVault } from './vault-passwords.ts'
import { loadOperator } from './who.ts'
import { selectAddress, selectBecome } from './wiring.ts'

interface Fetch {
  readonly mode: Exclude<Mode, 'run'>
  readonly run: string
  readonly flags: RunFlags
  readonly config: ConfigValues
  readonly vault: RunVault
  readonly credentials: Credentials
  readonly connections: Connections
  readonly operator: string
  readonly token: string
}
const now = (): Date => new Date()

/**
 * Takes a run over from its hosts and makes its folder here: HOST's copy of the journal names the others, whose copies are
 * needed too. The process that had the run can change nothing on them any more. undefined: the run had changed nothing, and
 * the rollback of it is to give HOST back, which is done. Throws E_USAGE, E_HOSTS, E_JOURNAL, E_SEAL
 * when this operator is no recipient of the run, and what connecting throws.
 */
export async function fetchRun(
  state: string,
  mode: Fetch['mode'],
  run: string | undefined,
  host: string,
  given: RunFlags,
): Promise<RunFolder | undefined> {
  if (run === undefined || !isRunId(run))
    throw problem('E_USAGE', '--from-host needs the whole id of the run', {
      hint: `rota run of the same playbook names it, and so do the lock files on ${host}`,
    })
  const folder = join(state, 'runs', run)
  const { flags, config } = configureFlags(given)
  const who = await loadOperator(flags.privateKey)
  const fetch: Fetch = {
    mode,
    run,
    flags,
    config: config.values,
    vault: await openRunVault(flags, config.values),
    credentials: await readCredentials(flags),
    connections: createConnections({ redactor: createRedactor() }),
    operator: `${who['user']}@${who['machine']}`,
    token: randomBytes(16).toString('hex'),
  }
  try {
    const isFetched = await fetchCopies(fetch, host, createRunState(run, folder, []), folder)
    return isFetched ? { id: run, folder } : undefined
  } finally {
    await fetch.connections.close()
  }
}

async function fetchCopies(fetch: Fetch, host: string, state: RunState, folder: string): Promise<boolean> {
  const found = await takeFrom(fetch, host, await loadRunInventory(fetch.flags.inventory, [], fetch.vault))
  const begin = findBegin(found.journal ?? '')
  if (begin === undefined) {
    // Every host has a copy before any is changed, so nothing was changed anywhere.
    if (!found.isHeld || fetch.mode !== 'rollback') throw nothingOf(fetch.run, host, found)
    await freeHost(host, found.owner)
    return false
  }
  // Asked before anything is written here: who is no recipient cannot go on.
  const invocation = await openInvocation(state, [begin])
  const base = selectFolder(invocation, process.cwd(), true)
  const files = placePlaybooks(invocation, base)
  const inventory = await loadRunInventory(
    fetch.flags.inventory ?? invocation.flags.inventory,
    files,
    fetch.vault,
  )
  const others = begin.hosts.filter(other => other !== host)
  const copies = await Promise.all(
    others.map(async (other): Promise<[string, Found]> => [other, await takeFrom(fetch, other, inventory)]),
  )
  const whole = [[host, found] as const, ...copies].flatMap(([name, { journal, isHeld }]) => {
    // A host that the run holds and that has no copy got none: nothing was changed there.
    const text = journal ?? (isHeld ? '' : undefined)
    return text === undefined ? [] : [[name, text] as const]
  })
  await rebuildJournal(folder, new Map(whole))
  return true
}

type Begin = Extract<JournalRecord, { type: 'begin' }>

function findBegin(journal: string): Begin | undefined {
  for (const line of journal.split('\n')) {
    const record = parseLine(Buffer.from(line))
    if (record?.type === 'begin') return record
  }
  return undefined
}

function nothingOf(run: string, host: string, { isHeld }: Found): RotaError {
  if (isHeld)
    return problem('E_JOURNAL', `run ${run} holds ${host}, but had not begun to change anything`, {
      hint: `rota rollback ${run} --from-host ${host} gives it back`,
    })
  return problem('E_JOURNAL', `${host} has no journal of run ${run}`, {
    hint: 'check the id and the host; where the play becomes another user than root, give --become-user, or -K when sudo asks for a password',
  })
}

interface Taken extends Found {
  readonly owner: Owner
}

/** As the user that flags and inventory say; when that one finds nothing, as root. */
async function takeFrom(fetch: Fetch, host: string, inventory: Inventory): Promise<Taken> {
  const get = variablesOf(host, inventory, fetch)
  const given = selectBecome(get, {}, fetch.flags, fetch.credentials)
  const found = await takeAs(fetch, host, get, given)
  if (given || found.isHeld || found.journal !== undefined) return found
  const root = selectBecome(get, { become: true }, fetch.flags, fetch.credentials)
  return takeAs(fetch, host, get, root).catch(error => {
    if (error instanceof RotaError && error.code === 'E_BECOME') return found
    throw error
  })
}

async function takeAs(
  fetch: Fetch,
  host: string,
  get: GetVariable,
  become: Become | undefined,
): Promise<Taken> {
  const { run, operator, token, connections } = fetch
  const owner: Owner = {
    run,
    operator,
    token,
    now,
    async runOnHost(name, script, params) {
      const session = await connections.open(selectAddress(name, get, {}, fetch), become)
      const folder = String(get('rota_host_folder') ?? '')
      const done = await session.run({ script, params: { ...params, folder } })
      if (done.status === 'ran') return done
      throw problem('E_UNKNOWN', `${name}: ${done.why}`, { hint: 'give the command again' })
    },
  }
  return { ...(await takeCopy(host, owner)), owner }
}

/** What the inventory and extra variables say of a host: there is no play yet. */
function variablesOf(name: string, inventory: Inventory, { flags, vault }: Fetch): GetVariable {
  const host = inventory.hosts.get(name)
  if (!host)
    throw problem('E_HOSTS', `the inventory has no host ${name}`, {
      hint: 'give the run’s inventory with -i',
    })
  const templar = createOperatorTemplar(now, vault)
  const magic = new Map<string, Value>([['inventory_hostname', name]])
  const scope = scopeOf(
    [
      {
        rank: 'command line values',
        from: 'the name of the host',
        values: new Map([['ansible_host', name]]),
      },
      ...host.layers,
      { rank: 'extra vars', from: '--extra-vars', values: parseExtraVars(flags.extraVars ?? [], vault) },
    ],
    { get: key => magic.get(key), names: () => magic.keys() },
  )
  return variable => {
    const value = scope.get(variable)
    return value === undefined ? undefined : templar.render(value, scope)
  }
}
