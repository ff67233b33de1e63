import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import { Template } from '../../src/core/value.ts'
import type { Inventory } from '../../src/core/vars.ts'
import { parseHostEntry } from '../../src/inventory/host-range.ts'
import { loadInventory } from '../../src/inventory/inventory.ts'
import { selectHosts, splitPattern } from '../../src/inventory/pattern.ts'
import { explain, scopeOf } from '../../src/vars/scope.ts'

const root = mkdtempSync(join(tmpdir(), 'rota-inv-'))
afterAll(() => rmSync(root, { recursive: true }))
let count = 0
/** Writes files into a folder of their own. */
function folder(files: Record<string, string>): string {
  const at = join(root, String(count++))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true })
    writeFileSync(join(at, name), text)
    if (text.startsWith('#!')) chmodSync(join(at, name), 0o755)
  }
  return at
}
const ini = (text: string): Promise<Inventory> => loadInventory([join(folder({ hosts: text }), 'hosts')])
async function problemsOf(run: () => unknown): Promise<string[]> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    return error.problems.map(p => {
      const place = p.at ? `${p.at.line}:${p.at.col} ` : ''
      return `${place}${p.code} ${p.message.replaceAll(/\/\S*\//g, '')} (${p.hint?.replaceAll(/\/\S*\//g, '')})`
    })
  }
  return []
}

describe('a broken inventory', () => {
  it.each<[string, string, string[]]>([
    [
      'hosts',
      '[web]\nweb1 ansible_host\n',
      ['2:6 E_INVENTORY ansible_host is no variable (write NAME=VALUE; quote a value that holds spaces)'],
    ],
    ['hosts', '[web\nweb1\n', ['1:1 E_INVENTORY [web is no section (write [group])']],
    ['hosts', '[web:var]\nx=1\n', ['1:1 E_INVENTORY there is no section [web:var] (write [web:vars])']],
    [
      'hosts',
      '[web]\nweb1\n[wbe:vars]\nx=1\n',
      ['3:1 E_INVENTORY [wbe:vars] is for a group that does not exist (did you mean web?)'],
    ],
    [
      'hosts',
      '[web]\nweb1\n[all:children]\nwebs\n',
      ['4:1 E_INVENTORY all has a child webs that does not exist (did you mean web?)'],
    ],
    [
      'hosts',
      '[a:children]\nb\n[b:children]\na\n',
      ['4:1 E_INVENTORY a cannot be a child of b: it is above it (remove one of the two)'],
    ],
    ['hosts', '[a]\nh\n[a:vars]\njust words\n', ['4:1 E_INVENTORY this is no variable (write NAME=VALUE)']],
    ['hosts', 'h x="1\n', ['1:1 E_INVENTORY a quote is not closed (close it)']],
    ['hosts', 'web[5:1]\n', ['1:1 E_INVENTORY [5:1] runs backwards (write [1:9], [01:20:2] or [a:f])']],
    [
      'hosts',
      'web[01:100]\n',
      ['1:1 E_INVENTORY [01:100]: both ends need the same width (write [1:9], [01:20:2] or [a:f])'],
    ],
    [
      'hosts',
      'web[1:999999999]\n',
      ['1:1 E_INVENTORY [1:999999999] is more than 100000 hosts (write [1:9], [01:20:2] or [a:f])'],
    ],
    [
      'hosts',
      'web:ssh\n',
      ['1:1 E_INVENTORY web:ssh is no host: what follows the colon is no port (write host:22)'],
    ],
    [
      'hosts.yml',
      'web:\n  host:\n    web1:\n',
      ['2:3 E_INVENTORY a group has no host (did you mean hosts?)'],
    ],
    [
      'hosts.yml',
      'web:\n  hosts: [web1]\n',
      ['2:10 E_INVENTORY hosts must be a mapping, not a list (end each name with a colon)'],
    ],
    [
      'hosts.yml',
      '- web1\n',
      ['1:1 E_INVENTORY an inventory is a mapping of groups, and this is a list (begin with `all:`)'],
    ],
    [
      'hosts.yml',
      'all:\n  hosts:\n    web1: 5\n',
      [
        '3:5 E_INVENTORY web1 must be a mapping of variables, not the number 5 (write web1: with variables below, or nothing)',
      ],
    ],
    [
      'hosts.yml',
      'plugin: aws_ec2\n',
      [
        '1:1 E_INVENTORY rota has no inventory plugin aws_ec2 (save what the plugin finds: ansible-inventory --list --yaml --export)',
      ],
    ],
    [
      'hosts.yml',
      'a:\n  children:\n    b:\n      children:\n        a:\n',
      ['5:9 E_INVENTORY a cannot be a child of b: it is above it (remove one of the two)'],
    ],
    [
      'hosts.yml',
      'web:\n  hosts:\n web1:\n',
      ['3:2 E_YAML the indentation does not fit (line it up with the lines before)'],
    ],
    [
      'hosts.toml',
      '[web]\nnothing = 1\n[db]\nchildren = ["web"]\n[web.children.db]\n',
      [
        '1:1 E_INVENTORY a group has no nothing (known are: children, hosts, vars)',
        '1:1 E_INVENTORY web cannot be a child of db: it is above it (remove one of the two)',
      ],
    ],
    [
      'inv',
      '#!/bin/sh\necho nothing\n',
      ['E_INVENTORY the inventory script inv: --list printed no JSON (run it yourself: inv --list)'],
    ],
    [
      'inv',
      '#!/bin/sh\nexit 3\n',
      ['E_INVENTORY the inventory script inv: --list ended with 3 (run it yourself: inv --list)'],
    ],
    [
      'inv',
      '#!/bin/sh\necho \'{"web": {"hosts": "web1"}}\'\n',
      [
        'E_INVENTORY the inventory script inv: hosts and children of web must be lists of names (run it yourself: inv --list)',
      ],
    ],
  ])('%s %j', async (name, text, wanted) => {
    expect(await problemsOf(() => loadInventory([join(folder({ [name]: text }), name)]))).toEqual(wanted)
  })
  it('that does not exist', async () => {
    expect(await problemsOf(() => loadInventory([join(root, 'none')]))).toEqual([
      'E_FILE cannot read none: there is no such file (check the path; it is taken from the current folder)',
    ])
  })
})

describe('sources', () => {
  it('may be a list, a folder and a script, and add up', async () => {
    const at = folder({
      'inv/a': '[web]\nweb1 x=1\n',
      'inv/b.yml': 'db:\n  hosts:\n    db1:\nweb:\n  hosts:\n    web1: { x: 2 }\n',
      'inv/c.bak': '[broken\n',
      'inv/.hidden': '[broken\n',
      'inv/group_vars/web.yml': 'y: 1\n',
      'inv/script': `#!/bin/sh
case "$1" in
  --list) echo '{"app": ["app1"], "top": {"children": ["app"], "vars": {"t": "{{ raw }}"}}}' ;;
  --host) echo "{\\"name\\": \\"$2\\"}" ;;
esac
`,
    })
    const inventory = await loadInventory([join(at, 'inv'), 'extra1,extra2:2222,'])
    expect([...inventory.hosts.keys()].sort()).toEqual(['app1', 'db1', 'extra1', 'extra2', 'web1'])
    const vars = (host: string): unknown => {
      const scope = scopeOf(inventory.hosts.get(host)!.layers)
      return Object.fromEntries([...scope.names()].sort().map(name => [name, scope.get(name)]))
    }
    expect(vars('web1')).toEqual({ x: 2, y: 1 })
    expect(vars('app1')).toEqual({ name: 'app1', t: '{{ raw }}' })
    expect(vars('extra2')).toEqual({ ansible_port: 2222 })
    expect(inventory.hosts.get('app1')?.groups).toEqual(['top', 'app'])
    expect(inventory.groups.get('ungrouped')?.hosts).toEqual(['extra1', 'extra2'])
  })
  it('may have their groups renamed; two that then have one name are one', async () => {
    const at = folder({ hosts: '[a-b]\nx\n[a_b]\ny\n[up:children]\na-b\n[a-b:vars]\nv=1\n' })
    const nameGroup = (name: string): string => name.replace('-', '_')
    const { groups, hosts } = await loadInventory([join(at, 'hosts')], { nameGroup })
    expect([...groups.keys()].sort()).toEqual(['a_b', 'all', 'ungrouped', 'up'])
    expect(groups.get('a_b')!.hosts).toEqual(['x', 'y'])
    expect(groups.get('up')!.children).toEqual(['a_b'])
    expect(scopeOf(hosts.get('y')!.layers).get('v')).toBe(1)
  })
  it('asks a script with _meta only once', async () => {
    const script = `#!/bin/sh
[ "$1" = --list ] || exit 9
echo '{"_meta": {"hostvars": {"a": {"x": 1}}}, "g": {"hosts": ["a", "b"]}}'
`
    const inventory = await loadInventory([join(folder({ script }), 'script')])
    expect(inventory.hosts.get('a')?.layers.map(layer => [...layer.values])).toEqual([[['x', 1]]])
  })
  it('keep braces of files as templates with their place', async () => {
    const inventory = await ini('[g]\nh a="{{ b }}"\n')
    const value = inventory.hosts.get('h')?.layers[0]?.values.get('a')
    expect(value).toBeInstanceOf(Template)
    expect((value as Template).at).toMatchObject({ line: 2, col: 3 })
  })
  it('give localhost what all hosts have, when none names it', async () => {
    const at = folder({
      hosts: '[all:vars]\na=1\n[g]\nh\n',
      'group_vars/all': 'b: 2\n',
      'host_vars/localhost.yml': 'c: 3\n',
    })
    const inventory = await loadInventory([join(at, 'hosts')])
    const scope = scopeOf(inventory.localhost!.layers)
    expect(['a', 'b', 'c'].map(name => scope.get(name))).toEqual([1, 2, 3])
    expect(inventory.hosts.has('localhost')).toBe(false)
  })
})

describe('precedence', () => {
  it('is explained, with every definition and its place', async () => {
    const at = folder({
      'inv/hosts': '[web]\nh v=host\n[web:vars]\nv=group\n[all:vars]\nv=all\n',
      'inv/group_vars/all.yml': 'v: inventory group_vars/all\n',
      'inv/host_vars/h.yml': 'v: inventory host_vars\n',
      'play/group_vars/all/main.yml': 'v: playbook group_vars/all\n',
      'play/group_vars/web.yml': '\nv: playbook group_vars/web\n',
    })
    const inventory = await loadInventory([join(at, 'inv/hosts')], { playbookFolders: [join(at, 'play')] })
    const found = explain('v', inventory.hosts.get('h')!.layers)
    expect(found.map(d => [d.rank, d.value, d.at?.line, d.wins])).toEqual([
      ['inventory host_vars/*', 'inventory host_vars', 1, true],
      ['inventory file host vars', 'host', 2, false],
      ['playbook group_vars/*', 'playbook group_vars/web', 2, false],
      ['playbook group_vars/all', 'playbook group_vars/all', 1, false],
      ['inventory group_vars/all', 'inventory group_vars/all', 1, false],
      ['inventory file group vars', 'group', 4, false],
      ['inventory file group vars', 'all', 6, false],
    ])
    expect(explain('none', inventory.hosts.get('h')!.layers)).toEqual([])
  })
})

describe('selectHosts', () => {
  const text = '[web]\nweb[1:5]\n[db]\ndb1\ndb2\n'
  it.each<[string, string | undefined, string]>([
    ['wbe', undefined, 'E_HOSTS there is no host and no group wbe (did you mean web?)'],
    ['all:!dbb', undefined, 'E_HOSTS there is no host and no group dbb (did you mean db?)'],
    [
      'web:&nothing_like_it',
      undefined,
      'E_HOSTS there is no host and no group nothing_like_it (rota inventory --graph shows what there is (with the same -i))',
    ],
    [
      'web[9]',
      undefined,
      'E_HOSTS web[9] does not exist: web has 5 hosts (the first host is [0], the last is [-1])',
    ],
    ['~web(', undefined, 'E_HOSTS ~web( is no regular expression (check its brackets)'],
    [
      'all',
      '@nowhere',
      'E_FILE cannot read nowhere: there is no such file (check the path; it is taken from the current folder)',
    ],
    ['all', 'wob1', 'E_HOSTS there is no host and no group wob1 (did you mean web1?)'],
  ])('%s limited to %s is refused', async (pattern, limit, wanted) => {
    const inventory = await ini(text)
    expect(await problemsOf(() => selectHosts(inventory, pattern, limit))).toEqual([wanted])
  })
  it('limits, also by a file', async () => {
    const inventory = await ini(text)
    const file = join(folder({ retry: 'web2\n\n# no\ndb2\n' }), 'retry')
    expect(selectHosts(inventory, 'all', `@${file}`)).toEqual(['web2', 'db2'])
    expect(selectHosts(inventory, 'web', 'web[0:1]')).toEqual(['web1', 'web2'])
    expect(selectHosts(inventory, 'web', 'db')).toEqual([])
    expect(selectHosts(inventory, 'nothing*')).toEqual([])
  })
  it('knows localhost without an inventory', async () => {
    const inventory = await loadInventory([])
    expect(selectHosts(inventory, 'localhost')).toEqual(['localhost'])
    expect(selectHosts(inventory, 'all')).toEqual([])
  })
  it('keeps IPv6 addresses whole', () => {
    expect(splitPattern('web:!2001:db8::1, fe80::1')).toEqual(['web', '!2001', 'db8', '1', 'fe80::1'])
    expect(splitPattern('!2001:db8::1,web[0:2]:db')).toEqual(['!2001:db8::1', 'web[0:2]', 'db'])
  })
  it('unions, intersections and exclusions are set operations, in any order', async () => {
    const inventory = await ini(text)
    const name = fc.constantFrom('web', 'db', 'web1', 'db2', 'all', 'web[1:2]', '*2', '~db')
    const part = fc.record({ sign: fc.constantFrom('', '&', '!'), name })
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(':', ','),
        (parts, separator) => {
          const hostsOf = (name: string): readonly string[] => selectHosts(inventory, name)
          const unions = parts.filter(({ sign }) => sign === '')
          const wanted = (unions.length > 0 ? unions : [{ name: 'all' }])
            .flatMap(({ name }) => hostsOf(name))
            .filter(host => parts.every(({ sign, name }) => sign !== '&' || hostsOf(name).includes(host)))
            .filter(host => parts.every(({ sign, name }) => sign !== '!' || !hostsOf(name).includes(host)))
          const got = selectHosts(inventory, parts.map(({ sign, name }) => sign + name).join(separator))
          expect([...got].sort()).toEqual([...new Set(wanted)].sort())
        },
      ),
    )
  })
})

describe('ranges', () => {
  it('count as they say', () => {
    fc.assert(
      fc.property(
        fc.nat(300),
        fc.nat(300),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (a, b, step, isPadded) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)]
          const show = (n: number): string => (isPadded ? String(n).padStart(4, '0') : String(n))
          const { names } = parseHostEntry(`h[${show(from)}:${show(to)}:${step}].x`, undefined)
          const wanted = Array.from(
            { length: Math.floor((to - from) / step) + 1 },
            (_, i) => `h${show(from + i * step)}.x`,
          )
          expect(names).toEqual(wanted)
        },
      ),
    )
  })
  it.each([
    ['a', { names: ['a'] }],
    ['a:22', { names: ['a'], port: 22 }],
    ['10.0.0.1:22', { names: ['10.0.0.1'], port: 22 }],
    ['[2001:db8::1]:22', { names: ['2001:db8::1'], port: 22 }],
    ['2001:db8::1', { names: ['2001:db8::1'] }],
    ['w[1:2]-[a:b]:2222', { names: ['w1-a', 'w1-b', 'w2-a', 'w2-b'], port: 2222 }],
    ['w[:2]', { names: ['w0', 'w1', 'w2'] }],
  ])('%s', (text, wanted) => expect(parseHostEntry(text, undefined)).toEqual(wanted))
})
