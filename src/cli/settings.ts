import { homedir } from 'node:os'
import { join } from 'node:path'
import { problem } from '../core/error.ts'
import type { Reason } from '../core/transaction.ts'
import type { Value } from '../core/value.ts'
import type { Settings } from '../run/engine.ts'
import type { ConfigValues } from './config.ts'
import type { RunFlags } from './options.ts'

const FORKS = 50
/** Ansible's default for COLLECTIONS_PATHS. */
const collectionsPath = [join(homedir(), '.ansible/collections'), '/usr/share/ansible/collections']
/** DEFAULT_ROLES_PATH: where ansible-galaxy puts roles. */
const rolesPath = [join(homedir(), '.ansible/roles'), '/usr/share/ansible/roles', '/etc/ansible/roles']
const reasons: readonly Reason[] = ['scheduled', 'incident', 'offboarding', 'key-compromise', 'drill']

/** The reason a flag names; `scheduled` without one. Throws E_USAGE. */
export function selectReason(flag: string | undefined): Reason {
  const reason = reasons.find(known => known === (flag ?? 'scheduled'))
  if (reason) return reason
  throw problem('E_USAGE', `there is no reason "${flag}"`, { hint: `use one of: ${reasons.join(', ')}` })
}

/** HOST_PATTERN_MISMATCH. Throws E_CONFIG. */
function selectOnMismatch(wish = 'warning'): 'warning' | 'error' | 'ignore' {
  const word = wish.toLowerCase()
  if (word === 'warning' || word === 'error' || word === 'ignore') return word
  throw problem('E_CONFIG', `host_pattern_mismatch is warning, error or ignore, not ${wish}`, {
    hint: 'leave it out: a pattern that matches nothing is warned of',
  })
}

/** Flags and configuration to what the engine is told about the whole run. Throws E_USAGE. */
export function selectSettings(
  flags: RunFlags,
  config: ConfigValues,
  run: { readonly id: string; readonly version: string; readonly extraVars: ReadonlyMap<string, Value> },
): Settings {
  const forks = flags.forks ?? FORKS
  if (!Number.isInteger(forks) || forks < 1)
    throw problem('E_USAGE', `--forks takes a whole number above 0, not ${forks}`, {
      hint: `leave it out for ${FORKS}`,
    })
  return {
    forks,
    check: flags.check ?? false,
    diff: flags.diff ?? false,
    tags: flags.tags ?? ['all'],
    skipTags: flags.skipTags ?? [],
    startAtTask: flags.startAtTask,
    limit: flags.limit,
    extraVars: run.extraVars,
    verbosity: flags.verbose ?? 0,
    force: flags.force ?? false,
    reason: selectReason(flags.reason),
    forceHandlers: flags.forceHandlers ?? false,
    gatherFacts: config.gathering !== 'explicit',
    gathersOnce: config.gathering === 'smart',
    flushesCache: flags.flushCache ?? false,
    rolesPath: config.rolesPath ?? rolesPath,
    collectionsPath: config.collectionsPath ?? collectionsPath,
    allowsMissingHandlers: config.errorOnMissingHandler === false,
    keepsText: config.jinja2Native === true,
    debugsFailures: config.taskDebugger === true,
    hidesFacts: config.injectFacts === false,
    factsModules: config.factsModules,
    onMismatch: selectOnMismatch(config.hostPatternMismatch),
    runId: run.id,
    version: run.version,
  }
}
