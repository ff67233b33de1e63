import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import { accept } from '../resources/file.ts'
import { environmentParams } from './environment.ts'
import { gitScript } from './git-script.ts'

export const git = defineAction({
  name: 'git',
  summary: 'Keep a checkout of a git repository at a version.',
  foresees: true,
  notes: [
    'The target needs git. In check mode only the remote is asked; what submodules and an archive would become is not foreseen.',
    'A password does not belong into the URL, where every user of the host can read it: use a key, or a credential helper of the host.',
  ],
  params: {
    repo: { type: 'text', required: true, aliases: ['name'], doc: 'URL or path of the repository.' },
    dest: { type: 'path', doc: 'Folder of the checkout. Required unless `clone` and `update` are false.' },
    version: { type: 'string', default: 'HEAD', doc: 'Branch, tag or full commit hash.' },
    force: {
      type: 'bool',
      default: false,
      doc: 'Throw changes of files away; without it they are an error.',
    },
    update: { type: 'bool', default: true, doc: 'Fetch when there is a checkout already.' },
    clone: { type: 'bool', default: true, doc: 'Make the checkout when there is none.' },
    depth: { type: 'int', default: 0, doc: 'Fetch only so many commits.' },
    remote: { type: 'string', default: 'origin', doc: 'Name of the remote.' },
    recursive: { type: 'bool', default: true, doc: 'Bring submodules too.' },
    single_branch: {
      type: 'bool',
      default: false,
      doc: 'Fetch no more than the version. Default: all branches and tags.',
    },
    bare: { type: 'bool', default: false, doc: 'A repository without a checkout.' },
    reference: {
      type: 'path',
      default: '',
      doc: 'Repository of the target to borrow objects from, when cloning.',
    },
    separate_git_dir: {
      type: 'path',
      default: '',
      doc: 'Where the git folder is, outside of the checkout. One that is elsewhere is moved.',
    },
    track_submodules: {
      type: 'bool',
      default: false,
      doc: 'Bring submodules to the newest commit of their branch, and not to the one that is recorded.',
    },
    verify_commit: {
      type: 'bool',
      default: false,
      doc: 'Check the signature of the commit, or of an annotated tag, before it is checked out.',
    },
    gpg_whitelist: {
      type: 'list',
      default: [],
      aliases: ['gpg_allowlist'],
      doc: 'With `verify_commit`: fingerprints of the keys that are good.',
    },
    archive: {
      type: 'path',
      default: '',
      doc: 'Write the version into this archive: zip, tar, tar.gz or tgz.',
    },
    archive_prefix: { type: 'string', default: '', doc: 'Put before every name in the archive: `panel-2/`.' },
    refspec: { type: 'string', default: '', doc: 'Fetch this too: `refs/pull/7/head`.' },
    executable: { type: 'path', default: '', doc: 'The git to use.' },
    umask: { type: 'string', default: '', doc: 'umask for what is made: `0022`.' },
    key_file: { type: 'path', doc: 'SSH key of the target to use.' },
    ssh_opts: { type: 'string', default: '', doc: 'More words for ssh, by the rules of sh.' },
    accept_hostkey: { type: 'bool', default: false, doc: 'Accept any host key. Prefer `accept_newhostkey`.' },
    accept_newhostkey: { type: 'bool', default: false, doc: 'Accept the key of a host that was never seen.' },
  },
  rules: {
    mutuallyExclusive: [
      ['accept_hostkey', 'accept_newhostkey'],
      ['bare', 'separate_git_dir'],
    ],
  },
  returns: {
    before: { doc: 'Commit before; null without a checkout.' },
    after: { doc: 'Commit after.' },
    submodules_changed: { doc: 'True when submodules were brought.' },
    git_dir_before: { doc: 'The git folder before `separate_git_dir` moved it.' },
    git_dir_now: { doc: 'The git folder since then.' },
    remote_url_changed: { doc: 'Whether the remote had another URL.' },
  },
  examples: `
- git: { repo: 'https://example.org/panel.git', dest: /opt/panel, version: v2.1 }
`,
  async run(t, args): Promise<Outcome> {
    if (args.repo instanceof Secret)
      throw problem('E_PARAMS', 'git: a secret in the URL can be seen by every user of the host', {
        hint: 'use key_file, or a credential helper on the host',
      })
    if (args.archive_prefix !== '' && args.archive === '')
      throw problem('E_PARAMS', 'git: archive_prefix needs archive', {
        hint: 'add archive: the file to write',
      })
    if (args.dest === undefined && (args.clone || args.update))
      throw problem('E_PARAMS', 'git: dest is missing', {
        hint: 'add dest: the folder of the checkout; only with clone: false and update: false it can be left out',
      })
    const ran = accept(
      t,
      await t.run(gitScript, {
        ...environmentParams(t),
        repo: args.repo,
        dest: args.dest ?? '',
        version: args.version,
        force: args.force,
        update: args.update,
        clone: args.clone,
        depth: args.depth,
        remote: args.remote,
        recursive: args.recursive,
        refspec: args.refspec,
        single: args.single_branch,
        bare: args.bare,
        reference: args.reference,
        separate: args.separate_git_dir,
        track: args.track_submodules,
        verify: args.verify_commit,
        signers: args.gpg_whitelist.join(' '),
        archive: args.archive,
        prefix: args.archive_prefix,
        executable: args.executable,
        umask: args.umask,
        ssh_opts: args.ssh_opts,
        key_file: args.key_file ?? '',
        check: t.check,
        hostkeys: args.accept_hostkey ? 'no' : args.accept_newhostkey ? 'accept-new' : '',
      }),
    )
    const { before, after, moved, touched, folder_before, folder_now, submodules } = ran.values
    const told = {
      before: before || null,
      after,
      ...(moved === undefined ? {} : { remote_url_changed: true }),
      ...(submodules === undefined ? {} : { submodules_changed: true }),
      ...(folder_before === undefined ? {} : { git_dir_before: folder_before, git_dir_now: folder_now }),
    }
    return {
      changed: before !== after || touched !== undefined || (t.check && moved !== undefined),
      values: told,
    }
  },
})
