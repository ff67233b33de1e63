import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept, type FileState, readFile, rereadFile } from '../resources/file.ts'
import { showFile, textOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'

const params = {
  name: { type: 'string', required: true, aliases: ['key'], doc: 'The key, as `net.ipv4.ip_forward`.' },
  value: { type: 'string', aliases: ['val'], doc: 'Its value. Needed for `present`.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether it is to stand in the file.',
  },
  sysctl_file: { type: 'path', default: '/etc/sysctl.conf', doc: 'The file.' },
  sysctl_set: {
    type: 'bool',
    default: false,
    doc: 'Set the value of the running kernel too, whatever the file holds.',
  },
  reload: { type: 'bool', default: true, doc: 'Set the value of the running kernel when the file changes.' },
  ignoreerrors: { type: 'bool', default: false, doc: 'Do not mind a key that the kernel does not have.' },
} as const
type SysctlArgs = Args<typeof params>

/** The file, and the value of the running kernel when that is managed: null when it has no such key. */
type SysctlState = {
  readonly key: string
  readonly file: FileState
  readonly live: string | null
  readonly isLenient: boolean
}

// Only the key's own file in /proc is used: sysctl(8) would need to be there, and busybox's takes other options.
const liveScript = sh`
path=/proc/sys/$p_path
if [ -e "$path" ]; then rt_set there 1; cat "$path" 2>/dev/null; fi
exit 0
`
const setScript = sh`
path=/proc/sys/$p_path
[ -e "$path" ] || rt_fail "this kernel has no $p_key"
printf '%s\n' "$p_value" >"$path" || rt_fail "setting $p_key to $p_value was refused"
`

/** sysctl(8): dots are slashes, unless the key is written with slashes. */
const pathOf = (key: string): string => (key.includes('/') ? key : key.replaceAll('.', '/'))
const normalize = (value: string): string => value.trim().replace(/\s+/g, ' ')

async function readLive(t: Target, key: string): Promise<string | null> {
  const ran = accept(t, await t.run(liveScript, { path: pathOf(key) }))
  return ran.values['there'] === '1' ? normalize(ran.stdout.toString()) : null
}

/** `yes` and its like are 1, `no` and its like 0, as in Ansible. */
function parseValue(value: string): string {
  const text = value.trim()
  if (/^(?:y|yes|on|true|t)$/i.test(text)) return '1'
  return /^(?:n|no|off|false|f)$/i.test(text) ? '0' : text
}

/** The lines with the key's value: where its first line is, else last. */
function edit({ name, value, state }: SysctlArgs, text: string): string {
  const lines = text.split('\n').filter((line, i, all) => i < all.length - 1 || line !== '')
  const isMine = (line: string): boolean => {
    const [, key] = /^\s*-?\s*([^#;=\s][^=]*?)\s*=/.exec(line) ?? []
    return key !== undefined && pathOf(key) === pathOf(name)
  }
  const first = lines.findIndex(isMine)
  const isSame = (line: string) => normalize(line.slice(line.indexOf('=') + 1)) === normalize(value ?? '')
  const wanted = first >= 0 && isSame(lines[first]!) ? lines[first]! : `${name}=${value}`
  const kept = lines.flatMap((line, i) => {
    if (!isMine(line)) return [line]
    return state === 'present' && i === first ? [wanted] : []
  })
  if (state === 'present' && first < 0) kept.push(wanted)
  return kept.map(line => `${line}\n`).join('')
}

function want(args: SysctlArgs, before: SysctlState): SysctlState {
  const text = edit(args, String(textOf(before.file)))
  const isKept = text === (before.file.content ?? '')
  const file = isKept ? before.file : wantContent(before.file, { text }, undefined)
  const isSet = args.state === 'present' && (args.sysctl_set || (args.reload && !isKept))
  if (!isSet || before.live === normalize(args.value!)) return { ...before, file }
  if (before.live === null) {
    if (args.ignoreerrors) return { ...before, file }
    throw problem('E_TASK', `setting ${args.name} failed: this kernel has no such key`, {
      hint: 'load the module that has it, or set ignoreerrors: true',
    })
  }
  return { ...before, file, live: normalize(args.value!) }
}

export const sysctl = defineState<typeof params, SysctlState>({
  name: 'sysctl',
  summary: 'Keep a setting of the kernel in sysctl.conf, and set it.',
  params,
  returns: { name: { doc: 'The key.' }, value: { doc: 'As asked for.' } },
  examples: `
- name: Let packets through
  ansible.posix.sysctl: { name: net.ipv4.ip_forward, value: '1', sysctl_set: true }
`,
  prepare(_t, args) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_./:@-]*$/.test(args.name) || args.name.includes('..'))
      throw problem('E_PARAMS', `sysctl: ${JSON.stringify(args.name)} is no key of the kernel`, {
        hint: 'write it as net.ipv4.ip_forward',
      })
    if (args.state === 'present' && (args.value ?? '').trim() === '')
      throw problem('E_PARAMS', 'value cannot be None', { hint: 'add value' })
    if (/[\r\n]/.test(args.value ?? ''))
      throw problem('E_PARAMS', 'sysctl: value holds a line end', { hint: 'write it in one line' })
    return args.value === undefined ? args : { ...args, value: parseValue(args.value) }
  },
  async read(t, args) {
    const live = readLive(t, args.name)
    const file = readFile(t, args.sysctl_file, { follow: true, content: 'plain' })
    return { key: args.name, file: await file, live: await live, isLenient: args.ignoreerrors }
  },
  async reread(t, state) {
    return { ...state, file: await rereadFile(t, state.file), live: await readLive(t, state.key) }
  },
  want,
  async write(t, before, after) {
    await requireUnchanged(after.key, before.live, () => readLive(t, after.key))
    await writeFile(t, before.file, after.file)
    if (before.live === after.live || after.live === null) return
    const ran = await t.run(setScript, { key: after.key, path: pathOf(after.key), value: after.live })
    if (!after.isLenient) accept(t, ran)
  },
  result: ({ name, value }) => ({ name, value: value ?? null }),
  show(state) {
    const { header, text } = showFile(state.file)
    return { header, text: `${text}(now: ${state.key} = ${state.live ?? 'unknown to the kernel'})\n` }
  },
})
