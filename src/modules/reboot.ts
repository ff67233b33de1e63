import { readFileSync } from 'node:fs'
import { problem, RotaError } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { accept } from '../resources/file.ts'
import { rest, waitForHost } from './connection-wait.ts'

const bootScript = sh`
if [ -n "$p_command" ]; then
  sh -c "$p_command"
else
  cat /proc/sys/kernel/random/boot_id
fi
`
const testScript = sh`sh -c "$p_command" >/dev/null 2>&1`

/*
 * The host goes down only after this has answered, so that the answer is not lost with the link. What is still running then has a
 * process group of its own, and holds nothing of the session.
 */
const rebootScript = sh`
PATH=$PATH:$p_paths
[ "$(id -u)" = 0 ] || rt_fail "a reboot needs root: set become: true"
if [ -n "$p_command" ]; then
  set -- sh -c "$p_command"
elif [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then
  set -- systemctl reboot
elif command -v shutdown >/dev/null 2>&1; then
  set -- shutdown -r now "$p_msg"
elif command -v reboot >/dev/null 2>&1; then
  set -- reboot
else
  rt_fail "this host has neither systemctl, shutdown nor reboot"
fi
rt_need setsid
# shellcheck disable=SC2016 # the inner shell expands it
setsid sh -c 'sleep "$0"; exec "$@"' "$p_delay" "$@" </dev/null >/dev/null 2>&1 8>&- &
`

/** The id of the boot; undefined while the host cannot be asked. */
async function bootOf(t: Target, command: string): Promise<string> {
  return accept(t, await t.run(bootScript, { command }))
    .stdout.toString()
    .trim()
}

/** The boot id of the machine that rota runs on; empty where there is none. */
function ownBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

async function startReboot(t: Target, params: ScriptParams): Promise<void> {
  try {
    accept(t, await t.run(rebootScript, params))
  } catch (error) {
    // The link may be gone before the answer: the id of the boot tells what became of it.
    if (!(error instanceof RotaError) || error.code !== 'E_UNKNOWN') throw error
  }
}

export const reboot = defineAction({
  name: 'reboot',
  summary: 'Restart the host and wait until it works again.',
  notes: [
    'That it has restarted is told by its boot id, not by a lost connection. It is refused where the host is the machine that rota runs on, by the same id.',
  ],
  params: {
    pre_reboot_delay: {
      type: 'float',
      default: 0,
      doc: 'Seconds before it goes down; fewer than none are none.',
    },
    post_reboot_delay: { type: 'float', default: 0, doc: 'Seconds to wait after it is back.' },
    reboot_timeout: { type: 'int', default: 600, doc: 'Seconds to wait at the most until it is back.' },
    connect_timeout: { type: 'int', default: 10, doc: 'Seconds for the answer of one try.' },
    test_command: {
      type: 'string',
      default: 'whoami',
      doc: 'Shell text that has to succeed before it counts as back.',
    },
    msg: { type: 'string', default: 'Reboot initiated by rota', doc: 'What users of the host are told.' },
    search_paths: {
      type: 'list',
      default: ['/sbin', '/bin', '/usr/sbin', '/usr/bin', '/usr/local/sbin'],
      doc: 'Folders of the host in which shutdown or reboot is looked for.',
    },
    boot_time_command: {
      type: 'string',
      default: '',
      doc: 'Shell text that prints something else after each boot. Default: the boot id of Linux.',
    },
    reboot_command: {
      type: 'string',
      default: '',
      doc: 'Shell text that restarts the host. Default: what the host has for it.',
    },
  },
  returns: { rebooted: { doc: 'True.' }, elapsed: { doc: 'Whole seconds.' } },
  examples: `
- name: The new kernel
  reboot: { reboot_timeout: 300 }
  become: true
`,
  async run(t, args): Promise<Outcome> {
    const start = Date.now()
    if ((await bootOf(t, '')) === ownBoot())
      throw problem('E_TASK', 'Running reboot with local connection would reboot the control node.', {
        hint: 'reboot a host that is reached over ssh',
      })
    const before = await bootOf(t, args.boot_time_command)
    const delay = Math.max(1, Math.ceil(args.pre_reboot_delay))
    const { msg, reboot_command: command, search_paths } = args
    await startReboot(t, { command, delay, msg, paths: search_paths.join(':') })
    await rest(t, (1 + delay) * 1000)
    const times = {
      timeoutMs: args.reboot_timeout * 1000,
      sleepMs: 2000,
      connectTimeoutMs: args.connect_timeout * 1000,
    }
    await waitForHost(t, times, async () => (await bootOf(t, args.boot_time_command)) !== before)
    await rest(t, Math.max(0, args.post_reboot_delay) * 1000)
    await waitForHost(
      t,
      times,
      async () => (await t.run(testScript, { command: args.test_command })).exit === 0,
    )
    return { changed: true, values: { rebooted: true, elapsed: Math.floor((Date.now() - start) / 1000) } }
  },
})
