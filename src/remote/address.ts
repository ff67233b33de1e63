import { split } from 'shlex'
import { problem, type RotaError } from '../core/error.ts'
import type { Address, Become } from '../core/remote.ts'
import { Secret } from '../core/secret.ts'
import { Float } from '../core/value.ts'

/** One of the host's variables, rendered; undefined when there is none. */
export type Get = (variable: string) => unknown

/** What flags, play keywords and configuration say; variables of the host win over it. */
export type AddressDefaults = Partial<{
  readonly [K in Exclude<keyof Address, 'name' | 'host' | 'sshArgs'>]: Address[K] | undefined
}> & {
  /** Arguments of ssh as they are typed, and as ansible_ssh_args, _common_args and _extra_args replace them. */
  readonly sshArgs?: string | undefined
  readonly sshCommonArgs?: string | undefined
  readonly sshExtraArgs?: string | undefined
}

/** Ansible's `timeout` setting. */
const CONNECT_TIMEOUT_MS = 10_000

const transports: Readonly<Record<string, Address['transport']>> = {
  ssh: 'ssh',
  smart: 'ssh',
  paramiko: 'ssh',
  paramiko_ssh: 'ssh',
  openssh: 'openssh',
  local: 'local',
}

/**
 * How a host is reached, from Ansible's connection variables. Throws E_VARS for a value that makes no sense and for
 * a variable that rota would have to ignore.
 */
export function addressOf(name: string, get: Get, defaults: AddressDefaults = {}): Address {
  const host = reader(name, get)
  host.refuse('ansible_ssh_executable', 'put the ssh that is meant first in PATH')
  const sshArgs = [
    ...host.args('ansible_ssh_args', defaults.sshArgs),
    ...host.args('ansible_ssh_common_args', defaults.sshCommonArgs),
    ...host.args('ansible_ssh_extra_args', defaults.sshExtraArgs),
  ]
  const keyFile = host.text('ansible_ssh_private_key_file', 'ansible_private_key_file')
  const timeoutS = host.number('ansible_ssh_timeout', 'ansible_timeout')
  const transport = transportOf(name, host) ?? defaults.transport ?? 'ssh'
  return {
    name,
    transport,
    host: host.text('ansible_ssh_host', 'ansible_host') ?? name,
    port: host.number('ansible_port', 'ansible_ssh_port') ?? defaults.port,
    user: host.text('ansible_user', 'ansible_ssh_user') ?? defaults.user,
    password:
      host.secret('ansible_password', 'ansible_ssh_password', 'ansible_ssh_pass') ?? defaults.password,
    identityFiles: keyFile === undefined ? (defaults.identityFiles ?? []) : [keyFile],
    passphrase:
      host.secret('ansible_ssh_private_key_passphrase', 'ansible_private_key_passphrase') ??
      defaults.passphrase,
    hostKeyChecking: checkingOf(host, sshArgs) ?? defaults.hostKeyChecking ?? 'strict',
    knownHostsFiles: defaults.knownHostsFiles,
    sshArgs,
    connectTimeoutMs:
      timeoutS === undefined ? (defaults.connectTimeoutMs ?? CONNECT_TIMEOUT_MS) : timeoutS * 1000,
    shell: host.text('ansible_shell_executable') ?? defaults.shell ?? '/bin/sh',
    ...(transport === 'local' && { folder: host.text('playbook_dir') }),
  }
}

/** What `become` and its companions say as play keywords and flags. */
export interface BecomeDefaults {
  readonly become?: boolean | undefined
  readonly method?: string | undefined
  readonly user?: string | undefined
  readonly password?: Secret | undefined
}

/** Whether to change the user, and how; a host's variables win over keywords, as in Ansible. Throws E_VARS. */
export function becomeOf(name: string, get: Get, defaults: BecomeDefaults = {}): Become | undefined {
  const host = reader(name, get)
  if (!(host.boolean('ansible_become') ?? defaults.become ?? false)) return undefined
  host.refuse('ansible_become_exe', 'rota finds the program in PATH')
  host.refuse('ansible_become_flags', 'rota chooses the flags itself')
  const method = host.text('ansible_become_method') ?? defaults.method ?? 'sudo'
  if (method !== 'sudo' && method !== 'su' && method !== 'doas')
    throw wrong(name, `become_method ${method} is not supported`, 'use sudo, su or doas')
  const password = host.secret(
    'ansible_become_password',
    'ansible_become_pass',
    `ansible_${method}_password`,
    `ansible_${method}_pass`,
  )
  const user = host.text('ansible_become_user', `ansible_${method}_user`) ?? defaults.user ?? 'root'
  return { method, user, password: password ?? defaults.password }
}

const wrong = (name: string, message: string, hint: string): RotaError =>
  problem('E_VARS', `${name}: ${message}`, { hint })

type Reader = ReturnType<typeof reader>

/** Reads variables by type. The first of several names that is set counts. */
function reader(name: string, get: Get) {
  const first = (variables: readonly string[]): { variable: string; value: unknown } | undefined =>
    variables
      .map(variable => ({ variable, value: get(variable) }))
      .find(({ value }) => value !== undefined && value !== null)
  const text = (...variables: string[]): string | undefined => {
    const found = first(variables)
    if (found === undefined) return undefined
    const value = found.value instanceof Float ? found.value.value : found.value
    if (typeof value === 'string') return value === '' ? undefined : value
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    throw wrong(name, `${found.variable} must be text`, `set ${found.variable} to text`)
  }
  return {
    text,
    number(...variables: string[]): number | undefined {
      const value = text(...variables)
      if (value === undefined) return undefined
      if (!/^[0-9]+$/.test(value))
        throw wrong(name, `${variables[0]} must be a number, not ${value}`, `set ${variables[0]} to digits`)
      return Number(value)
    },
    boolean(variable: string): boolean | undefined {
      const value = text(variable)?.toLowerCase()
      if (value === undefined) return undefined
      if (/^(yes|true|on|1|y|t)$/.test(value)) return true
      if (/^(no|false|off|0|n|f)$/.test(value)) return false
      throw wrong(name, `${variable} must be true or false, not ${value}`, `set ${variable} to true or false`)
    },
    secret(...variables: string[]): Secret | undefined {
      const found = first(variables)
      if (found === undefined || found.value === '') return undefined
      return found.value instanceof Secret ? found.value : new Secret(text(...variables)!, found.variable)
    },
    args(variable: string, otherwise: string | undefined): string[] {
      const value = text(variable) ?? otherwise
      try {
        return value === undefined ? [] : split(value)
      } catch (cause) {
        throw problem('E_VARS', `${name}: ${variable} is not a list of arguments: a quote is not closed`, {
          cause,
        })
      }
    },
    /** A variable that cannot be heeded is not ignored either. */
    refuse(variable: string, hint: string): void {
      if (first([variable])) throw wrong(name, `${variable} is not supported`, `remove it: ${hint}`)
    },
  }
}

function transportOf(name: string, host: Reader): Address['transport'] | undefined {
  const wanted = host.text('ansible_connection')?.replace(/^(ansible\.builtin|community\.docker)\./, '')
  if (wanted === undefined) return undefined
  const transport = transports[wanted]
  if (transport === undefined)
    throw wrong(name, `ansible_connection ${wanted} is not supported`, 'use one of: ssh, openssh, local')
  return transport
}

/**
 * Keys are always verified. What turns that off in Ansible and ssh (host_key_checking false, StrictHostKeyChecking no)
 * is taken as `accept-new`.
 */
function checkingOf(host: Reader, sshArgs: readonly string[]): Address['hostKeyChecking'] | undefined {
  const option = /StrictHostKeyChecking[= ]"?(\S+?)"?(\s|$)/i.exec(sshArgs.join(' '))?.[1]?.toLowerCase()
  if (option !== undefined) return /^(no|off|accept-new)$/.test(option) ? 'accept-new' : 'strict'
  const checks = host.boolean('ansible_ssh_host_key_checking') ?? host.boolean('ansible_host_key_checking')
  return checks === undefined ? undefined : checks ? 'strict' : 'accept-new'
}
