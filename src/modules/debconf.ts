import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept } from '../resources/file.ts'
import { isSameText, type Text } from '../resources/secret-text.ts'

const params = {
  name: { type: 'string', required: true, aliases: ['pkg'], doc: 'The package.' },
  question: {
    type: 'string',
    aliases: ['selection', 'setting'],
    doc: 'The question to answer beforehand. Without it the answers there are are only told.',
  },
  vtype: {
    type: 'string',
    choices: [
      'boolean',
      'error',
      'multiselect',
      'note',
      'password',
      'seen',
      'select',
      'string',
      'text',
      'title',
    ],
    doc: 'What kind of question it is.',
  },
  value: { type: 'text', aliases: ['answer'], doc: 'The answer; may be a secret.' },
  unseen: { type: 'bool', default: false, doc: 'Answer it, but let the question be asked all the same.' },
} as const
type DebconfArgs = Args<typeof params>

/** The answer to one question of a package; `question` '' when only told of. */
export type AnswerState = {
  readonly name: string
  readonly question: string
  readonly kind: 'absent' | 'present'
  readonly type?: string | undefined
  readonly value?: Text | undefined
  readonly isSeen?: boolean | undefined
  /** All answers of the package as debconf-show(1) tells them, when first read; passwords are not among them. */
  readonly all: Readonly<Record<string, string>>
  readonly isSecret: boolean
}

// Each answer of debconf-communicate(1) is a status, 0 when there is such a thing, and a text.
const readScript = sh`
rt_need debconf-communicate "this host has no debconf"
debconf-show "$p_name" 2>/dev/null
if [ -z "$p_question" ]; then exit 0; fi
answers=$(printf '%s\n' "GET $p_question" "METAGET $p_question Type" "FGET $p_question seen" | debconf-communicate "$p_name" 2>/dev/null)
printf '%s\n' "$answers" | {
  IFS= read -r value; IFS= read -r type; IFS= read -r seen
  case $value in 0|'0 '*) ;; *) exit 0 ;; esac
  value=\${value#0}
  rt_set value "\${value# }"
  case $type in '0 '*) rt_set type "\${type#0 }" ;; esac
  case $seen in '0 '*) rt_set seen "\${seen#0 }" ;; esac
}
`
const writeScript = sh`
newline='
'
case "$p_name$p_question$p_value" in *"$newline"*) rt_fail "an answer of debconf has no line end in it" ;; esac
if [ "$p_kind" = absent ]; then
  printf 'UNREGISTER %s\n' "$p_question" | debconf-communicate "$p_name" >/dev/null || rt_fail "cannot take back the answer to $p_question"
  exit 0
fi
if [ "$p_seen" = 1 ]; then set --; else set -- -u; fi
printf '%s %s %s %s\n' "$p_name" "$p_question" "$p_type" "$p_value" | debconf-set-selections "$@" || rt_fail "cannot answer $p_question"
`

async function readAnswer(
  t: Target,
  name: string,
  question: string,
  isSecret: boolean,
): Promise<AnswerState> {
  const ran = accept(t, await t.run(readScript, { name, question }))
  const { value, type, seen } = ran.values
  const shown = ran.stdout.toString().matchAll(/^[ *] ([^:\n]+):(?: (.*))?$/gm)
  const all = Object.fromEntries([...shown].map(([, key, text = '']) => [key!, text]))
  const place = { name, question, all, isSecret }
  if (value === undefined) return { ...place, kind: 'absent' }
  const held = isSecret || type === 'password' ? new Secret(value, `answer to ${question}`) : value
  return { ...place, kind: 'present', type, value: held, isSeen: seen === 'true' }
}

async function rereadAnswer(t: Target, state: AnswerState): Promise<AnswerState> {
  return { ...(await readAnswer(t, state.name, state.question, state.isSecret)), all: state.all }
}

function wantAnswer(args: DebconfArgs, before: AnswerState): AnswerState {
  if (args.question === undefined) return before
  const { name, question, all, isSecret } = before
  const { vtype } = args
  const given = args.value ?? ''
  const text = vtype === 'boolean' && typeof given === 'string' ? given.toLowerCase() : given
  const value =
    before.value instanceof Secret && typeof text === 'string'
      ? new Secret(text, `answer to ${question}`)
      : text
  const isSame = before.kind === 'present' && before.value !== undefined && isSameText(before.value, value)
  if (isSame) return before
  return {
    name,
    question,
    all,
    isSecret,
    kind: 'present',
    type: before.type ?? vtype,
    value,
    isSeen: !args.unseen,
  }
}

export const debconf = defineState<typeof params, AnswerState>({
  name: 'debconf',
  summary: 'Answer a question of a Debian package before it is installed or reconfigured.',
  params,
  rules: {
    requiredTogether: [['question', 'vtype', 'value']],
  },
  returns: {
    current: { doc: 'Dict: the answers now; those of passwords are left out.' },
    previous: { doc: 'Dict: the answers before, when one was changed.' },
  },
  examples: `
- name: The time zone
  debconf: { name: tzdata, question: tzdata/Areas, value: Etc, vtype: select }
`,
  prepare(_t, args) {
    if (args.vtype === 'seen')
      throw problem('E_PARAMS', 'debconf: vtype seen is not supported', {
        hint: 'give the type of the question; unseen: true lets it be asked all the same',
      })
    return args
  },
  read: (t, args) =>
    readAnswer(t, args.name, args.question ?? '', args.value instanceof Secret || args.vtype === 'password'),
  reread: rereadAnswer,
  want: wantAnswer,
  async write(t, before, after) {
    await requireUnchanged(`the answer to ${before.question}`, before, () => rereadAnswer(t, before))
    const { name, question, kind, type, value, isSeen } = after
    accept(t, await t.run(writeScript, { name, question, kind, type, value, seen: isSeen ?? false }))
  },
  result({ question, vtype }, before, after) {
    if (question === undefined) return { current: before.all }
    const told = (state: AnswerState) =>
      state.value instanceof Secret || vtype === 'password' ? {} : { [question]: state.value ?? '' }
    return { current: { ...before.all, ...told(after) }, previous: { ...before.all, ...told(before) } }
  },
  show: ({ question, value }) => ({
    header: question,
    text: value === undefined ? '' : value instanceof Secret ? '(secret)\n' : `${value}\n`,
  }),
})
