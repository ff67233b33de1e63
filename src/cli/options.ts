import { type Command, Option } from 'commander'
import { problem } from '../core/error.ts'
import type { Display } from '../report/display.ts'

/** Flags as commander gives them; the names are ansible-playbook's. Lists are collected over repetitions. */
export interface RunFlags {
  readonly inventory?: readonly string[] | undefined
  readonly limit?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly skipTags?: readonly string[] | undefined
  readonly extraVars?: readonly string[] | undefined
  readonly check?: boolean | undefined
  readonly diff?: boolean | undefined
  readonly forks?: number | undefined
  readonly become?: boolean | undefined
  readonly becomeUser?: string | undefined
  readonly becomeMethod?: string | undefined
  readonly askBecomePass?: boolean | undefined
  readonly becomePasswordFile?: string | undefined
  readonly askPass?: boolean | undefined
  readonly connectionPasswordFile?: string | undefined
  readonly user?: string | undefined
  readonly privateKey?: string | undefined
  readonly connection?: string | undefined
  readonly timeout?: number | undefined
  readonly sshCommonArgs?: string | undefined
  readonly sshExtraArgs?: string | undefined
  readonly acceptNewHostKeys?: boolean | undefined
  readonly vaultId?: readonly string[] | undefined
  readonly vaultPasswordFile?: readonly string[] | undefined
  readonly askVaultPass?: boolean | undefined
  readonly startAtTask?: string | undefined
  readonly step?: boolean | undefined
  readonly force?: boolean | undefined
  readonly forceHandlers?: boolean | undefined
  readonly flushCache?: boolean | undefined
  readonly listHosts?: boolean | undefined
  readonly listTasks?: boolean | undefined
  readonly listTags?: boolean | undefined
  readonly syntaxCheck?: boolean | undefined
  readonly reason?: string | undefined
  readonly secret?: readonly string[] | undefined
  readonly recipient?: readonly string[] | undefined
  readonly events?: string | undefined
  readonly output?: string | undefined
  readonly color?: string | undefined
  readonly verbose?: number | undefined
  /** Of the configuration. */
  readonly display?: Display | undefined
}

/** Collects the values of an option that may be repeated. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]
const commas = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  ...value.split(','),
]
const count = (_: string, before = 0): number => before + 1

/** `Number` alone would make NaN of a word, which then is no limit at all. */
function positive(flag: string, unit: string): (text: string) => number {
  return text => {
    if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text)
    throw problem('E_USAGE', `${flag} takes a number of ${unit} above 0, not ${JSON.stringify(text)}`, {
      hint: `write ${flag} 10, or leave it out`,
    })
  }
}
function oneOf(flag: string, choices: readonly string[]): (text: string) => string {
  return text => {
    if (choices.includes(text)) return text
    throw problem('E_USAGE', `there is no ${flag} ${JSON.stringify(text)}`, {
      hint: `use one of: ${choices.join(', ')}`,
    })
  }
}

/** Flags of every command that reaches hosts. Of two long names commander calls the option by the second one. */
export function addConnectionFlags(command: Command): Command {
  return command
    .option(
      '-i, --inventory <source>',
      'inventory file, folder, script or host list `a,b,`; repeatable',
      collect,
    )
    .option('-l, --limit <pattern>', 'only these hosts: a pattern, or @file')
    .option(
      '-e, --extra-vars <vars>',
      'k=v, YAML/JSON, or @file; repeatable. Not for secrets: see --secret',
      collect,
    )
    .option('-u, --user <name>', 'log in as this user')
    .option('--key-file, --private-key <file>', 'log in with this key')
    .option('-k, --ask-pass', 'ask for the login password')
    .option('--conn-pass-file, --connection-password-file <file>', 'read the login password from a file')
    .option('-c, --connection <type>', 'ssh (default), openssh (the system ssh), local')
    .option('-T, --timeout <seconds>', 'give up connecting after this time', positive('--timeout', 'seconds'))
    .option('--ssh-common-args <args>', 'extra arguments for ssh')
    .option('--ssh-extra-args <args>', 'extra arguments for ssh')
    .option(
      '--accept-new-host-keys',
      'record the key of a host never seen before; a changed key is always refused',
    )
    .option('-b, --become', 'become another user')
    .option('--become-user <name>', 'become this user (root)')
    .option('--become-method <method>', 'sudo, su or doas (sudo)')
    .option('-K, --ask-become-pass', 'ask for the become password')
    .option('--become-pass-file, --become-password-file <file>', 'read the become password from a file')
    .option('-f, --forks <n>', 'hosts at a time (50)', positive('--forks', 'hosts'))
}

/** ansible's flags for the passwords of vaults. */
export function addVaultFlags(command: Command): Command {
  return command
    .option(
      '--vault-id <[label@]source>',
      'a vault password: prompt, or a file or script; repeatable',
      collect,
    )
    .option(
      '--vault-pass-file, --vault-password-file <file>',
      'a file or script with the vault password; repeatable',
      collect,
    )
    .option('-J, --ask-vault-pass', 'ask for the vault password')
    .addOption(new Option('--ask-vault-password').hideHelp().implies({ askVaultPass: true }))
}

/** Flags of how a run is shown. */
export function addOutputFlags(command: Command): Command {
  return command
    .option('--output <format>', 'text, or jsonl: one event a line', oneOf('--output', ['text', 'jsonl']))
    .option('--events <file>', 'write every event to a file, one a line')
    .option('--color <when>', 'auto, always or never', oneOf('--color', ['auto', 'always', 'never']))
    .option('-v, --verbose', 'show results; repeatable', count)
}

/** ansible-playbook's flags for what is run. */
export function addRunFlags(command: Command): Command {
  return addOutputFlags(addVaultFlags(addConnectionFlags(command)))
    .option('-t, --tags <tags>', 'only tasks with these tags', commas)
    .option('--skip-tags <tags>', 'not tasks with these tags', commas)
    .option('-C, --check', 'change nothing; say what would change')
    .option('-D, --diff', 'show what changes in files and states')
    .option('--start-at-task <name>', 'begin at the task with this name (not inside a rotation)')
    .option('--step', 'ask before each task (not inside a rotation)')
    .option('--force', 'rotate although the previous values of an earlier rotation still count (grace)')
    .option('--force-handlers', 'run handlers even when a task failed')
    .option('--flush-cache', 'forget the facts that fact_caching keeps of the hosts')
    .option('--list-hosts', 'list the hosts of each play and stop')
    .option('--list-tasks', 'list the tasks of each play and stop')
    .option('--list-tags', 'list the tags of each play and stop')
    .option('--syntax-check', 'read everything, say every problem, and stop')
    .option(
      '--reason <why>',
      'scheduled, incident, offboarding, key-compromise or drill: decides how a rotation recovers',
    )
    .option(
      '--secret <NAME=->',
      'give a secret of the rotation: - asks (or takes a line of stdin), @FILE and fd:N read, cmd:COMMAND runs; repeatable',
      collect,
    )
    .option(
      '--recipient <age1…>',
      'an age recipient that can open backups and journal besides you; repeatable',
      collect,
    )
}
