import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept } from '../resources/file.ts'

const params = {
  name: { type: 'string', required: true, doc: 'The package.' },
  selection: {
    type: 'string',
    required: true,
    choices: ['install', 'hold', 'deinstall', 'purge'],
    doc: '`hold`: upgrades leave it alone; `install`: they do not; the others take effect when dselect is run.',
  },
} as const

type Selection = { readonly name: string; readonly selection: string }

// Not dpkg: busybox has one of its own, which knows less.
const readSelection = sh`
rt_need /usr/bin/dpkg
/usr/bin/dpkg --get-selections "$p_name" 2>/dev/null
`
const writeSelection = sh`printf '%s %s\n' "$p_name" "$p_selection" | /usr/bin/dpkg --set-selections || rt_fail "cannot set the selection of $p_name"`

async function read(t: Target, { name }: { readonly name: string }): Promise<Selection> {
  const rows = accept(t, await t.run(readSelection, { name }))
    .stdout.toString()
    .trim()
  const [selection] = rows.split(/\s+/).slice(1)
  if (selection === undefined)
    throw problem(
      'E_TASK',
      `dpkg_selections: Failed to find package '${name}': dpkg has no selection for it`,
      {
        hint: 'dpkg knows only packages that are or were installed: install it first, with apt',
      },
    )
  return { name, selection }
}

export const dpkgSelections = defineState<typeof params, Selection>({
  name: 'dpkg_selections',
  summary: 'Hold a Debian package at its version, or let it go.',
  params,
  returns: { before: { doc: 'The selection before.' }, after: { doc: 'The selection asked for.' } },
  examples: `
- name: No upgrade of the database by itself
  dpkg_selections: { name: postgresql-15, selection: hold }
`,
  read,
  reread: read,
  want: ({ selection }, before) => ({ ...before, selection }),
  async write(t, before, after) {
    await requireUnchanged(`the selection of ${before.name}`, before, () => read(t, before))
    accept(t, await t.run(writeSelection, after))
  },
  result: (_args, before, after) => ({ before: before.selection, after: after.selection }),
  show: ({ name, selection }) => ({ header: 'selections of dpkg', text: `${name} ${selection}\n` }),
})
