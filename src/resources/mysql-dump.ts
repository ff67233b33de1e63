import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import { clientParams, clientScripts, type MysqlVia, renderOption } from './mysql-via.ts'

/** Defines `pack` and `unpack` by the end of the file's name, and `given WORDS…`, which adds the call's words to a command. */
export const packing = sh`
case $p_target in
  *.gz) packer=gzip ;;
  *.bz2) packer=bzip2 ;;
  *.xz) packer=xz ;;
  *) packer='' ;;
esac
[ -z "$packer" ] || command -v "$packer" >/dev/null 2>&1 || rt_fail "this host has no $packer, which $p_target needs"
pack() { if [ -n "$packer" ]; then "$packer" -c; else cat; fi; }
unpack() { if [ -n "$packer" ]; then "$packer" -dc; else cat; fi; }
given() {
  i=0
  while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
  "$@"
}
`

/** Writes what \`dump\` prints into the file, which is whole or not there. Each program's exit status counts. */
export const writeDump = joinScripts(
  packing,
  sh`
umask 077
temp=$(mktemp "$p_target.XXXXXX") || rt_fail "cannot write to the folder of $p_target"
trap 'rm -f -- "$temp"' EXIT
trap 'exit 130' INT TERM HUP
status=$({ { dump; printf '%s' "$?" >&3; } | pack >"$temp" || printf ' and %s failed' "$packer" >&3; } 3>&1)
[ "$status" = 0 ] || rt_fail "the dump ended with exit status $status"
mv -f -- "$temp" "$p_target" || rt_fail "cannot write $p_target"
`,
)

/** Feeds the file to \`load\`, after what stdin holds. */
export const readDump = joinScripts(
  packing,
  sh`
[ -r "$p_target" ] || rt_fail "there is no file $p_target that can be read"
status=$({ { if [ "$p_first" = 1 ]; then cat; fi; unpack <"$p_target" || printf '%s failed and ' "$packer" >&3; } | {
  load >&2
  printf '%s' "$?" >&3
}; } 3>&1)
[ "$status" = 0 ] || rt_fail "the import ended with exit status $status"
`,
)

const dumpScripts = clientScripts(joinScripts(sh`dump() { given client mysqldump mariadb-dump; }`, writeDump))
const loadScripts = clientScripts(joinScripts(sh`load() { given client mysql mariadb; }`, readDump))

interface Transfer {
  readonly kind: 'dump' | 'import'
  /** File of the target. */
  readonly target: string
  /** Words for the client program. */
  readonly words: readonly string[]
}

/** Dumps databases into a file of the target, or runs the SQL in one. Throws E_TASK. */
export async function transferMysql(
  t: Target,
  via: MysqlVia,
  { kind, target, words }: Transfer,
): Promise<void> {
  const scripts = kind === 'dump' ? dumpScripts : loadScripts
  const params = {
    ...clientParams(via),
    target,
    first: true,
    argc: words.length,
    ...Object.fromEntries(words.map((word, i) => [`arg${i}`, word])),
  }
  const stdin = renderOption(via.passwords[0] ?? null)
  const ran = await t.run(via.compose === null ? scripts.here : scripts.inContainer, params, { stdin })
  if (ran.exit === 0) return
  const said = ran.values['problem'] ?? ran.stderr.toString('utf8').trim()
  throw problem('E_TASK', `mysql_db: ${kind} of ${target}: ${t.redactor.clean(said)}`, {
    hint:
      kind === 'dump'
        ? 'no file was left; check the login and the folder'
        : 'what ran before the error stays: look at the database',
  })
}
