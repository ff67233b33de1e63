import type { Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import type { Secret } from '../core/secret.ts'
import { requireUnchanged } from './conflict.ts'
import { accept } from './file.ts'

/** The SSH key pair of a user: whether it is there. What is in the private key is never read. */
export type KeyState = {
  /** Absolute. */
  readonly path: string
  readonly isThere: boolean
  readonly isFolderThere: boolean
  readonly asked: {
    readonly type: string
    readonly bits: number
    readonly comment: string
    readonly passphrase?: Secret | undefined
  }
  /** Of a key that was there at first. */
  readonly told: { readonly publicKey?: string | undefined; readonly fingerprint?: string | undefined }
}

const readScript = sh`
if [ -d "\${p_path%/*}" ]; then rt_set folder 1; fi
if [ -f "$p_path" ]; then
  rt_set there 1
  if [ -r "$p_path.pub" ]; then rt_set public "$(cat -- "$p_path.pub")"; fi
  rt_set fingerprint "$(ssh-keygen -l -f "$p_path" 2>/dev/null)"
fi
`
/** Made as root and given to the user, whose folder it is in: so a link there is not followed. */
const makeScript = sh`
rt_need ssh-keygen "this host has no ssh-keygen, which makes the key"
dir=\${p_path%/*}
if [ -L "$dir" ]; then rt_fail "$dir is a link"; fi
umask 077
if ! [ -d "$dir" ]; then
  if ! { mkdir -m 0700 -- "$dir" && chown -- "$p_own" "$dir"; }; then rt_fail "cannot make $dir"; fi
fi
set --
if [ "$p_bits" -gt 0 ]; then set -- -b "$p_bits"; fi
set -- -q -t "$p_type" "$@" -C "$p_comment" -f "$p_path"
# ssh-keygen takes a passphrase as an argument, which every user could read, or from a program that it starts with its own stdin.
with_passphrase() {
  asker=$(mktemp -d) || rt_fail "cannot make a folder for temporary files"
  trap 'rm -rf -- "$asker"' EXIT
  # shellcheck disable=SC2016 # it is expanded there
  printf '#!/bin/sh\nIFS= read -r line && printf "%%s\\n" "$line"\n' >"$asker/ask"
  chmod 0700 "$asker/ask"
  printf '%s\n%s\n' "$p_passphrase" "$p_passphrase" |
    DISPLAY=none SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=$asker/ask ssh-keygen "$@"
}
if [ -z "\${p_passphrase-}" ]; then ssh-keygen "$@" -N '' </dev/null
else with_passphrase "$@"
fi || rt_fail "cannot make the key $p_path"
if [ -n "\${p_passphrase-}" ] && ssh-keygen -y -P '' -f "$p_path" </dev/null >/dev/null 2>&1; then
  rm -f -- "$p_path" "$p_path.pub"
  rt_fail "the ssh-keygen of this host cannot be given a passphrase"
fi
if ! { chown -- "$p_own" "$p_path" "$p_path.pub" && chmod 0644 "$p_path.pub"; }; then rt_fail "cannot give the key to its user"; fi
`
const removeScript = sh`
rm -f -- "$p_path" "$p_path.pub" || rt_fail "cannot remove the key $p_path"
if [ "$p_folder" = 0 ]; then rmdir -- "\${p_path%/*}" 2>/dev/null || :; fi
`

export async function readKey(t: Target, path: string, asked: KeyState['asked']): Promise<KeyState> {
  const { values } = accept(t, await t.run(readScript, { path }))
  return {
    path,
    isThere: values['there'] === '1',
    isFolderThere: values['folder'] === '1',
    asked,
    told: { publicKey: values['public'], fingerprint: values['fingerprint'] },
  }
}

export async function rereadKey(t: Target, key: KeyState): Promise<KeyState> {
  return { ...(await readKey(t, key.path, key.asked)), told: key.told }
}

export const wantKey = (key: KeyState): KeyState => ({ ...key, isThere: true, isFolderThere: true })

/** Makes the key, or removes one that was made. Throws E_CONFLICT, and E_TASK where the host has no ssh-keygen. */
export async function writeKey(
  t: Target,
  before: KeyState,
  after: KeyState,
  owner: { readonly uid?: number | undefined; readonly gid?: number | undefined },
): Promise<void> {
  if (before.isThere === after.isThere) return
  const { path, asked } = after
  if (after.isThere) {
    const own = `${owner.uid}:${owner.gid}`
    accept(t, await t.run(makeScript, { path, ...asked, own }))
    return
  }
  await requireUnchanged(`the key ${path}`, before, () => rereadKey(t, before))
  accept(t, await t.run(removeScript, { path, folder: after.isFolderThere }))
}
