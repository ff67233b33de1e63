import { PassThrough, Readable, type Writable } from 'node:stream'
import { problem, RotaError } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Ran, ScriptParams } from '../core/remote.ts'
import { joinScripts, type Script, sh } from '../core/script.ts'
import { composeCli, composeParams } from './compose.ts'
import { findInstallHint } from './missing-program.ts'
import { findDifference, renderScript, replayScript, withScratchDatabase } from './postgres-script.ts'
import { openForward, type Via } from './postgres-via.ts'

/** How a dump was made: pg_dump's custom format, or a SQL script made from the catalogues. */
export type DumpKind = 'pg_dump' | 'sql'

/** A dump in the making: `run` writes it, `prove` reads it back and says in a sentence what that showed. Both throw E_TASK. */
export interface Dump {
  readonly kind: DumpKind
  run(to: Writable): Promise<void>
  prove(from: Readable): Promise<string>
}

/*
 * One of two programs, here or in the container: `dump` writes the archive to stdout; `read` makes pg_restore take in all of
 * the archive on stdin and throw its SQL away; `restore` restores it into a scratch database and drops that.
 */
const local = sh`
in_place() {
  rt_need pg_dump "the host has no pg_dump"
  sh -c "\${pg_work:-}" sh "$p_what" "$p_user" "$p_database" "$p_host" "$p_port" "$p_scratch"
}
`
const inContainer = joinScripts(
  composeCli,
  sh`
in_place() { compose exec -T "$p_service" sh -c "\${pg_work:-}" sh "$p_what" "$p_user" "$p_database" '' '' "$p_scratch"; }
`,
)
const work = sh`
# shellcheck disable=SC2016 # the shell beside pg_dump expands it
pg_work='
  what=$1
  user=\${2:-$POSTGRES_USER}
  database=\${3:-\${POSTGRES_DB:-\${user:-postgres}}}
  host=$4 port=$5 scratch=$6
  set -- -w
  if [ -n "$user" ]; then set -- "$@" -U "$user"; fi
  if [ -n "$host" ]; then set -- "$@" -h "$host"; fi
  if [ -n "$port" ]; then set -- "$@" -p "$port"; fi
  case $what in
    dump) exec pg_dump -Fc "$@" -d "$database" ;;
    read) exec pg_restore -f /dev/null ;;
    restore)
      createdb "$@" --maintenance-db="$database" -T template0 "$scratch" || exit
      pg_restore "$@" --exit-on-error -d "$scratch"
      code=$?
      dropdb "$@" --maintenance-db="$database" "$scratch" || exit
      exit "$code" ;;
  esac
'
in_place
`
const scripts = { psql: joinScripts(local, work), compose: joinScripts(inContainer, work) } as const

function paramsOf(via: Exclude<Via, { kind: 'forward' }>): ScriptParams {
  if (via.kind === 'compose')
    return { ...composeParams(via), service: via.service, user: via.user ?? '', database: via.database ?? '' }
  return { user: via.user ?? '', database: via.database, host: via.host ?? '', port: via.port ?? '' }
}

function check(t: Target, ran: Ran, doing: string): void {
  if (ran.exit === 0) return
  const said = ran.values['problem'] ?? ran.stderr.toString('utf8').trim().split('\n').at(-1) ?? ''
  throw problem('E_TASK', `${doing}: ${t.redactor.clean(said || `exit status ${ran.exit}`)}`, {
    hint:
      findInstallHint(ran.values, said) ??
      'check the login options; without pg_dump on the host use `via: forward` with login_password',
  })
}

function programDump(t: Target, via: Exclude<Via, { kind: 'forward' }>, proof: 'read' | 'restore'): Dump {
  const script: Script = scripts[via.kind]
  const params = { ...paramsOf(via), scratch: `rota_proof_${t.operator.random(8).toString('hex')}` }
  return {
    kind: 'pg_dump',
    async run(to) {
      check(t, await t.pipe(script, { ...params, what: 'dump' }, { stdout: to }), 'pg_dump')
    },
    async prove(from) {
      const ran = await t.pipe(
        script,
        { ...params, what: proof },
        { stdin: from, stdout: new PassThrough().resume() },
      )
      check(t, ran, 'pg_restore')
      return proof === 'read'
        ? 'pg_restore read the whole archive'
        : 'pg_restore restored the whole archive into a scratch database, which was dropped again'
    },
  }
}

function scriptDump(t: Target, via: Extract<Via, { kind: 'forward' }>): Dump {
  const counts = new Map<string, number>()
  const withClient = async <T>(
    to: typeof via,
    use: (client: import('pg').Client) => Promise<T>,
  ): Promise<T> => {
    const client = await openForward(t, to)
    try {
      return await use(client)
    } catch (error) {
      if (error instanceof RotaError) throw error
      const said = t.redactor.clean(error instanceof Error ? error.message : String(error))
      throw problem('E_TASK', `dumping ${to.database}: ${said}`, { cause: error })
    } finally {
      await client.end().catch(() => {})
    }
  }
  return {
    kind: 'sql',
    run: to =>
      withClient(via, async client => {
        const source = Readable.from(renderScript(client, counts))
        await new Promise<void>((resolve, reject) => {
          source.on('error', reject)
          to.on('error', reject).on('finish', resolve)
          source.pipe(to)
        })
      }),
    prove: from =>
      withClient(via, client =>
        withScratchDatabase(client, database =>
          withClient({ ...via, database }, async scratch => {
            await replayScript(scratch, from)
            const difference = await findDifference(scratch, counts)
            if (difference !== undefined) throw problem('E_TASK', `the restored dump differs: ${difference}`)
            const rows = [...counts.values()].reduce((sum, count) => sum + count, 0)
            return `restored into a scratch database, which was dropped again: ${counts.size} tables, ${rows} rows`
          }),
        ),
      ),
  }
}

/** The dump of the database that the via names. A program's dump is proven as `proof` says; a script is always restored. */
export function dumpOf(t: Target, via: Via, proof: 'read' | 'restore'): Dump {
  return via.kind === 'forward' ? scriptDump(t, via) : programDump(t, via, proof)
}
