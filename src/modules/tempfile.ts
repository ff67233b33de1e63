import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import { accept, readFile } from '../resources/file.ts'
import { resultOf } from '../resources/file-want.ts'
import { pathScript } from '../resources/path-script.ts'

const params = {
  state: { type: 'string', choices: ['file', 'directory'], default: 'file', doc: 'What to make.' },
  path: { type: 'path', doc: 'The folder it is made in. Default: the target’s TMPDIR, else /tmp.' },
  prefix: { type: 'string', default: 'ansible.', doc: 'What its name begins with.' },
  suffix: { type: 'string', default: '', doc: 'What its name ends with.' },
} as const

// busybox's mktemp knows no suffix, so the name is made by the caller and only its being new is up to the target.
const makeScript = joinScripts(
  pathScript,
  sh`
umask 077
folder=\${p_path-}
[ -n "$folder" ] || folder=\${TMPDIR:-/tmp}
expand "$folder"
folder=$expanded
[ -d "$folder" ] || rt_fail "$folder is not a directory"
made=$folder/$p_name
if [ "$p_state" = directory ]; then
  mkdir -- "$made" || rt_fail "cannot make $made"
else
  (set -C; : >"$made") || rt_fail "cannot make $made"
fi
rt_set path "$made"
`,
)

export const tempfile = defineAction({
  name: 'tempfile',
  summary: 'Make an empty file or folder with a name of its own, for the user alone.',
  params,
  returns: {
    path: { doc: 'What was made.' },
    state: { doc: '`file` or `directory`.' },
    mode: { doc: '`0600` or `0700`.' },
  },
  examples: `
- tempfile: { state: directory, suffix: build }
  register: build
`,
  async run(t, { state, path, prefix, suffix }) {
    if (`${prefix}${suffix}`.includes('/'))
      throw problem('E_PARAMS', 'prefix and suffix cannot have a / in them', {
        hint: 'name the folder in path',
      })
    const name = `${prefix}${t.operator.random(6).toString('hex')}${suffix}`
    const ran = accept(t, await t.run(makeScript, { state, path, name }))
    const made = await readFile(t, ran.values['path'] ?? '', { content: 'none' })
    return { changed: true, values: { ...resultOf(made), path: made.path } }
  },
})
