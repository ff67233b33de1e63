import { joinScripts, sh } from '../core/script.ts'
import { pathScript } from '../resources/path-script.ts'

/** git as the task wants it called, without ever asking on a terminal. */
const program = joinScripts(
  pathScript,
  sh`
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
GIT_TERMINAL_PROMPT=0
export GIT_TERMINAL_PROMPT
program=git
if [ -n "$p_executable" ]; then expand "$p_executable"; program=$expanded; fi
rt_need "$program" "Failed to find required executable \"$program\""
git() { command "$program" "$@"; }
if [ -n "$p_umask" ]; then umask "$p_umask" || rt_fail "$p_umask is no umask"; fi
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
full_path() { if [ -n "$1" ]; then expand "$1"; printf '%s' "$expanded"; fi; }
dest=$(full_path "$p_dest")
separate=$(full_path "$p_separate")
reference=$(full_path "$p_reference")
archive=$(full_path "$p_archive")
# In the repository: what git says goes to stderr.
g() { git -C "$dest" "$@" </dev/null >&2 8>&-; }
nl='
'
`,
)

/** What there is, and what the version is on the remote. Sets before, url, target and kind. */
const look = sh`
before='' url=''
if [ "$p_bare" = 1 ]; then inside=$dest/objects; else inside=$dest/.git; fi
is_there() { [ -n "$dest" ] && [ -e "$inside" ]; }
if is_there; then
  git -C "$dest" rev-parse --git-dir >/dev/null || rt_fail "$dest holds no git repository that can be used"
  before=$(git -C "$dest" rev-parse -q --verify 'HEAD^{commit}' 2>/dev/null)
  rt_set before "$before"
  url=$(git -C "$dest" config --get "remote.$p_remote.url")
elif [ -n "$(ls -A "$dest" 2>/dev/null)" ] && [ "$p_clone" = 1 ]; then
  rt_fail "$dest is there, is not empty and holds no git repository"
fi

listing() {
  listed=$(git ls-remote -- "$p_repo" 2>&1 </dev/null) || rt_fail "cannot read $p_repo: $listed"
}
find_ref() { printf '%s\n' "$listed" | awk -v r="$1" '$2 == r { print $1; exit }'; }
is_hash() { case $1 in *[!0-9a-f]*|'') return 1 ;; esac; [ "\${#1}" -ge 7 ]; }
# HEAD is the branch that is checked out, where the remote has it, else the one that the remote starts with.
find_default() {
  branch=
  if [ -n "$before" ] && [ "$p_bare" = 0 ]; then branch=$(git -C "$dest" symbolic-ref -q --short HEAD); fi
  if [ -n "$branch" ]; then target=$(find_ref "refs/heads/$branch"); fi
  if [ -n "$target" ]; then return; fi
  branch=$(git ls-remote --symref -- "$p_repo" HEAD 2>/dev/null </dev/null | sed -n 's,^ref: refs/heads/\([^	]*\).*,\1,p')
  target=$(find_ref HEAD)
}
# A branch, a tag (the commit that it leads to), or itself when it is a hash.
find_version() {
  target='' kind='' branch=$p_version
  if [ "$p_version" = HEAD ]; then kind=branch; find_default; if [ -z "$branch" ]; then kind=default; fi
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
}
`

/** Makes the repository, moves its git folder, fetches. */
const fetch = sh`
make_repository() {
  if [ -n "$separate" ] && [ -e "$separate" ]; then rt_fail "separate_git_dir $separate is there already"; fi
  mkdir -p -- "$dest" || rt_fail "cannot make $dest"
  set -- -q
  if [ "$p_bare" = 1 ]; then set -- "$@" --bare; fi
  if [ -n "$separate" ]; then set -- "$@" "--separate-git-dir=$separate"; fi
  g init "$@" || rt_fail "cannot make a repository in $dest"
  if [ -n "$reference" ]; then
    objects=$(cd "$reference" && cd "$(git rev-parse --git-path objects)" && pwd) || rt_fail "reference $reference is no git repository"
    printf '%s\n' "$objects" >"$(cd "$dest" && cd "$(git rev-parse --git-path objects/info)" && pwd)/alternates"
  fi
  g remote add -- "$p_remote" "$p_repo" || rt_fail "cannot set the remote $p_remote"
}
move_git_folder() {
  now=$(cd "$dest" && cd "$(git rev-parse --git-dir)" && pwd)
  if [ "$now" = "$separate" ]; then return; fi
  if [ -e "$separate" ]; then rt_fail "separate_git_dir $separate is there already"; fi
  rt_set folder_before "$now"
  rt_set folder_now "$separate"
  rt_set touched 1
  if [ "$p_check" = 1 ]; then return; fi
  g init -q "--separate-git-dir=$separate" || rt_fail "cannot move $now to $separate"
}
# Bare: branches are its own. Else all branches and tags, but with depth or single_branch no more than the version.
fetch_version() {
  set -- fetch -q --force
  if [ "$p_depth" -gt 0 ]; then set -- "$@" --depth "$p_depth"; fi
  set -- "$@" "$p_remote"
  if [ "$p_bare" = 1 ]; then heads=refs/heads; set -- "$@" --update-head-ok; else heads=refs/remotes/$p_remote; fi
  if [ "$p_depth" -gt 0 ] || [ "$p_single" = 1 ]; then
    case $kind in
      branch) set -- "$@" "+refs/heads/$branch:$heads/$branch" ;;
      tag) set -- "$@" "+refs/tags/$p_version:refs/tags/$p_version" ;;
      default) set -- "$@" HEAD ;;
      hash) if ! git -C "$dest" cat-file -e "$target^{commit}" 2>/dev/null && [ -z "$p_refspec" ]; then set -- "$@" "+refs/heads/*:$heads/*" --tags; fi ;;
    esac
  else
    set -- "$@" --tags "+refs/heads/*:$heads/*"
  fi
  if [ -n "$p_refspec" ]; then set -- "$@" "$p_refspec"; fi
  g "$@" || rt_fail "Failed to download remote objects and refs"
}
`

/** Checks a signature, checks the version out, brings submodules. */
const checkout = sh`
# Before anything is checked out that nobody signed.
verify() {
  if [ "$kind" = tag ] && [ "$(git -C "$dest" cat-file -t "refs/tags/$p_version")" = tag ]; then
    set -- verify-tag --raw "$p_version"
  else
    set -- verify-commit --raw "$target"
  fi
  told=$(git -C "$dest" "$@" 2>&1 </dev/null) || rt_fail "Failed to verify the signature of $p_version with git $1: $told"
  if [ -z "$p_signers" ]; then return; fi
  # The first word behind VALIDSIG is the key's fingerprint, the last that of its primary key (doc/DETAILS of GnuPG).
  for signer in $p_signers; do
    if printf '%s\n' "$told" | awk -v s="$signer" '$2 == "VALIDSIG" && ($3 == s || $NF == s) { ok = 1 } END { exit !ok }'; then return; fi
  done
  rt_fail "The signature of $p_version is by none of the keys of gpg_whitelist"
}
check_out() {
  g checkout -q --force "$@" || rt_fail "Failed to checkout $p_version"
}
switch() {
  if [ "$p_bare" = 1 ]; then
    if [ "$kind" = branch ]; then g symbolic-ref HEAD "refs/heads/$branch"; else g update-ref --no-deref HEAD "$target"; fi ||
      rt_fail "cannot set HEAD of $dest"
    return
  fi
  case $kind in
    branch)
      check_out -B "$branch" "$target"
      g branch -q --set-upstream-to "$p_remote/$branch" "$branch"
      if [ "$p_version" = HEAD ] && [ -z "$before" ]; then g symbolic-ref "refs/remotes/$p_remote/HEAD" "refs/remotes/$p_remote/$branch"; fi ;;
    *) check_out --detach "$target" ;;
  esac
}
bring_submodules() {
  was=$(git -C "$dest" submodule status --recursive 2>/dev/null)
  g submodule sync -q --recursive || rt_fail "Failed to sync submodules"
  set -- submodule update -q --init --recursive --force
  if [ "$p_track" = 1 ]; then set -- "$@" --remote; fi
  g "$@" || rt_fail "Failed to init/update submodules"
  if [ "$was" != "$(git -C "$dest" submodule status --recursive)" ]; then rt_set touched 1; rt_set submodules 1; fi
}
write_archive() {
  case $archive in
    *.zip) format=zip ;; *.tar) format=tar ;; *.tar.gz) format=tar.gz ;; *.tgz) format=tgz ;;
    *) rt_fail "archive has to end with .zip, .tar, .tar.gz or .tgz: $archive" ;;
  esac
  tmp=$(mktemp "$archive.XXXXXX") || rt_fail "cannot make a file beside $archive"
  trap 'rm -f -- "$tmp"' EXIT
  set -- archive "--format=$format" "--output=$tmp"
  if [ -n "$p_prefix" ]; then set -- "$@" "--prefix=$p_prefix"; fi
  g "$@" HEAD || rt_fail "Failed to archive $p_version"
  if cmp -s "$tmp" "$archive"; then return; fi
  chmod "$(printf '%o' "$((0666 & ~$(umask)))")" "$tmp"
  mv -f -- "$tmp" "$archive" || rt_fail "cannot write $archive"
  rt_set touched 1
}
finish() {
  if [ -n "$archive" ]; then write_archive; fi
  rt_set after "$(git -C "$dest" rev-parse -q --verify HEAD)"
  exit 0
}
`

/** The module git: from what there is to the version. */
export const gitScript = joinScripts(
  program,
  look,
  fetch,
  checkout,
  sh`
if ! is_there && { [ -z "$dest" ] || [ "$p_clone" = 0 ] || [ "$p_check" = 1 ]; }; then
  listing
  find_version
  rt_set after "$target"
  exit 0
fi
if is_there && [ -n "$separate" ]; then move_git_folder; fi
if is_there && [ "$p_update" = 0 ]; then
  if [ "$p_check" = 1 ]; then archive=; fi
  finish
fi
if is_there && [ "$p_bare" = 0 ] && [ -n "$(git -C "$dest" status --porcelain --untracked-files=no)" ]; then
  [ "$p_force" = 1 ] || rt_fail "Local modifications exist in the destination: $dest (force=no)."
  rt_set touched 1
  [ "$p_check" = 1 ] || g reset --hard || rt_fail "cannot reset $dest"
fi
listing
find_version
if [ "$p_check" = 1 ]; then
  if [ "$url" != "$p_repo" ]; then rt_set moved 1; fi
  rt_set after "$target"
  exit 0
fi
if ! is_there; then make_repository
elif [ "$url" != "$p_repo" ]; then
  rt_set moved 1
  g remote set-url "$p_remote" "$p_repo" || g remote add -- "$p_remote" "$p_repo" || rt_fail "cannot set the remote $p_remote"
fi
fetch_version
if [ "$p_verify" = 1 ]; then verify; fi
switch
if [ "$p_recursive" = 1 ] && [ -f "$dest/.gitmodules" ]; then bring_submodules; fi
finish
`,
)
