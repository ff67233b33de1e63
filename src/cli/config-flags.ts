import type { Play, Playbook } from '../core/play.ts'
import { type Display, defaultDisplay } from '../report/display.ts'
import { type Config, type ConfigValues, loadConfig } from './config.ts'
import type { RunFlags } from './options.ts'

/** The flags with what the configuration says behind them, and the configuration itself. Throws as loadConfig does. */
export function configureFlags<F extends RunFlags>(flags: F): { readonly flags: F; readonly config: Config } {
  const config = loadConfig(process.env, process.cwd())
  for (const warning of config.warnings) process.stderr.write(`[WARNING]: ${warning}\n`)
  return { config, flags: applyConfig(flags, config.values) }
}

/** A flag that was given wins over the configuration. Pure. */
export function applyConfig<F extends RunFlags>(flags: F, values: ConfigValues): F {
  const color = values.noColor ? 'never' : values.forceColor ? 'always' : undefined
  const isVaultAsked = values.askVaultPass && flags.vaultPasswordFile === undefined
  const configured: RunFlags = {
    inventory: values.inventory,
    user: values.remoteUser,
    privateKey: values.privateKeyFile,
    connection: values.transport,
    forks: values.forks,
    timeout: values.timeout,
    askPass: values.askPass,
    connectionPasswordFile: flags.askPass ? undefined : values.connectionPasswordFile,
    become: values.become,
    becomeUser: values.becomeUser,
    becomeMethod: values.becomeMethod,
    askBecomePass: values.becomeAskPass,
    becomePasswordFile: flags.askBecomePass ? undefined : values.becomePasswordFile,
    askVaultPass: isVaultAsked,
    forceHandlers: values.forceHandlers,
    tags: values.tags,
    skipTags: values.skipTags,
    diff: values.diff,
    verbose: values.verbosity,
    color,
    display: selectDisplay(values),
    sshCommonArgs: values.sshCommonArgs,
    sshExtraArgs: values.sshExtraArgs,
    acceptNewHostKeys: values.hostKeyChecking === false ? true : undefined,
  }
  const given = (all: object): object =>
    Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  return { ...given(configured), ...given(flags) } as F
}

function selectDisplay(values: ConfigValues): Display {
  return {
    showsOk: values.displayOkHosts ?? defaultDisplay.showsOk,
    showsSkipped: values.displaySkippedHosts ?? defaultDisplay.showsSkipped,
    sendsFailuresToStderr: values.displayFailedStderr ?? defaultDisplay.sendsFailuresToStderr,
    showsPathOnFailure: values.showTaskPathOnFailure ?? defaultDisplay.showsPathOnFailure,
    marksCheckMode: values.checkModeMarkers ?? defaultDisplay.marksCheckMode,
    showsCustomStats: values.showCustomStats ?? defaultDisplay.showsCustomStats,
    format: values.resultFormat === 'yaml' ? 'yaml' : 'json',
    isPretty: values.formatPretty,
  }
}

/** Keywords that a play does not say itself. Pure. */
export function applyPlayDefaults(playbook: Playbook, values: ConfigValues): Playbook {
  const defaults: Partial<Play> = {
    ...(values.strategy !== undefined && { strategy: values.strategy }),
    ...(values.anyErrorsFatal !== undefined && { anyErrorsFatal: values.anyErrorsFatal }),
    ...(values.noLog !== undefined && { noLog: values.noLog }),
    ...(values.taskTimeout !== undefined && { timeout: values.taskTimeout }),
    ...(values.gatherSubset !== undefined && { gatherSubset: values.gatherSubset }),
  }
  if (Object.keys(defaults).length === 0) return playbook
  return {
    ...playbook,
    plays: playbook.plays.map(play => (play.kind === 'play' ? { ...defaults, ...play } : play)),
  }
}
