import { sh } from '../core/script.ts'

/**
 * What Debian's packages ask before they start a service, answered by rota while it installs: `set_policy` with $p_policy, and
 * `tidy_policy` puts the host's own back.
 */
export const policyRc = sh`
policy=/usr/sbin/policy-rc.d
# Puts the host's own policy back. Only renames: nothing is lost where the disk is full or this is killed.
restore_policy() {
  if [ -e "$policy.rota-kept" ] || [ -L "$policy.rota-kept" ]; then mv -f -- "$policy.rota-kept" "$policy"; else rm -f -- "$policy"; fi
}
policy_owner() { sed -n 's/^# rota //p' "$policy" 2>/dev/null || :; }
# Ours, and what one that was killed left: with that no service would ever start again.
tidy_policy() {
  owner=$(policy_owner)
  if [ -n "$owner" ]; then
    if [ "$owner" = "$$" ] || ! kill -0 "$owner" 2>/dev/null; then restore_policy; fi
  elif [ ! -e "$policy" ] && [ -e "$policy.rota-kept" ]; then restore_policy; fi
}
set_policy() {
  { printf '#!/bin/sh\n# rota %s\nexit %s\n' "$$" "$p_policy" >"$policy.rota-new" && chmod 755 "$policy.rota-new"; } || rt_fail "cannot write $policy.rota-new"
  if [ -e "$policy" ] || [ -L "$policy" ]; then mv -f -- "$policy" "$policy.rota-kept" || rt_fail "cannot keep $policy"; fi
  mv -f -- "$policy.rota-new" "$policy" || rt_fail "cannot write $policy"
}
`
