import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { refuseAll } from './refused.ts'
import { runRsync } from './rsync.ts'

const onOff = (doc: string) => ({ type: 'bool', doc: `${doc} Default: as archive says.` }) as const

const params = {
  src: {
    type: 'path',
    required: true,
    doc: 'What is copied; with a slash at its end what is in the folder. With push on the operator’s machine, looked for in `files/`.',
  },
  dest: { type: 'path', required: true, doc: 'Where to; on the target with push.' },
  mode: {
    type: 'string',
    choices: ['pull', 'push'],
    default: 'push',
    doc: 'From the operator’s machine to the target, or the other way.',
  },
  archive: {
    type: 'bool',
    default: true,
    doc: 'Folders with all that is in them, links, permissions, times, groups, owners.',
  },
  checksum: { type: 'bool', default: false, doc: 'Compare what files hold, not size and time.' },
  compress: { type: 'bool', default: true, doc: 'Compress on the way.' },
  copy_links: { type: 'bool', default: false, doc: 'Copy what links lead to.' },
  delete: { type: 'bool', default: false, doc: 'Remove what src does not have. Needs recursive or dirs.' },
  delay_updates: { type: 'bool', default: true, doc: 'Put all files in place at the end.' },
  dirs: { type: 'bool', default: false, doc: 'Folders without what is in them.' },
  existing_only: { type: 'bool', default: false, doc: 'Make no new files.' },
  partial: { type: 'bool', default: false, doc: 'Keep half of a file when the link breaks.' },
  recursive: onOff('Folders with all that is in them.'),
  links: onOff('Copy links as links.'),
  perms: onOff('Keep permissions.'),
  times: onOff('Keep times.'),
  owner: onOff('Keep owners; needs root on the receiving side.'),
  group: onOff('Keep groups.'),
  link_dest: {
    type: 'list',
    default: [],
    doc: 'Folders of the receiving side whose same files are linked to.',
  },
  rsync_opts: { type: 'list', default: [], doc: 'More words for rsync: `--exclude=.git`. No secrets.' },
  rsync_path: { type: 'string', default: 'rsync', doc: 'The rsync of the target.' },
  rsync_timeout: {
    type: 'int',
    default: 0,
    doc: 'Seconds without a byte after which it gives up; 0 for never.',
  },
} as const
type SyncArgs = Args<typeof params>

/** What would change the connection or run programs: it is rota’s. */
const refusedOptions =
  /^(?:-[a-zA-Z]*e|--rsh|--rsync-path|--server|--sender|--daemon|--remote-option|-M|--out-format|--files-from|--protect-args|--secluded-args|--old-args)/

function selectWords(args: SyncArgs, isCheck: boolean): readonly string[] {
  const bad = args.rsync_opts.find(word => refusedOptions.test(word) || !word.startsWith('-'))
  if (bad !== undefined)
    throw problem('E_PARAMS', `synchronize: rsync_opts: ${bad} is not supported`, {
      hint: 'the connection is rota’s own; write options with = and their value in one word',
    })
  const flag = (is: boolean, ...words: readonly string[]): readonly string[] => (is ? words : [])
  const choice = (name: string, value: boolean | undefined): readonly string[] =>
    value === undefined ? [] : value ? flag(!args.archive, `--${name}`) : flag(args.archive, `--no-${name}`)
  return [
    ...flag(isCheck, '--dry-run'),
    ...flag(args.delay_updates, '--delay-updates', '-F'),
    ...flag(args.compress, '--compress'),
    ...flag(args.rsync_timeout > 0, `--timeout=${args.rsync_timeout}`),
    ...flag(args.archive, '--archive'),
    ...flag(args.checksum, '--checksum'),
    ...flag(args.delete, '--delete-after'),
    ...flag(args.existing_only, '--existing'),
    ...flag(args.copy_links, '--copy-links'),
    ...flag(args.dirs, '--dirs'),
    ...flag(args.partial, '--partial'),
    ...(['recursive', 'links', 'perms', 'times', 'owner', 'group'] as const).flatMap(name =>
      choice(name, args[name]),
    ),
    ...args.link_dest.map(folder => `--link-dest=${folder}`),
    ...args.rsync_opts,
  ]
}

/** The operator's side of it, with the slash at the end that says what is meant. */
function localPath(t: Target, args: SyncArgs): string {
  const path = args.mode === 'push' ? args.src : args.dest
  if (args.mode === 'pull') return path
  const found = t.operator.find('files', path.replace(/(?<=.)\/+$/, ''))
  return path.endsWith('/') ? `${found.replace(/\/$/, '')}/` : found
}

export const synchronize = defineAction({
  name: 'synchronize',
  summary: 'Copy folders with rsync over the connection that rota has.',
  notes: [
    'Both the operator’s machine and the target need rsync; where one has none, use copy or fetch. On the target it runs as the task’s user, become included: rsync needs no login of its own.',
    'From one target to another is not supported: a delegated task copies between the operator’s machine and the host it is delegated to.',
  ],
  params,
  refused: refuseAll(
    'rsync goes over the connection that rota has, with its login and its check of the host key: leave it out',
    'dest_port private_key set_remote_user ssh_connection_multiplexing use_ssh_args verify_host',
  ),
  foresees: true,
  returns: {
    cmd: { doc: 'The command line of rsync.' },
    rc: { doc: 'Its exit status.' },
    stdout_lines: { doc: 'What was copied or removed, a line each.' },
  },
  examples: `
- ansible.posix.synchronize: { src: site/, dest: /srv/site, delete: true, rsync_opts: [--exclude=.git] }
`,
  async run(t, args): Promise<Outcome> {
    if (args.delete && !(args.archive || args.recursive || args.dirs))
      throw problem('E_PARAMS', 'synchronize: delete needs recursive or dirs', {
        hint: 'set recursive: true',
      })
    const local = localPath(t, args)
    const remote = args.mode === 'push' ? args.dest : args.src
    const done = await runRsync(t, {
      words: selectWords(args, t.check),
      local,
      remote,
      isPull: args.mode === 'pull',
      program: args.rsync_path,
    })
    const changed = done.lines.length > 0
    const values = {
      cmd: done.words.join(' '),
      rc: done.exit,
      stdout_lines: done.lines,
      stdout: done.lines.join('\n'),
    }
    if (done.exit === 0) return { changed, msg: done.lines.join('\n'), values }
    return { changed, failed: true, msg: `rsync: ${t.redactor.clean(done.said)}`, values }
  },
})
