import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept, type FileState, readFile, rereadFile } from '../resources/file.ts'
import { textOf, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'

/** The name that the kernel has, and the file that it is taken from at boot. */
type HostnameState = { readonly now: string; readonly file: FileState }

const nowScript = sh`uname -n`
const setScript = sh`
PATH=$PATH:/sbin:/usr/sbin
if [ -d /run/systemd/system ] && command -v hostnamectl >/dev/null 2>&1; then
  hostnamectl set-hostname -- "$p_name" || rt_fail "hostnamectl refused the name $p_name"
else
  hostname "$p_name" || rt_fail "hostname refused the name $p_name"
fi
`

async function nameNow(t: Target): Promise<string> {
  return accept(t, await t.run(nowScript))
    .stdout.toString()
    .trim()
}

const params = {
  name: { type: 'string', required: true, doc: 'The name.' },
  use: {
    type: 'string',
    choices: ['alpine', 'debian', 'generic', 'redhat', 'systemd'],
    doc: 'Taken for compatibility: all of these keep the name in /etc/hostname, which is what is written.',
  },
} as const

export const hostname = defineState<typeof params, HostnameState>({
  name: 'hostname',
  summary: 'Set the name of the host, now and for the next boot.',
  notes: ['/etc/hosts is left as it is.'],
  params,
  returns: { name: { doc: 'The name.' } },
  examples: `
- hostname: { name: panel-1 }
`,
  prepare(_t, args) {
    if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/.test(args.name))
      throw problem('E_PARAMS', `hostname: ${JSON.stringify(args.name)} is no name that a host can have`, {
        hint: 'use letters, digits, - and ., 64 at the most',
      })
    return args
  },
  async read(t) {
    const now = nameNow(t)
    const file = readFile(t, '/etc/hostname', { follow: true, content: 'plain' })
    return { now: await now, file: await file }
  },
  async reread(t, { file }) {
    return { now: await nameNow(t), file: await rereadFile(t, file) }
  },
  want({ name }, before) {
    const isKept = String(textOf(before.file)).trim() === name
    return {
      now: name,
      file: isKept ? before.file : wantContent(before.file, { text: `${name}\n` }, undefined),
    }
  },
  async write(t, before, after) {
    await requireUnchanged('the name of the host', before.now, () => nameNow(t))
    await writeFile(t, before.file, after.file)
    if (before.now !== after.now) accept(t, await t.run(setScript, { name: after.now }))
  },
  result: ({ name }) => ({ name }),
  show: ({ now, file }) => ({
    header: 'hostname',
    text: `${now}\n/etc/hostname: ${String(textOf(file)).trim()}\n`,
  }),
})
