import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { accept } from '../resources/file.ts'
import { pathScript } from '../resources/path-script.ts'
import { environmentParams } from './environment.ts'
import { refuseAll } from './refused.ts'

const gitScript = joinScripts(
  pathScript,
  sh`
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
GIT_TERMINAL_PROMPT=0
export GIT_TERMINAL_PROMPT
program=git
if [ -n "$p_executable" ]; then expand "$p_executable"; program=$expanded; fi
command -v "$program" >/dev/null 2>&1 || rt_fail "Failed to find required executable \"$program\""
git() { command "$program" "$@"; }
if [ -n "$p_umask" ]; then umask "$p_umask" || rt_fail "$p_umask is no umask"; fi
expand "$p_dest"
dest=$expanded
if [ -n "$p_key_file$p_hostkeys$p_ssh_opts" ]; then
  GIT_SSH_COMMAND="ssh -o BatchMode=yes $p_ssh_opts"
  if [ -n "$p_hostkeys" ]; then GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o StrictHostKeyChecking=$p_hostkeys"; fi
  if [ -n "$p_key_file" ]; then
    # git splits this text by the rules of sh, so what is in it is quoted.
    quoted=$(printf '%s' "$p_key_file" | sed "s/'/'\\\\''/g")
    # shellcheck disable=SC2089 # they are meant for git
    GIT_SSH_COMMAND="$GIT_SSH_COMMAND -i '$quoted' -o IdentitiesOnly=yes"
  fi
  # shellcheck disable=SC2090
  export GIT_SSH_COMMAND
fi
g() { git "$@" </dev/null >&2 8>&-; }
is_hash() { case $1 in *[!0-9a-f]*|'') return 1 ;; esac; [ "\${#1}" -ge 7 ]; }
checkout_of() {
  g -C "$dest" checkout --force "$@" || rt_fail "Failed to checkout $p_version"
}
set --
if [ "$p_depth" -gt 0 ]; then set -- --depth "$p_depth"; fi

before=
if [ -e "$dest/.git" ]; then
  before=$(git -C "$dest" rev-parse HEAD 2>/dev/null)
  rt_set before "$before"
  if [ "$p_update" = 0 ]; then rt_set after "$before"; exit 0; fi
  if [ -n "$(git -C "$dest" status --porcelain --untracked-files=no)" ]; then
    [ "$p_force" = 1 ] || rt_fail "Local modifications exist in the destination: $dest (force=no)."
    rt_set modified 1
    g -C "$dest" reset --hard || rt_fail "cannot reset $dest"
  fi
  url=$(git -C "$dest" config --get "remote.$p_remote.url")
  if [ "$url" != "$p_repo" ]; then rt_set moved 1; fi
elif [ -d "$dest" ] && [ -n "$(ls -A "$dest")" ]; then
  rt_fail "$dest is there, is not empty and holds no git repository"
fi

# What the version is on the remote: a branch, a tag (the commit that it leads to), or itself when it is a hash.
listed=$(git ls-remote -- "$p_repo" 2>&1 </dev/null) || rt_fail "cannot read $p_repo: $listed"
target='' kind=''
nl='
'
find_ref() { printf '%s\n' "$listed" | awk -v r="$1" '$2 == r { print $1; exit }'; }
if [ "$p_version" = HEAD ]; then target=$(find_ref HEAD); kind=default
else
  target=$(find_ref "refs/heads/$p_version"); kind=branch
  if [ -z "$target" ]; then
    target=$(find_ref "refs/tags/$p_version^{}"); kind=tag
    if [ -z "$target" ]; then target=$(find_ref "refs/tags/$p_version"); fi
  fi
fi
if [ -z "$target" ]; then
  is_hash "$p_version" || rt_fail "Could not find $p_version in $p_repo: it is no branch, no tag and no commit"
  target=$p_version kind=hash
fi
rt_set after "$target"

if [ -z "$before" ] && ! [ -e "$dest/.git" ]; then
  if [ "$p_clone" = 0 ]; then exit 0; fi
  mkdir -p -- "$dest" || rt_fail "cannot make $dest"
  g init -q "$dest" || rt_fail "cannot make a repository in $dest"
  g -C "$dest" remote add -- "$p_remote" "$p_repo" || rt_fail "cannot set the remote $p_remote"
elif [ "$url" != "$p_repo" ]; then
  g -C "$dest" remote set-url "$p_remote" "$p_repo" || rt_fail "cannot set the remote $p_remote"
fi
case $kind in
  branch) g -C "$dest" fetch -q "$@" "$p_remote" "+refs/heads/$p_version:refs/remotes/$p_remote/$p_version" ;;
  tag) g -C "$dest" fetch -q "$@" "$p_remote" "+refs/tags/$p_version:refs/tags/$p_version" ;;
  default) g -C "$dest" fetch -q "$@" "$p_remote" HEAD ;;
  hash) git -C "$dest" cat-file -e "$target^{commit}" 2>/dev/null || g -C "$dest" fetch -q --tags "$p_remote" "+refs/heads/*:refs/remotes/$p_remote/*" ;;
esac || rt_fail "Failed to download remote objects and refs"
if [ -n "$p_refspec" ]; then
  g -C "$dest" fetch -q "$@" "$p_remote" "$p_refspec" || rt_fail "Failed to download $p_refspec"
fi
case $kind in
  branch) checkout_of -q -B "$p_version" "$target" && g -C "$dest" branch -q --set-upstream-to "$p_remote/$p_version" "$p_version" ;;
  default)
    name=$(git ls-remote --symref -- "$p_repo" HEAD 2>/dev/null </dev/null | sed -n 's,^ref: refs/heads/\([^	]*\).*,\1,p')
    if [ -n "$name" ]; then checkout_of -q -B "$name" "$target"; else checkout_of -q --detach "$target"; fi ;;
  *) checkout_of -q --detach "$target" ;;
esac
if [ "$p_recursive" = 1 ] && [ -f "$dest/.gitmodules" ]; then
  g -C "$dest" submodule sync -q --recursive || rt_fail "Failed to sync submodules"
  g -C "$dest" submodule update -q --init --recursive --force || rt_fail "Failed to init/update submodules"
fi
rt_set after "$(git -C "$dest" rev-parse HEAD)"
exit 0
`,
)

export const git = defineAction({
  name: 'git',
  summary: 'Keep a checkout of a git repository at a version.',
  notes: [
    'The target needs git. In check mode nothing is done at all.',
    'A password does not belong into the URL, where every user of the host can read it: use a key, or a credential helper of the host.',
  ],
  refused: refuseAll(
    'use the module command: git …',
    'archive archive_prefix bare gpg_whitelist reference separate_git_dir track_submodules verify_commit',
  ),
  params: {
    repo: { type: 'text', required: true, aliases: ['name'], doc: 'URL or path of the repository.' },
    dest: { type: 'path', required: true, doc: 'Folder of the checkout.' },
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
      doc: 'Taken for compatibility: no more than the version is fetched anyway.',
    },
    refspec: { type: 'string', default: '', doc: 'Fetch this too: `refs/pull/7/head`.' },
    executable: { type: 'path', default: '', doc: 'The git to use.' },
    umask: { type: 'string', default: '', doc: 'umask for what is made: `0022`.' },
    key_file: { type: 'path', doc: 'SSH key of the target to use.' },
    ssh_opts: { type: 'string', default: '', doc: 'More words for ssh, by the rules of sh.' },
    accept_hostkey: { type: 'bool', default: false, doc: 'Accept any host key. Prefer `accept_newhostkey`.' },
    accept_newhostkey: { type: 'bool', default: false, doc: 'Accept the key of a host that was never seen.' },
  },
  rules: { mutuallyExclusive: [['accept_hostkey', 'accept_newhostkey']] },
  returns: {
    before: { doc: 'Commit before; null without a checkout.' },
    after: { doc: 'Commit after.' },
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
    const ran = accept(
      t,
      await t.run(gitScript, {
        ...environmentParams(t),
        repo: args.repo,
        dest: args.dest,
        version: args.version,
        force: args.force,
        update: args.update,
        clone: args.clone,
        depth: args.depth,
        remote: args.remote,
        recursive: args.recursive,
        refspec: args.refspec,
        executable: args.executable,
        umask: args.umask,
        ssh_opts: args.ssh_opts,
        key_file: args.key_file ?? '',
        hostkeys: args.accept_hostkey ? 'no' : args.accept_newhostkey ? 'accept-new' : '',
      }),
    )
    const { before, after, moved, modified } = ran.values
    const changed = before !== after || modified !== undefined
    const told = {
      before: before || null,
      after,
      ...(moved === undefined ? {} : { remote_url_changed: true }),
    }
    return { changed: changed && (args.clone || before !== undefined), values: told }
  },
})
