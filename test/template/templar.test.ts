// What the rest of rota relies on: laziness, places of errors, omit, files, lookups.
import { mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { DICT, OMIT, type Scope, Template, type Value } from '../../src/core/value.ts'
import { here, scopeOf, templar } from './engine.ts'

const template = (text: string, line = 1, col = 1): Template =>
  new Template(text, { file: 'play.yml', line, col })
const evaluate = (source: string, vars: Record<string, unknown> = {}): Value =>
  templar.evaluate(template(source), scopeOf(vars))
const render = (source: string, vars: Record<string, unknown> = {}): Value =>
  templar.render(template(source), scopeOf(vars))
function failure(run: () => unknown): RotaError {
  try {
    run()
  } catch (error) {
    if (error instanceof RotaError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('laziness', () => {
  it('asks the scope only for the names that are used', () => {
    const asked: string[] = []
    const values: Record<string, Value> = { a: template('{{ b }}'), b: 1, c: template('{{ nope }}') }
    const scope: Scope = {
      get: name => {
        asked.push(name)
        return values[name]
      },
      names: () => Object.keys(values),
    }
    expect(templar.render(template('{{ a }}{{ a }}'), scope)).toBe('11')
    expect(asked).toEqual(['a', 'b'])
  })
  it('never enumerates hostvars, nor a host in it that is not asked for', () => {
    const host = (ip: string): Value =>
      ({
        [DICT]: true,
        get: (key: string) => (key === 'ip' ? template(`{{ '${ip}' }}`) : undefined),
        has: (key: string) => key === 'ip',
        get size(): number {
          throw new Error('enumerated')
        },
        keys: () => {
          throw new Error('enumerated')
        },
        [Symbol.iterator]: () => {
          throw new Error('enumerated')
        },
      }) as never
    const hostvars = {
      [DICT]: true,
      get: (key: string) => (key === 'web1' ? host('10.0.0.1') : undefined),
      has: (key: string) => key === 'web1',
      keys: () => {
        throw new Error('enumerated')
      },
    } as never
    const scope: Scope = {
      get: name => (name === 'hostvars' ? hostvars : undefined),
      names: () => ['hostvars'],
    }
    const get = (source: string): Value => templar.evaluate(template(source), scope)
    expect(get("hostvars['web1'].ip")).toBe('10.0.0.1')
    expect(get("hostvars.web1['ip']")).toBe('10.0.0.1')
    expect(get("hostvars.web2 is defined or 'web2' in hostvars")).toBe(false)
    expect(get("['web1'] | map('extract', hostvars, 'ip') | first")).toBe('10.0.0.1')
    expect(get("hostvars.web2.ip | default('none')")).toBe('none')
  })
  it('renders deeply, keeps types and drops omit', () => {
    const value = new Map<Value, Value>([
      ['n', template('{{ n + 1 }}')],
      ['gone', template('{{ nope | default(omit) }}')],
      ['l', [template('{{ omit }}'), template('{{ l }}'), 'x{{ raw }}']],
      [template('{{ k }}') as Value, 1],
    ])
    expect(templar.render(value, scopeOf({ n: 1, l: [1, 2], k: 'key' }))).toEqual(
      new Map<unknown, unknown>([
        ['n', 2],
        ['l', [[1, 2], 'x{{ raw }}']],
        ['key', 1],
      ]),
    )
    expect(render('{{ omit }}')).toBe(OMIT)
    const secret = new Secret('abcd', 'S')
    expect(templar.render(secret, scopeOf({}))).toBe(secret)
  })
})

describe('errors', () => {
  it('name what is undefined, stand where it is used, and suggest a close name', () => {
    const error = failure(() =>
      templar.evaluate(template('nginx_prot + 1', 7, 12), scopeOf({ nginx_port: 80 })),
    )
    expect(error.code).toBe('E_UNDEFINED')
    expect(error.message).toBe("'nginx_prot' is undefined")
    expect(error.at).toEqual({ file: 'play.yml', line: 7, col: 12 })
    expect(error.hint).toBe("did you mean 'nginx_port'?")
    expect(failure(() => evaluate('zzz')).hint).toContain('default(')
    expect(failure(() => evaluate('d.nginx_prot', { d: {}, nginx_port: 1 })).hint).toContain('default(')
  })
  it('stand at the line within a long template, and in the variable that is at fault', () => {
    expect(failure(() => templar.render(template('a\nb\n{{ 1 / 0 }}', 4, 9), scopeOf({}))).at).toEqual({
      file: 'play.yml',
      line: 6,
      col: 1,
    })
    const inner = new Template('{{ nope.x }}', { file: 'vars.yml', line: 3, col: 5 })
    const scope: Scope = { get: name => (name === 'a' ? inner : undefined), names: () => ['a'] }
    expect(failure(() => templar.render(template('{{ a }}', 9), scope)).at?.file).toBe('vars.yml')
    expect(templar.render(template("{{ a | default('d') }}", 9), scope)).toBe('d')
  })
  it('stand in the included file, and count the header of a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-include-'))
    mkdirSync(join(folder, 'templates'))
    writeFileSync(join(folder, 'templates', 'part.j2'), 'one\n{{ nope }}\n')
    const vars = { role_path: folder }
    const error = failure(() => templar.renderFile("x\n{% include 'part.j2' %}", '/r/main.j2', scopeOf(vars)))
    expect(error.at).toEqual({ file: join(folder, 'templates', 'part.j2'), line: 2, col: 1 })
    expect(
      failure(() => templar.renderFile('#jinja2: trim_blocks: False\n\n{{ nope }}', 'h.j2', scopeOf({}))).at
        ?.line,
    ).toBe(3)
    expect(failure(() => templar.renderFile('a\n{{ 1 + }}', 's.j2', scopeOf({}))).at).toMatchObject({
      file: 's.j2',
      line: 2,
    })
    const missing = failure(() => templar.renderFile("{% include 'no.j2' %}", '/r/main.j2', scopeOf(vars)))
    expect(missing.message).toContain(`there is no template 'no.j2' (looked in /r, ${folder}`)
  })
  it('refuse by name what there is not', () => {
    expect(failure(() => evaluate("'x' | nofilter('k')")).message).toBe("No filter named 'nofilter'.")
    expect(failure(() => evaluate("lookup('nolookup', 'http://x')")).message).toBe(
      "there is no lookup 'nolookup'",
    )
    expect(failure(() => evaluate('x is sane', { x: 1 })).message).toBe("No test named 'sane'.")
    expect(failure(() => evaluate("'a' is match('(?i:a)')")).message).toContain("'(?i' is not supported")
    expect(evaluate("['٣' is match('\\\\d'), '٣' is match('(?a)\\\\d')]")).toEqual([true, false])
    expect(
      failure(() => templar.renderFile('#jinja2: autoescape: True\n', 'x.j2', scopeOf({}))).message,
    ).toContain('autoescape')
    expect(evaluate("['x', omit] | join")).toBe('x__omit_place_holder__')
    expect(evaluate("'%r' | format(nothing)")).toBe(
      "AnsibleUndefined(hint=None, obj=missing, name='nothing')",
    )
    expect(failure(() => evaluate('range')).message).toContain("the function 'range'")
  })
})

describe('lookups', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-lookup-'))
  for (const kind of ['files', 'templates']) mkdirSync(join(folder, kind))
  writeFileSync(join(folder, 'files', 'a.txt'), '  text \n\n')
  writeFileSync(join(folder, 'files', 'b.txt'), 'b')
  writeFileSync(join(folder, 'files', 'x.csv'), 'k1,"v ""1""",z\nk2,v2,z2\n')
  writeFileSync(join(folder, 'files', 'x.ini'), '[one]\nKey = value\nlist: a\n  b\n[two]\nkey=2\n')
  writeFileSync(join(folder, 'files', 'x.properties'), '# c\nuser.name=Joe\n')
  writeFileSync(join(folder, 'templates', 't.j2'), '[{{ n }}, 2]\n')
  writeFileSync(join(folder, 'templates', 'u.j2'), 'n={{ n }} {{ extra | default("-") }}\n')
  const vars = { ansible_search_path: [folder], playbook_dir: folder, n: 1 }
  const look = (source: string): Value => evaluate(source, vars)

  it('find files as Ansible does', () => {
    expect(look("lookup('file', 'a.txt')")).toBe('  text')
    expect(look("lookup('file', 'a.txt', rstrip=false, lstrip=true)")).toBe('text \n\n')
    expect(look("query('fileglob', '*.txt')")).toEqual([
      join(folder, 'files/a.txt'),
      join(folder, 'files/b.txt'),
    ])
    expect(look("lookup('first_found', ['no', 'b.txt'])")).toBe(join(folder, 'files/b.txt'))
    expect(look("lookup('template', 't.j2')")).toEqual([1, 2])
    expect(look("lookup('template', 't.j2', convert_data=false)")).toBe('[1, 2]\n')
    expect(look("lookup('template', 'u.j2', template_vars={'extra': 'x'})")).toBe('n=1 x\n')
    expect(failure(() => look("lookup('file', 'no.txt')")).message).toContain(join(folder, 'files'))
  })
  it('read tables and settings', () => {
    expect(look("lookup('csvfile', 'k1 file=x.csv delimiter=,')")).toBe('v "1"')
    expect(look("lookup('csvfile', 'k2', file='x.csv', delimiter=',', col='2')")).toBe('z2')
    expect(look("lookup('csvfile', 'k3', file='x.csv', delimiter=',', default='d')")).toBe('d')
    expect(look("lookup('ini', 'key section=one file=x.ini')")).toBe('value')
    expect(look("lookup('ini', 'key', section='two', file='x.ini')")).toBe('2')
    expect(look("lookup('ini', 'list', section='one', file='x.ini')")).toBe('a\nb')
    expect(look("query('ini', '.*', section='one', file='x.ini', re=true)")).toEqual(['value', 'a\nb'])
    expect(look("lookup('ini', 'user.name type=properties file=x.properties')")).toBe('Joe')
    expect(look("lookup('config', 'DEFAULT_BECOME_USER')")).toBe('root')
  })
  it('make a password once, as a Secret, readable to its owner alone', () => {
    const made = look("lookup('password', 'creds/db length=32 chars=ascii_lowercase,digits')") as Secret
    expect(made).toBeInstanceOf(Secret)
    expect(reveal(made)).toMatch(/^[a-z0-9]{32}$/)
    expect(reveal(look("lookup('password', 'creds/db')") as Secret)).toBe(reveal(made))
    const path = join(folder, 'creds', 'db')
    expect(readFileSync(path, 'utf8')).toBe(`${reveal(made)}\n`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const thrown = look("lookup('password', '/dev/null', length=12)") as Secret
    expect(reveal(thrown)).toHaveLength(12)
  })
  it('are run by name for with_NAME', () => {
    const scope = scopeOf({
      ...vars,
      two: [2, 3],
      groups: { all: ['web1', 'web2', 'db1'], web: ['web1', 'web2'] },
    })
    const run = (name: string, terms: Value): readonly Value[] => templar.runLookup(name, terms, scope)
    expect(run('items', [1, template('{{ two }}'), [[4]]])).toEqual([1, 2, 3, [4]])
    expect(run('items', template('{{ two }}'))).toEqual([2, 3])
    expect(run('dict', new Map([['a', 1]]))).toEqual([
      new Map<unknown, unknown>([
        ['key', 'a'],
        ['value', 1],
      ]),
    ])
    expect(run('nested', [[1, 2], ['a']])).toEqual([
      [1, 'a'],
      [2, 'a'],
    ])
    expect(run('sequence', 'start=2 end=4 format=n%02d')).toEqual(['n02', 'n03', 'n04'])
    expect(run('inventory_hostnames', 'all:!web1')).toEqual(['web2', 'db1'])
    expect(run('inventory_hostnames', ['web'])).toEqual(['web1', 'web2'])
    expect(failure(() => run('nope', [])).message).toBe("there is no lookup 'nope'")
    expect(failure(() => run('items', template('{{ nope }}'))).code).toBe('E_UNDEFINED')
  })
})

it('hashes passwords as crypt(3) does', () => {
  // Made by passlib 1.7.4, by way of ansible-core's password_hash.
  for (const [call, hash] of [
    [
      "'secret' | password_hash(salt='mysalt', rounds=5001)",
      '$6$rounds=5001$mysalt$uH069acMYfITURvxqD5bV3aCHzrGzAqbcupoiv0Gw1eDuCTcSY6fDoDZV1JlZOH4uMt3IRPfXprSmg8hmuw3V/',
    ],
    [
      "('pässword-that-is-longer-than-64-bytes-' * 3) | password_hash('sha512', '0123456789abcdef', rounds=10000)",
      '$6$rounds=10000$0123456789abcdef$f9N3kOLb1TKysCJHJmdXcIZXm6pPN/Ng3ZCQ2PaRNqpFTMeqlnHK8GuxeYP0S5DBtAuUpCSoqSIMSQGOCd1S71',
    ],
    [
      "'secret' | password_hash('sha256', 'abcdefgh')",
      '$5$rounds=535000$abcdefgh$QXIhOR7fttJ4bdMfcw7BEvHVCsepCVESzLPmE9hth51',
    ],
  ] as const)
    expect(evaluate(call)).toBe(hash)
  expect(evaluate("'x' | password_hash(rounds=1000)")).toMatch(
    /^\$6\$rounds=1000\$[./\dA-Za-z]{16}\$[./\dA-Za-z]{86}$/,
  )
  expect(failure(() => evaluate("'x' | password_hash('bcrypt')")).message).toContain(
    "does not support 'bcrypt'",
  )
  const secret = evaluate("s | password_hash(salt='a', rounds=1000)", { s: new Secret('abcd', 'PW') })
  expect(secret).toBeInstanceOf(Secret)
})

it('passes compiled templates from host to host, but no values', () => {
  const same = template('{{ x }}{% set y = x %}{{ y }}')
  expect([1, 2, 3].map(x => templar.render(same, scopeOf({ x })))).toEqual(['11', '22', '33'])
  expect(templar.evaluate(new Template('now(utc=true, fmt="%Y-%m-%d %H:%M:%S")', here), scopeOf({}))).toBe(
    '2026-03-04 05:06:07',
  )
})

it('what is written in quotes in a lookup is a template, and what comes out of a variable is not', () => {
  const scope = { folder: '/tmp' }
  expect(evaluate("lookup('list', '{{ folder }}/x')", scope)).toBe('/tmp/x')
  expect(evaluate("lookup('list', '{' ~ '{ folder }}')", scope)).toBe('{{ folder }}')
  expect(evaluate("'{{ folder }}'", scope)).toBe('{{ folder }}')
})

it('refuses a header that is not written as NAME: VALUE', () => {
  const render = () => templar.renderFile('#jinja2: lstrip_blocks=True\nfoo\n', 'x.j2', scopeOf({}))
  expect(failure(render).message).toContain("failed to parse jinja2 override 'lstrip_blocks=True'")
})
