import { defineAction } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { toValue, type Value } from '../core/value.ts'
import { accept } from '../resources/file.ts'

const listScript = sh`
has() { command -v "$1" >/dev/null 2>&1; }
for one in $p_managers; do
  case $one in
    apt) if has dpkg-query; then found=apt; dpkg-query -W -f '\${db:Status-Status}|apt|\${Package}|\${Version}||\${Architecture}|\n' | sed -n 's/^installed|//p'; fi ;;
    rpm) if has rpm; then found=rpm; rpm -qa --qf 'rpm|%{NAME}|%{VERSION}|%{RELEASE}|%{ARCH}|%{EPOCH}\n'; fi ;;
    apk) if has apk; then found=apk; apk info -v 2>/dev/null | sed 's/^\(.*\)-\([^-]*\)-\(r[0-9]*\)$/apk|\1|\2-\3|||/'; fi ;;
  esac
  if [ -n "$found" ] && [ "$p_all" != 1 ]; then break; fi
done
[ -n "$found" ] || rt_fail "this host has no package manager that is known: apt, rpm or apk"
exit 0
`

interface Package {
  readonly name: string
  readonly version: string
  readonly source: string
}

function parseRow(row: string): Package {
  const [source = '', name = '', version = '', release, arch, epoch] = row.split('|')
  const told = (key: string, value: string | undefined) => (value ? { [key]: value } : {})
  return {
    name,
    version,
    ...told('release', release),
    ...told('arch', arch),
    ...(source === 'rpm' ? { epoch: /^\d+$/.test(epoch ?? '') ? Number(epoch) : null } : {}),
    source,
  }
}

export const packageFacts = defineAction({
  name: 'package_facts',
  summary: 'Tell which packages the host has, as facts.',
  reads: true,
  params: {
    manager: { type: 'list', default: ['auto'], doc: '`apt`, `rpm`, `apk`; `auto`: these in this order.' },
    strategy: {
      type: 'string',
      choices: ['first', 'all'],
      default: 'first',
      doc: 'Ask the first package manager that the host has, or all.',
    },
  },
  returns: {
    ansible_facts: {
      doc: 'Dict `packages`: by name, each a list of dicts with name, version, source and, where there is one, release, epoch and arch.',
    },
  },
  examples: `
- package_facts:
- debug: { msg: "{{ ansible_facts.packages['openssl'][0].version }}" }
`,
  async run(t, { manager, strategy }) {
    const managers = manager.flatMap(one => (one === 'auto' ? ['apt', 'rpm', 'apk'] : [one]))
    const ran = accept(t, await t.run(listScript, { managers: managers.join(' '), all: strategy === 'all' }))
    const packages: Record<string, Package[]> = {}
    for (const row of ran.stdout
      .toString()
      .split('\n')
      .filter(line => line !== '')) {
      const one = parseRow(row)
      packages[one.name] = [...(packages[one.name] ?? []), one]
    }
    const facts = new Map<string, Value>([['packages', toValue(packages)]])
    return { changed: false, facts, values: { ansible_facts: facts } }
  },
})
