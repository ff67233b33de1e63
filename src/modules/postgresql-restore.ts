import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { problem } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import type { Ran } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { composeCli, composeParams } from '../resources/compose.ts'
import type { Via } from '../resources/postgres-via.ts'
import { loginParams, viaOf } from './postgresql-login.ts'

// One transaction: a restore that fails half way leaves the database as it was.
const restoreHere = sh`
set -- -d "$p_database"
if [ -n "$p_user" ]; then set -- "$@" -U "$p_user"; fi
if [ -n "$p_host" ]; then set -- "$@" -h "$p_host"; fi
if [ -n "$p_port" ]; then set -- "$@" -p "$p_port"; fi
exec pg_restore -w --clean --if-exists --single-transaction --exit-on-error "$@"
`
const restoreInContainer = joinScripts(
  composeCli,
  sh`
# shellcheck disable=SC2016 # the container's shell expands it
compose exec -T "$p_service" sh -c '
  user=\${1:-\${POSTGRES_USER:-postgres}}
  exec pg_restore -w --clean --if-exists --single-transaction --exit-on-error -U "$user" -d "\${2:-\${POSTGRES_DB:-$user}}"
' sh "$p_user" "$p_database"
`,
)

/** Opens the sealed dump into pg_restore on the target. The plain bytes touch no disk. */
async function restore(t: Target, via: Exclude<Via, { kind: 'forward' }>, src: string): Promise<Ran> {
  const plain = new PassThrough()
  const [script, params] =
    via.kind === 'compose'
      ? [restoreInContainer, { ...composeParams(via), service: via.service }]
      : [restoreHere, { host: via.host ?? '', port: via.port ?? '' }]
  const login = { user: via.user ?? '', database: via.database ?? '' }
  const opened = t.operator.unseal(createReadStream(src), plain).catch((error: Error) => {
    // Destroyed, not ended: half a dump must not look like a whole one.
    plain.destroy(error)
  })
  const ran = await t.pipe(script, { ...params, ...login }, { stdin: plain })
  await opened
  return ran
}

export const postgresqlRestore = defineAction({
  name: 'postgresql_restore',
  summary: 'Restores a database from a dump that postgresql_dump sealed on the operator’s machine.',
  notes: [
    'What was written since the dump is lost. Objects of the dump are dropped and made anew, in one transaction: a restore that fails changes nothing.',
    'Passwords of roles are no part of a dump; set them with postgresql_user afterwards.',
    'Needs pg_restore where psql is: in the compose service or on the host. Stop what writes to the database first.',
  ],
  params: {
    src: {
      type: 'path',
      required: true,
      doc: 'The sealed dump on the operator’s machine, in pg_dump’s custom format.',
    },
    ...loginParams,
  },
  returns: { src: { doc: 'The dump.' } },
  examples: `
- name: Back to the dump of before, losing what was written since
  postgresql_restore:
    src: /home/me/.local/state/rota/runs/20261123T034500Z-k3f9/backup/my.votcloud.com/proxpanel.dump.age
    compose_project_dir: /opt/proxpanel
    compose_files: [infra/deploy/docker-compose.production.yml]
    compose_env_file: .env.production
    compose_service: db
`,
  async run(t, args) {
    const via = viaOf(args)
    if (via.kind === 'forward')
      throw problem('E_PARAMS', 'postgresql_restore: via: forward has no pg_restore', {
        hint: 'use via: psql or via: compose, or open the dump with age and restore it by hand',
      })
    const src = t.operator.find('files', args.src)
    const ran = await restore(t, via, src)
    if (ran.exit === 0) return { changed: true, values: { src } }
    const said = ran.values['problem'] ?? ran.stderr.toString('utf8').trim().split('\n').at(-1) ?? ''
    throw problem('E_TASK', `postgresql_restore: nothing was changed: ${t.redactor.clean(said)}`, {
      hint: 'the dump has to be one of this database, made by pg_dump of the same version or older',
    })
  },
})
