import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import { errors, exits, problem, problemsOf } from '../core/error.ts'
import { parseSecretNames } from './given-secrets.ts'
import type { RunFlags } from './options.ts'
import { loadPolicyFor, type Place } from './policy-status.ts'
import { runCommand } from './run.ts'
import { POLICY_FILE } from './status.ts'
import { showProblems } from './terminal.ts'

/**
 * `rota incident PATTERN`: runs the playbook of every application that the policy has on these hosts, one after the other, with
 * reason incident: what cannot be verified is not put back. One that fails does not keep the next from being rotated. The exit code
 * is that of the first that was not ok.
 */
export async function incidentCommand(
  pattern: string,
  { policy, ...flags }: RunFlags & { readonly policy?: string },
  version: string,
): Promise<number> {
  const file = policy ?? POLICY_FILE
  if (policy === undefined && !existsSync(file))
    throw problem('E_USAGE', `there is no ${POLICY_FILE} here that says what to rotate`, {
      hint: 'name the policy with --policy; or run one playbook with rota run PLAYBOOK --reason incident',
    })
  const { places } = await loadPolicyFor(file, pattern, flags)
  refuseUnknown(places, flags.secret ?? [])
  const ends: { readonly place: Place; readonly exit: number }[] = []
  for (const place of places) {
    process.stdout.write(`\nincident: ${describe(place)}\n`)
    ends.push({ place, exit: await runOne(place, flags, version) })
  }
  process.stdout.write('\n')
  for (const { place, exit } of ends) process.stdout.write(`${describe(place)}: ${sayOf(exit)}\n`)
  return ends.find(({ exit }) => exit !== exits.ok.code)?.exit ?? exits.ok.code
}

function describe({ application, hosts }: Place): string {
  return `${application.name} on ${hosts.join(', ')} (${relative('.', application.playbook)})`
}

function sayOf(exit: number): string {
  const known = Object.values(exits).find(({ code }) => code === exit)
  return exit === exits.ok.code ? 'rotated' : `exit ${exit}: ${known?.say ?? 'unknown'}`
}

async function runOne({ application, hosts }: Place, flags: RunFlags, version: string): Promise<number> {
  const own = (flags.secret ?? []).filter(flag => hasSecret(application, parseSecretNames([flag])[0]!))
  const given = { ...flags, limit: hosts.join(','), reason: flags.reason ?? 'incident', secret: own }
  try {
    return await runCommand([application.playbook], given, version)
  } catch (error) {
    const problems = problemsOf(error)
    showProblems(problems)
    return exits[errors[problems[0]!.code].exit].code
  }
}

function hasSecret({ duties }: Place['application'], name: string): boolean {
  return duties.some(({ secret }) => secret === name)
}

/** A value that no playbook takes was meant for one: nothing is begun without it. */
function refuseUnknown(places: readonly Place[], flags: readonly string[]): void {
  const unknown = parseSecretNames(flags).find(
    name => !places.some(({ application }) => hasSecret(application, name)),
  )
  if (unknown === undefined) return
  const known = places.flatMap(({ application }) => application.duties.map(({ secret }) => secret))
  throw problem('E_USAGE', `--secret ${unknown}: no application on these hosts has a secret of that name`, {
    hint: `their secrets are ${[...new Set(known)].join(', ')}`,
  })
}
