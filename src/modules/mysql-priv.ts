import { problem } from '../core/error.ts'
import { isDict, type Value } from '../core/value.ts'
import { type Grants, splitPrivileges } from '../resources/mysql.ts'
import { renderName } from '../resources/mysql-via.ts'

function refuse(text: string): never {
  throw problem('E_PARAMS', `mysql_user: invalid priv: ${text}`, {
    hint: "write 'panel.*:SELECT,INSERT/logs.*:ALL', or a dict of those",
  })
}

const NAME = '`(?:[^`]|``)*`|[^`.:/]+'
const LEVEL = new RegExp(`^\\s*(?:(PROCEDURE|FUNCTION)\\s+)?(${NAME})\\.(${NAME})\\s*$`, 'i')

/** `panel.*` to `` `panel`.* ``, as SHOW GRANTS writes it. */
function parseLevel(text: string): string {
  const [, kind, database, table] = LEVEL.exec(text) ?? []
  if (database === undefined || table === undefined) return refuse(text)
  const name = (one: string): string => {
    const bare = one.trim()
    if (bare === '*') return '*'
    return renderName(bare.startsWith('`') ? bare.slice(1, -1).replaceAll('``', '`') : bare)
  }
  return `${kind === undefined ? '' : `${kind.toUpperCase()} `}${name(database)}.${name(table)}`
}

const WORD = /^[A-Z][A-Z_ ]*(?: ?\(.*\))?$/s
const other: Readonly<Record<string, string>> = { ALL: 'ALL PRIVILEGES', GRANT: 'GRANT OPTION' }

function parsePrivileges(text: string): readonly string[] {
  const words = splitPrivileges(text).map(word => other[word] ?? word)
  for (const word of words) if (!WORD.test(word) || /[;'"\\]/.test(word)) refuse(text)
  return [...new Set(words.filter(word => word !== 'USAGE'))].sort()
}

/** Splits at slashes and colons that are in no backquotes. */
function split(text: string, at: '/' | ':'): readonly string[] {
  return text.match(new RegExp(`(?:[^\`${at}]|\`(?:[^\`]|\`\`)*\`)+`, 'g')) ?? []
}

/** Ansible's `db.table:priv1,priv2/db2.*:ALL`, or a dict of level to privileges. Throws E_PARAMS. */
export function parsePriv(priv: Value): Grants {
  const pairs = isDict(priv)
    ? [...priv].map(([level, privileges]) => [String(level), privileges] as const)
    : typeof priv === 'string'
      ? split(priv, '/').map(part => {
          const [level = '', privileges, ...rest] = split(part, ':')
          if (privileges === undefined || rest.length > 0) refuse(part)
          return [level, privileges] as const
        })
      : refuse(String(priv))
  const grants = pairs.map(([level, privileges]) => {
    if (typeof privileges !== 'string') refuse(level)
    return [parseLevel(level), parsePrivileges(privileges)] as const
  })
  return Object.fromEntries(grants)
}

/** MariaDB has had another name for it since 10.5. */
const renamed: Readonly<Record<string, string>> = { 'REPLICATION CLIENT': 'BINLOG MONITOR' }

interface Wanted {
  readonly priv: Grants
  readonly how: 'replace' | 'append' | 'subtract'
  readonly server: 'mariadb' | 'mysql'
}

/** The privileges that an account is to have. Without one on a level it has none there. */
export function wantGrants({ priv, how, server }: Wanted, before: Grants): Grants {
  const wanted = Object.entries(priv).map(([level, list]) => {
    const named = server === 'mariadb' ? list.map(one => renamed[one] ?? one) : list
    const has = before[level] ?? []
    if (how === 'subtract')
      return [level, named.includes('ALL PRIVILEGES') ? [] : has.filter(one => !named.includes(one))] as const
    return [level, collapse(how === 'append' ? [...has, ...named] : named)] as const
  })
  const kept = how === 'replace' ? {} : before
  const all: Grants = { ...kept, ...Object.fromEntries(wanted) }
  const there = Object.entries(all).filter(([, list]) => list.length > 0)
  return Object.fromEntries(there.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** With all of them none is named; sorted, each once. */
function collapse(list: readonly string[]): readonly string[] {
  const isAll = list.includes('ALL PRIVILEGES')
  return [
    ...new Set(isAll ? list.filter(one => one === 'ALL PRIVILEGES' || one === 'GRANT OPTION') : list),
  ].sort()
}
