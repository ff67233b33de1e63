import type { Target } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import type { Secret } from '../core/secret.ts'
import { composeCli, composeParams } from './compose.ts'
import { connect, sqlstateOf, type Via } from './postgres-via.ts'

/** What a server makes of a role's password. `unclear`: it said nothing about it (no connection, starting up, too many clients). */
export type Answer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused' | 'unclear'; readonly why: string }

/** SQLSTATE class 28, invalid authorization: the password is wrong, or the role may not log in this way. All else may pass. */
const ABOUT_CREDENTIAL = new Set(['28P01', '28000'])
const alive = sh`:`

/** One fresh connection with this password. Throws E_UNREACHABLE or E_UNKNOWN when it is the host that does not answer. */
export async function tryLogin(
  t: Target,
  via: Extract<Via, { kind: 'forward' }>,
  password: Secret,
): Promise<Answer> {
  try {
    const client = await connect(t, via, password)
    await client.end().catch(() => {})
    return { kind: 'accepted' }
  } catch (error) {
    const sqlstate = sqlstateOf(error)
    const said = t.redactor.clean(error instanceof Error ? error.message : String(error))
    if (sqlstate !== undefined && ABOUT_CREDENTIAL.has(sqlstate))
      return { kind: 'refused', why: `${said} (SQLSTATE ${sqlstate})` }
    await t.run(alive)
    return { kind: 'unclear', why: sqlstate === undefined ? said : `${said} (SQLSTATE ${sqlstate})` }
  }
}

const addressScript = joinScripts(composeCli, sh`compose exec -T "$p_service" hostname -i </dev/null`)

/** The address of a service's container, which the usual image's trust rules for its socket and 127.0.0.1 do not cover. */
export async function readServiceAddress(
  t: Target,
  via: Extract<Via, { kind: 'compose' }>,
): Promise<string | undefined> {
  const ran = await t.run(addressScript, { ...composeParams(via), service: via.service })
  return ran.exit === 0 ? ran.stdout.toString('utf8').trim().split(/\s+/)[0] || undefined : undefined
}
