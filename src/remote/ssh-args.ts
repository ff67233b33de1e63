import { problem, type RotaError } from '../core/error.ts'

/** ssh(1): its flags without a value and those with one. */
const plainFlags = '1246AaCfGgKkMNnqsTtVvXxYy'
const valueFlags = 'BbcDEeFIiJLlmOopQRSWw'

/** Flags that `ssh -G` turns into keywords which resolveLogin heeds. */
const heededFlags = 'FiJlop'
/** Flags that say how ssh talks, shares or forwards nothing: they change neither which host is reached nor as whom. */
const harmlessFlags = 'aCkMnqSTvxXYy'

/** Keywords of ssh_config(5) that resolveLogin heeds. */
const heeded =
  /^(hostname|port|user|identityfile|identitiesonly|identityagent|proxyjump|proxycommand|userknownhostsfile|globalknownhostsfile|stricthostkeychecking|hostkeyalias|connecttimeout|certificatefile|hashknownhosts|revokedhostkeys)$/
/**
 * Keywords that change neither which host is reached, nor as whom, nor how it is known. Passwords are only offered when the operator
 * gave one, so that what limits asking for them is met anyhow.
 */
const harmless =
  /^(control(master|path|persist)|serveralive(interval|countmax)|tcpkeepalive|loglevel|batchmode|compression|visualhostkey|checkhostip|updatehostkeys|addkeystoagent|escapechar|requesttty|ipqos|connectionattempts|numberofpasswordprompts|passwordauthentication|kbdinteractiveauthentication|challengeresponseauthentication|preferredauthentications|clearallforwardings|exitonforwardfailure|forwardx11\w*|permitlocalcommand|sendenv)$/
/** Keywords that say something only when they are not `no`. */
const harmlessWhenNo =
  /^(forwardagent|gssapi\w+|hostbasedauthentication|tunnel|verifyhostkeydns|localcommand|remotecommand)$/

/** One option of ssh's command line: its letter and, where it takes one, its value. */
export interface SshOption {
  readonly flag: string
  readonly value?: string
}

/** Arguments of ssh as getopt reads them: `-vA`, `-p22`, `-p 22`. Throws E_VARS for what is no option of ssh. */
export function parseSshArgs(name: string, args: readonly string[]): readonly SshOption[] {
  const options: SshOption[] = []
  const left = [...args]
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (!/^-[^-]/.test(arg)) throw notHeeded(name, arg)
    const flag = arg[1]!
    const behind = arg.slice(2)
    if (plainFlags.includes(flag)) {
      options.push({ flag })
      if (behind !== '') left.unshift(`-${behind}`)
      continue
    }
    const value = behind === '' ? left.shift() : behind
    if (!valueFlags.includes(flag) || value === undefined) throw notHeeded(name, `-${flag}`)
    options.push({ flag, value })
  }
  return options
}

/**
 * Looks whether all of `ssh_args`, `ssh_common_args` and `ssh_extra_args` is heeded by the built-in ssh, or makes no difference to
 * it. Throws E_VARS naming the first option that would have to be ignored.
 */
export function checkSshOptions(name: string, options: readonly SshOption[]): void {
  for (const { flag, value } of options) {
    if (flag === 'o') checkKeyword(name, value ?? '')
    else if (!heededFlags.includes(flag) && !harmlessFlags.includes(flag))
      throw notHeeded(name, value === undefined ? `-${flag}` : `-${flag} ${value}`)
  }
}

function checkKeyword(name: string, option: string): void {
  const [, keyword = '', value = ''] = /^\s*(\w+)\s*[=\s]\s*(.*?)\s*$/s.exec(option) ?? []
  const key = keyword.toLowerCase()
  if (heeded.test(key) || harmless.test(key)) return
  if (harmlessWhenNo.test(key) && /^"?(no|none)"?$/i.test(value)) return
  throw notHeeded(name, `-o ${option}`)
}

function notHeeded(name: string, option: string): RotaError {
  return problem('E_UNREACHABLE', `${name}: the built-in ssh cannot heed ${option}`, {
    hint: 'remove it from the ssh arguments, or set ansible_connection: openssh to use the system’s ssh',
  })
}
