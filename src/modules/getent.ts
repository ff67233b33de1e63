import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { toValue, type Value } from '../core/value.ts'

const getentScript = sh`
if command -v getent >/dev/null 2>&1; then
  if [ -n "$p_service" ]; then set -- -s "$p_service"; else set --; fi
  if [ -n "$p_key" ]; then getent "$@" -- "$p_database" "$p_key"; else getent "$@" -- "$p_database"; fi
  exit $?
fi
case $p_database in
  passwd|group|shadow|gshadow|hosts|services|protocols|networks) ;;
  *) exit 1 ;;
esac
if [ -n "$p_service" ]; then rt_fail "this host has no getent, so service: cannot be chosen"; fi
[ -r "/etc/$p_database" ] || exit 1
if [ -z "$p_key" ]; then
  cat "/etc/$p_database"
  exit 0
fi
case $p_database in
  passwd|group|shadow|gshadow)
    while IFS= read -r row || [ -n "$row" ]; do
      id=\${row#*:*:}
      if [ "\${row%%:*}" = "$p_key" ] || [ "\${id%%:*}" = "$p_key" ]; then printf '%s\n' "$row"; exit 0; fi
    done <"/etc/$p_database" ;;
  *)
    set -f
    while IFS= read -r row || [ -n "$row" ]; do
      for word in \${row%%#*}; do
        if [ "$word" = "$p_key" ]; then printf '%s\n' "$row"; exit 0; fi
      done
    done <"/etc/$p_database" ;;
esac
exit 2
`

/** getent(1), exit status; the words are Ansible's. */
const failures: Readonly<Record<number, string>> = {
  1: 'Missing arguments, or database unknown.',
  2: 'One or more supplied key could not be found in the database.',
  3: 'Enumeration not supported on this database.',
}
const byColon = new Set(['passwd', 'shadow', 'group', 'gshadow'])

/** Entries by their first field; one that stands there several times has a list of lists. */
function parseEntries(text: string, split: string | undefined): ReadonlyMap<string, Value> {
  const entries = new Map<string, string[][]>()
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', ...fields] = split === undefined ? line.trim().split(/\s+/) : line.split(split)
    entries.set(name, [...(entries.get(name) ?? []), fields])
  }
  return new Map([...entries].map(([name, rows]) => [name, toValue(rows.length === 1 ? rows[0] : rows)]))
}

export const getent = defineAction({
  name: 'getent',
  summary: 'Look up entries of a database of the host: users, groups, hosts, services.',
  notes: ['Where the host has no getent, the files in /etc are read.'],
  reads: true,
  params: {
    database: {
      type: 'string',
      required: true,
      doc: 'As getent takes it: passwd, group, hosts, services, shadow …',
    },
    key: { type: 'string', default: '', doc: 'The entry. Default: all.' },
    split: { type: 'string', doc: 'What stands between fields. Default: `:` for accounts, else blanks.' },
    service: { type: 'string', default: '', doc: 'Only this source of the name service switch.' },
    fail_key: { type: 'bool', default: true, doc: 'Fail when there is no such entry.' },
  },
  returns: {
    ansible_facts: { doc: 'Dict `getent_DATABASE`: entries by name, each a list of fields.' },
  },
  examples: `
- getent: { database: passwd, key: root }
- debug: { var: 'getent_passwd.root[4]' }
`,
  async run(t, { database, key, split, service, fail_key }): Promise<Outcome> {
    const ran = await t.run(getentScript, { database, key, service })
    if (ran.exit === 99) throw problem('E_TASK', t.redactor.clean(ran.stderr.toString().trim()))
    const name = `getent_${database}`
    const fact = (entries: ReadonlyMap<string, Value>): Outcome => {
      const facts = new Map<string, Value>([[name, entries]])
      return { changed: false, facts, values: { ansible_facts: facts } }
    }
    if (ran.exit === 2 && !fail_key) return fact(new Map([[key, null]]))
    const failure = failures[ran.exit]
    if (ran.exit !== 0) return { changed: false, failed: true, msg: failure ?? 'Unexpected failure!' }
    return fact(parseEntries(ran.stdout.toString(), split ?? (byColon.has(database) ? ':' : undefined)))
  },
})
