import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { argvParams } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { composeCli, composeParams } from './compose.ts'
import { readDump, writeDump } from './dump-file.ts'
import type { Via } from './postgres-via.ts'

/** Defines `program NAME WORDS…`, which runs a client program of PostgreSQL's with the way in that the parameters describe. */
const here = sh`
program() {
  name=$1
  shift
  command -v "$name" >/dev/null 2>&1 || { printf '%s\n' "this host has no $name" >&2; return 90; }
  if [ -n "$p_port" ]; then set -- -p "$p_port" "$@"; fi
  if [ -n "$p_host" ]; then set -- -h "$p_host" "$@"; fi
  if [ -n "$p_user" ]; then set -- -U "$p_user" "$@"; fi
  "$name" -w "$@"
}
`
const inContainer = joinScripts(
  composeCli,
  sh`
program() {
  # shellcheck disable=SC2016 # the container's shell expands it
  compose exec -T "$p_service" sh -c '
    user=\${1:-\${POSTGRES_USER:-postgres}} name=$2
    shift 2
    exec "$name" -w -U "$user" "$@"' sh "$p_user" "$@"
}
`,
)
const dump = sh`dump() { given program pg_dump </dev/null; }`
const load = sh`load() { given program "$p_program"; }`
const scripts = {
  psql: { dump: joinScripts(here, dump, writeDump), restore: joinScripts(here, load, readDump) },
  compose: {
    dump: joinScripts(inContainer, dump, writeDump),
    restore: joinScripts(inContainer, load, readDump),
  },
} as const

interface Transfer {
  readonly kind: 'dump' | 'restore'
  readonly database: string
  /** File of the target. */
  readonly target: string
  /** More words for the program; no secrets. */
  readonly words: readonly string[]
}

/** `.tar` and `.pgc` are formats of pg_dump's own; what else there is, is SQL. */
function formatOf(target: string): 'plain' | 'tar' | 'custom' {
  if (target.endsWith('.tar')) return 'tar'
  return target.endsWith('.pgc') ? 'custom' : 'plain'
}

/** Dumps a database into a file of the target, or restores it from one, with the programs beside the server. Throws E_PARAMS, E_TASK. */
export async function transferPostgres(t: Target, via: Via, transfer: Transfer): Promise<void> {
  const { kind, database, target } = transfer
  if (via.kind === 'forward')
    throw problem(
      'E_PARAMS',
      `postgresql_db: state ${kind} needs the programs of PostgreSQL on the host or in the service`,
      {
        hint: 'use via: psql or via: compose without a password; or postgresql_dump, which needs none',
      },
    )
  const format = formatOf(target)
  const program = format === 'plain' ? 'psql' : 'pg_restore'
  const own =
    kind === 'dump'
      ? [`--format=${format}`]
      : format === 'plain'
        ? ['-X', '-q', '-v', 'ON_ERROR_STOP=1']
        : ['--exit-on-error']
  const words = [...own, ...transfer.words, '-d', database]
  const params = {
    ...(via.kind === 'compose'
      ? { ...composeParams(via), service: via.service }
      : { host: via.host ?? '', port: via.port ?? '' }),
    user: via.user ?? '',
    program,
    target,
    first: false,
    ...argvParams(words),
  }
  const ran = await t.run(scripts[via.kind][kind], params)
  if (ran.exit === 0) return
  const said = ran.values['problem'] ?? ran.stderr.toString('utf8').trim()
  throw problem('E_TASK', `postgresql_db: ${kind} of ${target}: ${t.redactor.clean(said)}`, {
    hint:
      kind === 'dump'
        ? 'no file was left; check the login and the folder'
        : 'what ran before the error may stay: look at the database',
  })
}
