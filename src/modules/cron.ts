import { problem } from '../core/error.ts'
import { defineState, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { requireUnchanged } from '../resources/conflict.ts'
import { accept, type FileState, readFile, rereadFile } from '../resources/file.ts'
import { textOf, wantAbsent, wantContent } from '../resources/file-want.ts'
import { writeFile } from '../resources/file-write.ts'
import {
  jobNames,
  parseTable,
  renderTable,
  variableNames,
  withJob,
  withoutJob,
  withoutVariable,
  withVariable,
} from './cron-table.ts'
import { backup, backupSuffix } from './file-params.ts'
import { backupResult } from './text-file.ts'

const field = (doc: string) => ({ type: 'string', default: '*', doc }) as const
const params = {
  name: {
    type: 'string',
    required: true,
    doc: 'What the job is called in the table; with `env` the variable.',
  },
  job: {
    type: 'string',
    aliases: ['value'],
    doc: 'The command, in one line; with `env` the value. Needed for `present`.',
  },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether it is to be there.',
  },
  user: { type: 'string', doc: 'Whose table; in a `cron_file` as whom the job runs. Default: the login.' },
  cron_file: { type: 'path', doc: 'A file of /etc/cron.d instead of the table of a user.' },
  minute: field('0-59, `*`, `*/2` …'),
  hour: field('0-23, `*`, `*/2` …'),
  day: { ...field('1-31, `*`, `*/2` …'), aliases: ['dom'] },
  month: field('1-12, `*`, `*/2` …'),
  weekday: { ...field('0-6 for Sunday to Saturday, `*` …'), aliases: ['dow'] },
  special_time: {
    type: 'string',
    choices: ['annually', 'daily', 'hourly', 'monthly', 'reboot', 'weekly', 'yearly'],
    doc: 'Instead of the five fields.',
  },
  disabled: { type: 'bool', default: false, doc: 'Comment the job out.' },
  env: { type: 'bool', default: false, doc: 'It is about a variable of the table.' },
  insertafter: { type: 'string', doc: 'With `env`: behind this variable.' },
  insertbefore: { type: 'string', doc: 'With `env`: before this variable.' },
  backup,
} as const
type CronArgs = Args<typeof params>

/** A table: that of a user, kept by crontab(1), or a file of its own. */
type CronState = { readonly user: string; readonly text: string | null } | { readonly file: FileState }

const readTable = sh`
rt_need crontab "this host has no crontab program"
set -- -l
if [ -n "$p_user" ]; then set -- -u "$p_user" -l; fi
if text=$(crontab "$@" 2>/dev/null; printf x); then :; fi
text=\${text%x}
if crontab "$@" >/dev/null 2>&1; then rt_set is 1; fi
printf '%s' "$text"
exit 0
`
const writeTable = sh`
if [ -n "$p_user" ]; then set -- -u "$p_user"; else set --; fi
if [ "$p_drop" = 1 ]; then crontab "$@" -r; else crontab "$@" -; fi || rt_fail "crontab refused the table"
`

async function readUserTable(t: Target, user: string): Promise<CronState> {
  const ran = accept(t, await t.run(readTable, { user }))
  return { user, text: ran.values['is'] === '1' ? ran.stdout.toString() : null }
}

async function write(t: Target, before: CronState, after: CronState): Promise<void> {
  if ('file' in before && 'file' in after) return writeFile(t, before.file, after.file)
  if ('file' in before || 'file' in after) return
  const { user, text } = after
  await requireUnchanged(`the crontab of ${user || 'the login'}`, before, () => readUserTable(t, user))
  accept(t, await t.run(writeTable, { user, drop: text === null }, { stdin: text ?? '' }))
}

function reread(t: Target, state: CronState): Promise<CronState> {
  if ('file' in state) return rereadFile(t, state.file).then(file => ({ file }))
  return readUserTable(t, state.user)
}

function renderJob(args: CronArgs): string {
  const { minute, hour, day, month, weekday, special_time, disabled, cron_file, user, job = '' } = args
  const when = special_time === undefined ? [minute, hour, day, month, weekday].join(' ') : `@${special_time}`
  const who = cron_file === undefined ? '' : ` ${user}`
  return `${disabled ? '#' : ''}${when}${who} ${job.replace(/[\r\n]+$/, '')}`
}

function edit(args: CronArgs, text: string): string {
  const lines = parseTable(text)
  const { name } = args
  if (args.env) {
    if (args.state === 'absent') return renderTable(withoutVariable(lines, name))
    const beside = { after: args.insertafter, before: args.insertbefore }
    const edited = withVariable(lines, name, `${name}="${args.job}"`, beside)
    if (edited === undefined)
      throw problem('E_TASK', `Variable named '${args.insertafter ?? args.insertbefore}' not found.`, {
        hint: 'set it first, or leave out insertafter and insertbefore',
      })
    return renderTable(edited)
  }
  return renderTable(
    args.state === 'absent' ? withoutJob(lines, name) : withJob(lines, name, renderJob(args)),
  )
}

/** What the option types cannot say. Throws E_PARAMS. */
function checkArgs(args: CronArgs): void {
  const isPresent = args.state === 'present'
  const fail = (message: string, hint: string): never => {
    throw problem('E_PARAMS', `cron: ${message}`, { hint })
  }
  if (args.cron_file === '/etc/crontab')
    throw problem('E_TASK', 'Will not manage /etc/crontab via cron_file, see documentation.', {
      hint: 'name a file of its own, which is below /etc/cron.d, or edit this one with lineinfile',
    })
  if (isPresent && args.job === undefined)
    fail("You must specify 'job' to install a new cron job or variable", 'add job')
  if (args.job !== undefined && /[\r\n]./.test(args.job))
    fail('Job should not contain line breaks', 'write it in one line, or as a script')
  if (args.cron_file !== undefined && args.user === undefined && isPresent && !args.env)
    fail(
      'To use cron_file=... parameter you must specify user=... as well',
      'add user: root, or whoever is to run it',
    )
  if ((args.insertafter ?? args.insertbefore) !== undefined && !(args.env && isPresent))
    fail(
      'Insertafter and insertbefore parameters are valid only with env=yes and state=present',
      'remove them',
    )
  const isTimed = [args.minute, args.hour, args.day, args.month, args.weekday].some(one => one !== '*')
  if (args.special_time !== undefined && isTimed)
    fail('You must specify time and date fields or special time', 'remove special_time or the fields')
  for (const [option, text] of Object.entries({
    name: args.name,
    minute: args.minute,
    hour: args.hour,
    day: args.day,
    month: args.month,
    weekday: args.weekday,
  }))
    if (/[\r\n]/.test(text)) fail(`${option} holds a line break`, 'write it in one line')
}

const textIn = (state: CronState): string =>
  'file' in state ? String(textOf(state.file)) : (state.text ?? '')

interface CronInput {
  readonly args: CronArgs
  readonly suffix: string | undefined
}

export const cron = defineState<typeof params, CronState, CronInput>({
  name: 'cron',
  summary: 'Keep a job or a variable in a crontab or in a file of /etc/cron.d, or away.',
  notes: [
    'A job is known by the comment `#Ansible: NAME` above it. A `cron_file` in which no job is left, and nothing else, is removed.',
    '`backup` is only for a `cron_file`.',
  ],
  params,
  rules: { mutuallyExclusive: [['insertafter', 'insertbefore']] },
  returns: {
    jobs: { doc: 'Names of all jobs in the table.' },
    envs: { doc: 'Names of all variables in the table.' },
    cron_file: { doc: 'As asked for.' },
    backup_file: { doc: 'Path of the backup, when one was made.' },
  },
  examples: `
- name: A backup each night
  cron: { name: nightly backup, minute: '30', hour: '2', job: /opt/panel/backup.sh, user: root }
- name: A path for the jobs of a file
  cron: { name: PATH, env: true, job: '/usr/local/bin:/usr/bin:/bin', cron_file: panel }
`,
  prepare(t, args) {
    checkArgs(args)
    if (args.backup && args.cron_file === undefined)
      throw problem('E_PARAMS', 'cron: backup is not supported for the table of a user', {
        hint: 'remove backup, or use cron_file',
      })
    return { args, suffix: backupSuffix(t.operator, args.backup) }
  },
  async read(t, { args, suffix }) {
    const { cron_file: path } = args
    if (path === undefined) return readUserTable(t, args.user ?? '')
    const full = path.startsWith('/') ? path : `/etc/cron.d/${path}`
    return { file: await readFile(t, full, { follow: true, content: 'plain', backupSuffix: suffix }) }
  },
  reread,
  want({ args }, before) {
    const text = edit(args, textIn(before))
    const isNothing = text === textIn(before)
    if ('file' in before) {
      if (isNothing) return before
      if (args.state === 'absent' && !args.env && text.trim() === '') return { file: wantAbsent(before.file) }
      return { file: wantContent(before.file, { text }, '0644') }
    }
    return isNothing ? before : { ...before, text }
  },
  write,
  result({ args }, before, after) {
    const lines = parseTable(textIn(after))
    const made = 'file' in before && 'file' in after ? backupResult(before.file, after.file) : {}
    return {
      jobs: jobNames(lines),
      envs: variableNames(lines),
      ...(args.cron_file ? { cron_file: args.cron_file } : {}),
      ...made,
    }
  },
  show: state => ({
    header: 'file' in state ? state.file.path : `crontab ${state.user}`,
    text: textIn(state),
  }),
})
