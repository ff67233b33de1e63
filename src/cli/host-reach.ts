import { randomBytes } from 'node:crypto'
import { problem, RotaError } from '../core/error.ts'
import { createRedactor } from '../core/redact.ts'
import type { Become } from '../core/remote.ts'
import type { Value } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { createConnections } from '../remote/connections.ts'
import type { RunOnHost } from '../rotation/host-folder.ts'
import type { Owner } from '../rotation/host-lock.ts'
import type { GetVariable } from '../run/deps.ts'
import { scopeOf } from '../vars/scope.ts'
import { configureFlags } from './config-flags.ts'
import { readCredentials } from './credentials.ts'
import { parseExtraVars } from './extra-vars.ts'
import { loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { createOperatorTemplar } from './templar.ts'
import { openRunVault, type RunVault } from './vault-passwords.ts'
import { loadOperator } from './who.ts'
import { selectAddress, selectBecome } from './wiring.ts'

const now = (): Date => new Date()

/** How hosts are reached outside of any play: by flags, inventory and extra variables alone. */
export interface Reach {
  readonly flags: RunFlags
  /** As locks and evidence name whoever gives the command. */
  readonly operator: string
  /** Throws what a bad inventory throws. `sources` stand in where `-i` was not given. */
  loadInventory(playbooks: readonly string[], sources?: readonly string[]): Promise<Inventory>
  /**
   * Looks on a host for what a rotation keeps there: as the user that flags and inventory say, and when `isThere` says that
   * this one found nothing, as root. Resolves with what was found, and by whom. Throws E_HOSTS and what connecting throws.
   */
  look<T>(
    host: string,
    inventory: Inventory,
    work: (runOnHost: RunOnHost) => Promise<T>,
    isThere: (found: T) => boolean,
  ): Promise<{ readonly found: T; readonly runOnHost: RunOnHost }>
  /** Of this process, for one run's hold of hosts. */
  ownerOf(run: string, runOnHost: RunOnHost): Owner
  close(): Promise<void>
}

/** Opens it; nothing is connected yet. Throws what bad flags throw. */
export async function openReach(given: RunFlags): Promise<Reach> {
  const { flags, config } = configureFlags(given)
  const who = await loadOperator(flags.privateKey)
  const vault = await openRunVault(flags, config.values)
  const credentials = await readCredentials(flags)
  const connections = createConnections({ redactor: createRedactor() })
  const operator = `${who['user']}@${who['machine']}`
  const token = randomBytes(16).toString('hex')
  const runnerAs =
    (get: GetVariable, become: Become | undefined): RunOnHost =>
    async (name, script, params) => {
      const address = selectAddress(name, get, {}, { flags, config: config.values, credentials })
      const session = await connections.open(address, become)
      const folder = String(get('rota_host_folder') ?? '')
      const done = await session.run({ script, params: { ...params, folder } })
      if (done.status === 'ran') return done
      throw problem('E_UNKNOWN', `${name}: ${done.why}`, { hint: 'give the command again' })
    }
  return {
    flags,
    operator,
    loadInventory: (playbooks, sources) => loadRunInventory(flags.inventory ?? sources, { playbooks, vault }),
    async look(host, inventory, work, isThere) {
      const get = variablesOf(host, inventory, flags, vault)
      const become = selectBecome(get, {}, flags, credentials)
      const asGiven = runnerAs(get, become)
      const first = { found: await work(asGiven), runOnHost: asGiven }
      if (become || isThere(first.found)) return first
      const asRoot = runnerAs(get, selectBecome(get, { become: true }, flags, credentials))
      return work(asRoot).then(
        found => ({ found, runOnHost: asRoot }),
        error => {
          if (error instanceof RotaError && error.code === 'E_BECOME') return first
          throw error
        },
      )
    },
    ownerOf: (run, runOnHost) => ({ run, operator, token, now, runOnHost }),
    close: () => connections.close(),
  }
}

/** What the inventory and extra variables say of a host: there is no play yet. */
function variablesOf(name: string, inventory: Inventory, flags: RunFlags, vault: RunVault): GetVariable {
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
