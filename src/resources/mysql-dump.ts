import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { argvParams } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { readDump, writeDump } from './dump-file.ts'
import { clientParams, clientScripts, type MysqlVia, renderOption } from './mysql-via.ts'

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
    ...argvParams(words),
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
