import { exits, problem } from '../core/error.ts'
import type { Application, Policy } from '../core/policy.ts'
import { createRedactor } from '../core/redact.ts'
import type { Inventory } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { loadPolicy } from '../load/policy.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { renderCalendar } from '../policy/calendar.ts'
import { renderPrometheus } from '../policy/prometheus.ts'
import { decideReportExit, decideStanding, type Report, type Standing } from '../policy/standing.ts'
import { renderJsonReport, renderTable } from '../policy/table.ts'
import { stateFolder } from '../rotation/run-folder.ts'
import { type Agreements, type AskOptions, askAgreements } from './agreements.ts'
import { configureFlags } from './config-flags.ts'
import { readCredentials } from './credentials.ts'
import { readLastRotations, readOpenRuns, selectLater } from './last-rotations.ts'
import { createPlaybookLoader, findRotation, loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { openRunVault } from './vault-passwords.ts'

export interface StatusFlags extends RunFlags {
  readonly policy?: string | undefined
  readonly format?: string | undefined
  readonly offline?: boolean | undefined
}

const formats: Readonly<Record<string, (report: Report) => string>> = {
  text: renderTable,
  json: renderJsonReport,
  prometheus: renderPrometheus,
  ics: renderCalendar,
}

/** An application with its hosts, as the inventory and the pattern select them. */
export interface Place {
  readonly application: Application
  readonly hosts: readonly string[]
}

/** A policy with everything it names: checked, and nothing of it done. Throws whatever is wrong in policy, playbooks or inventory. */
export interface LoadedPolicy extends Omit<AskOptions, 'credentials' | 'version'> {
  readonly policy: Policy
  readonly places: readonly Place[]
}

export async function loadPolicyFor(
  file: string,
  pattern: string | undefined,
  given: RunFlags,
): Promise<LoadedPolicy> {
  const { flags, config } = configureFlags(given)
  const registry = createRegistry(modules)
  const redactor = createRedactor()
  const vault = await openRunVault(flags, config.values, redactor.add)
  const policy = loadPolicy(file, { registry, vault })
  checkPlaybooks(policy, createPlaybookLoader({ registry, vault }, config.values))
  const playbooks = policy.applications.map(({ playbook }) => playbook)
  const inventory = await loadRunInventory(flags.inventory, { playbooks, vault })
  const places = selectPlaces(policy, inventory, pattern, flags.limit)
  return { policy, places, flags, config, vault, inventory, redactor }
}

/** Every secret of the policy is one that its playbook rotates: else nobody could ever do that duty. */
function checkPlaybooks(policy: Policy, load: ReturnType<typeof createPlaybookLoader>): void {
  for (const { playbook, duties, name, at } of policy.applications) {
    const rotation = findRotation([load(playbook)], load)
    if (!rotation)
      throw problem('E_POLICY', `${playbook} has no rotation`, {
        at,
        hint: `name the playbook that rotates ${name}`,
      })
    const known = rotation.secrets.map(spec => spec.name)
    const unknown = duties.find(({ secret }) => !known.includes(secret))
    if (unknown)
      throw problem('E_POLICY', `the playbook of ${name} does not rotate ${unknown.secret}`, {
        at: unknown.at,
        hint: `it rotates ${known.join(', ')}`,
      })
  }
}

function selectPlaces(
  policy: Policy,
  inventory: Inventory,
  pattern: string | undefined,
  limit: string | undefined,
): readonly Place[] {
  const wanted = pattern === undefined ? undefined : new Set(selectHosts(inventory, pattern, limit))
  const places = policy.applications.map(application => {
    const hosts = selectHosts(inventory, patternOf(application), limit)
    return { application, hosts: wanted ? hosts.filter(host => wanted.has(host)) : hosts }
  })
  const found = places.filter(({ hosts }) => hosts.length > 0)
  if (found.length > 0) return found
  throw problem('E_HOSTS', `no application of the policy runs on ${pattern ?? limit ?? 'any host'}`, {
    hint: `its applications run on ${policy.applications.map(patternOf).join(', ')}`,
  })
}

function patternOf({ play, at, name }: Application): string {
  const parts = Array.isArray(play.hosts) ? play.hosts : [play.hosts]
  if (parts.every(part => typeof part === 'string')) return parts.join(',')
  throw problem('E_POLICY', `hosts of ${name} cannot be a template`, {
    at,
    hint: 'name the group or the hosts',
  })
}

/** `rota status [PATTERN]` where there is a policy: how every secret stands on every host. Changes nothing anywhere. */
export async function policyStatusCommand(
  file: string,
  pattern: string | undefined,
  given: StatusFlags,
  version: string,
): Promise<number> {
  const loaded = await loadPolicyFor(file, pattern, given)
  const report = await makeReport(loaded, given, version)
  process.stdout.write(formats[given.format ?? 'text']!(report))
  return exits[decideReportExit(report)].code
}

async function makeReport(loaded: LoadedPolicy, given: StatusFlags, version: string): Promise<Report> {
  const state = stateFolder(process.env)
  const last = await readLastRotations(state)
  const open = await readOpenRuns(state, new Set(loaded.places.flatMap(({ hosts }) => hosts)))
  const asked = await askAll(loaded, given, version)
  const now = new Date()
  const standings = loaded.places.flatMap(({ application, hosts }) => {
    const answers = asked.get(application)
    return hosts.flatMap(host =>
      application.duties.map((duty): Standing => {
        const key = `${host} ${duty.secret}`
        const agreements = answers?.found.get(key) ?? []
        const rotated = selectLater(last.get(key), answers?.last.get(key))
        return decideStanding({ application, host, duty, last: rotated, agreements, open }, now)
      }),
    )
  })
  const down = [...asked.values()].flatMap(({ unreachable }) => [...unreachable])
  return { at: now.toISOString(), standings, open, unreachable: [...new Set(down)].sort() }
}

async function askAll(
  { places, ...options }: LoadedPolicy,
  { offline }: StatusFlags,
  version: string,
): Promise<ReadonlyMap<Application, Agreements>> {
  const asked = new Map<Application, Agreements>()
  if (offline) return asked
  const credentials = await readCredentials(options.flags)
  for (const { application, hosts } of places) {
    const play = { ...application.play, hosts: hosts.join(',') }
    asked.set(
      application,
      await askAgreements({ ...application, play }, { ...options, credentials, version }),
    )
  }
  return asked
}
