// What the crash trials want of a host, whatever it is made of, and what they put on it: commands that count and strike.
import { spawnSync } from 'node:child_process'
import type { LoginAddress } from '../../../demo/site.ts'

/** A host with the panel behind sshd, and ways to it that are not rota's. */
export interface TrialHost {
  /** Process id of the host's first process, as this machine sees it. */
  readonly pid: number
  readonly login: Omit<LoginAddress, 'key'>
  readonly panelUrl: string
  /** What is rotated there. */
  readonly playbook: string
  /** Names in the env file whose values are all old or all new. */
  readonly rotated: readonly string[]
  /** Mount point of the disk that can be full: it has /opt, /var/lib/rota. */
  readonly disk: string
  /** By name: the programs that change something. */
  readonly commands: readonly string[]
  /** `accepted`, `refused`, or why neither. */
  askDatabase(password: string): Promise<string>
  close(): Promise<void> | void
}

/** Runs a program as root on the host, in its namespaces, past its sshd. */
export function enter(pid: number, words: readonly string[], input: string | Buffer = '') {
  const names = ['-m', '-p', '-u', '-i', '-n', '-r', '-w']
  const env = { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  return spawnSync('nsenter', ['-t', String(pid), ...names, ...words], { input, encoding: 'utf8', env })
}
/** A command for the host's shell. Throws when it fails. */
export function runOn(pid: number, command: string, input: string | Buffer = ''): string {
  const { status, stdout, stderr } = enter(pid, ['/bin/sh', '-c', command], input)
  if (status !== 0) throw new Error(`on the host: ${command.slice(0, 200)}: exit ${status}: ${stderr}`)
  return stdout
}

export const coreCommands = [
  'mv',
  'ln',
  'rm',
  'mkdir',
  'sync',
  'chmod',
  'chown',
  'psql',
  'cp',
  'touch',
  'cat',
]

/** In front of the host's PATH: each command that changes something is counted, and struck at when it is its turn. */
const wrapper = String.raw`#!/bin/bash
# Counts a command that changes something, and strikes before it runs.
name=\${0##*/}
if [ -e /crash/at ]; then
  exec 9>>/crash/lock; flock 9
  read -r n </crash/n; n=$((n + 1)); printf '%s\n' "$n" >/crash/n; printf '%s\n' "$name" >>/crash/log
  read -r at fault </crash/at
  exec 9>&-
  if [ "$n" = "$at" ]; then
    : >/crash/struck
    case $fault in
      shell) kill -9 0 ;;
      session) /crash/end-sessions ;;
      full-host) /crash/fill ;;
    esac
  fi
fi
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin exec "$name" "$@"
`.replaceAll('\\$', '$')

function renderSetUp({ commands, disk }: TrialHost): string {
  return `set -e
mkdir -p /crash/bin
cat >/crash/wrapper && chmod 755 /crash/wrapper
for name in ${commands.join(' ')}; do ln -s ../wrapper /crash/bin/$name; done
: >/crash/lock; : >/crash/log; printf '0\\n' >/crash/n; chmod 777 /crash; chmod 666 /crash/lock /crash/log /crash/n
cat >/crash/end-sessions <<'S'
#!/bin/sh
for stat in /proc/[0-9]*/comm; do
  read -r comm <$stat || continue
  pid=\${stat#/proc/}; pid=\${pid%/comm}
  if [ "$comm" = sshd ] && [ "$pid" != 1 ]; then kill -9 "$pid"; fi
done 2>/dev/null
S
cat >/crash/end-shells <<'S'
#!/bin/sh
for stat in /proc/[0-9]*/comm; do
  read -r comm <$stat || continue
  pid=\${stat#/proc/}; pid=\${pid%/comm}
  read -r _ _ _ parent _ <"/proc/$pid/stat"
  read -r up <"/proc/$parent/comm"
  case $comm/$up in sh/sshd | sh/sudo) kill -9 "$pid" ;; esac
done 2>/dev/null
S
cat >/crash/fill <<'S'
#!/bin/sh
exec /usr/bin/fallocate -l "$(/usr/bin/df --output=avail -B1 ${disk} | /usr/bin/tail -n 1)" ${disk}/fill
S
chmod 755 /crash/end-sessions /crash/end-shells /crash/fill
path=/crash/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
printf 'Defaults secure_path="%s"\\n' "$path" >/etc/sudoers.d/crash
`
}

/** Puts the counting commands on a host, and the scripts that strike. */
export function arm(host: TrialHost): void {
  runOn(host.pid, renderSetUp(host), wrapper)
}
/** How many commands that change something the host ran, and whether one was struck. Forgets them, and makes room again. */
export function takePoints({ pid, disk }: TrialHost): {
  readonly names: readonly string[]
  readonly isStruck: boolean
} {
  const text = runOn(
    pid,
    `test -e /crash/struck && echo struck || echo not; cat /crash/log
    rm -f /crash/at /crash/struck ${disk}/fill; : >/crash/log; printf '0\\n' >/crash/n`,
  )
  const [struck, ...names] = text.trim().split('\n')
  return { names, isStruck: struck === 'struck' }
}
