import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { parseRegex } from '../core/python-regex.ts'
import { joinScripts, sh } from '../core/script.ts'
import { pathScript } from '../resources/path-script.ts'

const params = {
  host: { type: 'string', default: '127.0.0.1', doc: 'Host as the target sees it.' },
  port: { type: 'int', doc: 'TCP port.' },
  path: { type: 'path', doc: 'File or folder of the target.' },
  search_regex: {
    type: 'string',
    doc: 'What the file, or the first words of the server, have to contain: a regular expression over many lines.',
  },
  state: {
    type: 'string',
    choices: ['started', 'present', 'stopped', 'absent', 'drained'],
    default: 'started',
    doc: 'started or present: it is there; stopped or absent: it is not; drained: nobody is connected to the port.',
  },
  timeout: {
    type: 'int',
    default: 300,
    doc: 'Seconds to wait at the most. With nothing to wait for: seconds to sleep.',
  },
  delay: { type: 'int', default: 0, doc: 'Seconds to wait before looking for the first time.' },
  sleep: { type: 'int', default: 1, doc: 'Seconds between two looks.' },
  connect_timeout: { type: 'int', default: 5, doc: 'Seconds for one connection.' },
  msg: { type: 'string', doc: 'Message when it did not come to pass.' },
} as const
type WaitArgs = Args<typeof params>

interface Look {
  readonly is: boolean
  readonly groups?: readonly (string | undefined)[]
  readonly named?: Readonly<Record<string, string>>
}

/*
 * Prints open or closed when the host can tell by itself, nothing when it cannot. A listener in the host's own list is
 * enough for its own addresses; a missing one is not, since a firewall rule may publish a port as well. Only an nc that has
 * -z is used: others wait for the server to hang up.
 */
const portHere = sh`
case $p_host in
  127.0.0.1|localhost|::1|0.0.0.0)
    port=$(printf '%04X' "$p_port")
    any="(00000000|0100007F|0{32}|0{24}01000000|0{16}FFFF00000100007F):$port"
    if cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -qE " $any [0-9A-F]*:0000 0A "; then printf open; exit; fi ;;
esac
case $(nc -h 2>&1) in
  *-z*) if nc -z -w "$p_seconds" "$p_host" "$p_port" </dev/null >/dev/null 2>&1; then printf open; else printf closed; fi ;;
esac
`
/** TCP states (include/net/tcp_states.h): ESTABLISHED to SYN_RECV, FIN_WAIT1 and 2, TIME_WAIT. */
const connections = sh`
port=$(printf '%04X' "$p_port")
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -c " [0-9A-F]*:$port [0-9A-F]*:[0-9A-F]* 0[1-6] "
exit 0
`
const pathHere = joinScripts(
  pathScript,
  sh`
expand "$p_path"
if ! [ -e "$expanded" ]; then exit 3; fi
if [ "$p_read" = 1 ]; then cat -- "$expanded"; fi
`,
)

function find(args: WaitArgs, text: string): Look {
  const match = parseRegex(args.search_regex ?? '', { multiline: true }).exec(text)
  if (match === null) return { is: false }
  return { is: true, groups: match.slice(1), named: { ...match.groups } }
}

/** Reads what the server says first, until the expression matches or the time for one connection is over. */
async function listen(channel: Duplex, args: WaitArgs): Promise<Look> {
  const late = setTimeout(() => channel.destroy(), args.connect_timeout * 1000)
  let text = ''
  try {
    for await (const chunk of channel) {
      text += (chunk as Buffer).toString('utf8')
      if (find(args, text).is) break
    }
  } catch {
    // Cut off by the other side or by the timer: what came until then counts.
  } finally {
    clearTimeout(late)
    channel.destroy()
  }
  return find(args, text)
}
async function lookAtPort(t: Target, args: WaitArgs, port: number): Promise<Look> {
  const { host } = args
  const ran = await t.run(portHere, { host, port, seconds: args.connect_timeout })
  const said = ran.stdout.toString('utf8')
  if (said !== '' && args.search_regex === undefined) return { is: said === 'open' }
  const opening = t.forward({ host, port })
  // Nothing more than "it did not open in time" is wanted of a connection that comes too late.
  const inTime = Promise.race([opening, sleep(args.connect_timeout * 1000, undefined, { ref: false })])
  const channel = await inTime.catch(() => null)
  if (channel) {
    channel.on('error', () => {})
    if (args.search_regex !== undefined) return listen(channel, args)
    channel.destroy()
    return { is: true }
  }
  if (channel === undefined) {
    opening.then(
      late => late.destroy(),
      () => {},
    )
    return { is: false }
  }
  // Nobody listens, or forwarding is forbidden.
  if (said === 'open')
    throw problem('E_TASK', 'wait_for: search_regex on a port needs TCP forwarding, which the host refuses', {
      hint: 'leave out search_regex, or allow TCP forwarding for this login in sshd_config',
    })
  return { is: false }
}

async function lookAtPath(t: Target, args: WaitArgs, path: string): Promise<Look> {
  const ran = await t.run(pathHere, { path, read: args.search_regex !== undefined })
  if (ran.exit === 3) return { is: false }
  if (ran.exit !== 0)
    throw problem('E_FILE', `${t.name}: ${path} cannot be read`, { hint: 'check the rights, or use become' })
  return args.search_regex === undefined ? { is: true } : find(args, ran.stdout.toString('utf8'))
}

/** One look; `is` tells whether what is waited for has come to pass. */
async function look(t: Target, args: WaitArgs): Promise<Look> {
  if (args.port !== undefined && args.state === 'drained') {
    const ran = await t.run(connections, { port: args.port })
    return { is: Number(ran.stdout.toString('utf8')) === 0 }
  }
  const found =
    args.port !== undefined
      ? await lookAtPort(t, args, args.port)
      : await lookAtPath(t, args, args.path ?? '')
  return args.state === 'stopped' || args.state === 'absent' ? { is: !found.is } : found
}

function describe({ port, path, host, search_regex, state }: WaitArgs): string {
  const place = port === undefined ? `${path}` : `${host}:${port}`
  const file = port === undefined && search_regex === undefined ? 'file ' : ''
  const start = 'Timeout when waiting for'
  if (state === 'drained') return `${start} ${place} to drain`
  if (state === 'stopped' || state === 'absent')
    return `${start} ${place} ${port === undefined ? 'to be absent.' : 'to stop.'}`
  return `${start} ${search_regex === undefined ? `${file}${place}` : `search string ${search_regex} in ${place}`}`
}

export const waitFor = defineAction({
  name: 'wait_for',
  summary: 'Waits until a port is open or closed, a file is there or gone, or one of them says something.',
  notes: [
    'A port of the host itself is looked up in its list of listening ports; nc is asked where the host has one with -z; else the target’s sshd makes a connection.',
  ],
  reads: true,
  params,
  refused: {
    active_connection_states: 'all states of an open connection count',
    exclude_hosts: 'drained counts every connection to the port',
  },
  rules: { mutuallyExclusive: [['port', 'path']] },
  returns: {
    elapsed: { doc: 'Whole seconds.' },
    search_regex: { doc: 'The expression.' },
    match_groups: { doc: 'Groups of search_regex.' },
    match_groupdict: { doc: 'Named groups of search_regex.' },
  },
  examples: `
- name: The panel listens
  ansible.builtin.wait_for:
    port: 3000
    timeout: 60
`,
  async run(t, args): Promise<Outcome> {
    const start = Date.now()
    const elapsed = (): number => Math.floor((Date.now() - start) / 1000)
    const rest = async (seconds: number): Promise<void> => {
      try {
        await sleep(seconds * 1000, undefined, { signal: t.stop })
      } catch {
        throw problem('E_TASK', 'wait_for: the run was stopped')
      }
    }
    if (args.state === 'drained' && args.port === undefined)
      throw problem('E_PARAMS', 'wait_for: state drained needs a port', { hint: 'give port' })
    if (args.search_regex !== undefined) parseRegex(args.search_regex)
    await rest(args.delay)
    if (args.port === undefined && args.path === undefined) {
      await rest(args.timeout)
      return { changed: false, values: { elapsed: elapsed() } }
    }
    for (;;) {
      const { is, groups = [], named = {} } = await look(t, args)
      const { port, path, state, search_regex } = args
      const values = { elapsed: elapsed(), port, path, state, search_regex }
      if (is) return { changed: false, values: { ...values, match_groups: groups, match_groupdict: named } }
      const leftMs = start + args.timeout * 1000 - Date.now()
      if (leftMs <= 0) return { changed: false, failed: true, msg: args.msg ?? describe(args), values }
      await rest(Math.min(args.sleep, leftMs / 1000))
    }
  },
})
