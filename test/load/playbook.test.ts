import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import type { Play, Task } from '../../src/core/play.ts'
import { Secret } from '../../src/core/secret.ts'
import { Float, fromValue, Template, toValue, type Value } from '../../src/core/value.ts'
import { parseCondition } from '../../src/load/expression.ts'
import { shapes } from '../../src/load/keyword-types.ts'
import { keywords, type Level } from '../../src/load/keywords.ts'
import { loadTasks, parsePlaybook } from '../../src/load/playbook.ts'
import { playbookSchema, selectWrong } from '../../src/load/schema.ts'
import { loadVarsFile } from '../../src/load/vars-file.ts'
import { parseYaml } from '../../src/load/yaml.ts'
import { registry } from './registry.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-load-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const play = (text: string): Play => parsePlaybook(text, 'site.yml', { registry }).plays[0] as Play
const task = (text: string): Task =>
  play(`- hosts: all\n  tasks:\n    - ${text.replaceAll('\n', '\n      ')}\n`).tasks[0] as Task
/** Templates as `<text>`. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value instanceof Map ? fromValue(value) : (value ?? null), (_, v) => v))
const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof RotaError) return `${error.code} ${error.message} ${error.at?.line ?? ''}`.trim()
    throw error
  }
  return 'no problem'
}

describe('a task', () => {
  it.each<[string, string, unknown, unknown]>([
    ['command: ls -l chdir=/x', 'command', { chdir: '/x' }, 'ls -l'],
    ['ansible.builtin.command: ls', 'ansible.builtin.command', {}, 'ls'],
    ['command: echo a=b {{ c d }} creates="/a b"', 'command', { creates: '/a b' }, 'echo a=b {{ c d }}'],
    ['command: { cmd: ls }', 'command', { cmd: 'ls' }, null],
    ['command: |\n  cat <<E\n    x  y\n  E', 'command', {}, 'cat <<E\n  x  y\nE\n'],
    ['copy: src=a dest="{{ b }} c" mode=0644', 'copy', { src: 'a', dest: '{{ b }} c', mode: '0644' }, null],
    ['copy:\n  src: a\nargs:\n  dest: b', 'copy', { dest: 'b', src: 'a' }, null],
    ['action: copy src=a dest=b', 'copy', { src: 'a', dest: 'b' }, null],
    ['action: { module: file, path: /x }', 'file', { path: '/x' }, null],
    ['set_fact: "{{ a }}={{ b }} c=1"', 'set_fact', { '{{ a }}': '{{ b }}', c: '1' }, null],
    ["action: '{{ m }} path=/x'", '{{ m }}', { path: '/x' }, null],
    ['debug:', 'debug', {}, null],
    ['debug: msg="a\\tb"', 'debug', { msg: 'a\tb' }, null],
    ['meta: flush_handlers', 'meta', {}, 'flush_handlers'],
    ['command: "{{ words }}"', 'command', {}, '{{ words }}'],
  ])('%j', (text, module, args, freeForm) => {
    const read = task(text)
    expect([plain(read.module), plain(read.args), plain(read.freeForm)]).toEqual([module, args, freeForm])
  })

  it('keeps !unsafe text as it is, also in the short form', () => {
    expect(task('debug: { msg: !unsafe "{{ x }}" }').args.get('msg')).toBe('{{ x }}')
    expect(plain(task('debug: { msg: !unsafe { a: ["{{ x }}"] }, var: x }').args.get('msg'))).toEqual({
      a: ['{{ x }}'],
    })
    expect(task('command: !unsafe echo {{ x }}').freeForm).toBe('echo {{ x }}')
  })

  it('reads keywords into the types of a task', () => {
    const read = task(
      'command: ls\nbecome: "yes"\nretries: "3"\ntags: a, b\nnotify: one\nwhen: [x, "{{ y }}", true]\nenvironment: { A: 1 }\nwith_dict: { a: 1 }\nloop_control: { label: "{{ item.key }}" }\ncollections: [a.b]\nvars:',
    )
    expect(read).toMatchObject({ become: true, retries: 3, tags: ['a', 'b'], notify: ['one'] })
    expect(plain(read.when)).toEqual(['x', 'y', true])
    expect(read.environment).toEqual([new Map([['A', 1]])])
    expect(read.loop).toMatchObject({ kind: 'dict', at: { line: 10, col: 7 } })
    expect(read.loopControl?.label).toBeInstanceOf(Template)
    expect(read).not.toHaveProperty('vars')
    expect(read.collections).toEqual(['a.b'])
  })

  it('makes bare expressions of the options that are evaluated', () => {
    const read = (text: string): unknown => task(text).args.get('var')
    expect(read('debug: { var: a.b }')).toMatchObject({ text: 'a.b', at: { line: 3, col: 16 } })
    expect(read('debug: var=a')).toMatchObject({ text: 'a' })
    expect(read('debug: { var: "{{ a }}" }')).toMatchObject({ text: 'a' })
    expect(read('debug:\n  var:\n    - x == 1\n    - true\n    - "{{ a }} > 2"')).toMatchObject([
      { text: 'x == 1', at: { line: 5, col: 13 } },
      true,
      { text: '(a) > 2' },
    ])
  })

  it('joins the older list of vars', () => {
    expect(task('debug:\nvars: [a: 1, b: 2]').vars).toEqual(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    )
  })

  it('delegates a local_action to localhost', () => {
    expect(task('local_action: command ls')).toMatchObject({ module: 'command', delegateTo: 'localhost' })
  })

  it('does not ask for options that module_defaults may give', () => {
    const defaults = 'module_defaults: { copy: { dest: /x } }'
    expect(task(`copy: { src: a }\n${defaults}`).module).toBe('copy')
    expect(play(`- hosts: all\n  ${defaults}\n  tasks: [copy: { src: a }]`).tasks).toHaveLength(1)
  })

  it('knows where templates, keys and modules stand', () => {
    const read = task(
      'copy:\n  src: "{{ a }}"\n  content: |\n    one\n    {{ two }}\n  dest: x\nmodule_defaults: {}'.replace(
        '  src: "{{ a }}"\n',
        '',
      ),
    )
    expect((read.args.get('content') as Template).at).toEqual({ file: 'site.yml', line: 5, col: 11 })
    expect(read.argsAt.get('dest')).toEqual({ file: 'site.yml', line: 7, col: 9 })
    expect(read.moduleAt).toEqual({ file: 'site.yml', line: 3, col: 7 })
  })
})

describe('a rotation', () => {
  it('has its secrets and phases', () => {
    const { rotation } = play(`- hosts: panel
  rotation:
    name: production
    secrets:
      JWT: { length: 64, current: "{{ old.JWT }}", cryptoperiod: 90d, shared: yes }
      PW:
    change: [file: { path: /x }]
    verify: [command: ls]
`)
    expect(rotation?.secrets).toMatchObject([
      { name: 'JWT', length: 64, cryptoperiod: '90d', shared: true, at: { line: 5, col: 7 } },
      { name: 'PW', length: 48 },
    ])
    const sizes = Object.entries(rotation!.phases).map(([phase, items]) => [phase, items.length])
    expect(Object.fromEntries(sizes)).toEqual({
      // rota's own search for copies of the value in force
      preflight: 1,
      backup: 0,
      distribute: 0,
      change: 1,
      converge: 0,
      verify: 1,
      committed: 0,
      confirmed: 0,
      finalise_preflight: 0,
      finalise: 0,
    })
  })
})

describe('gates, windows and given secrets of a rotation', () => {
  it('are read', () => {
    const { rotation } = play(`- hosts: panel
  rotation:
    name: integration
    secrets:
      KEY: { given: optional, issued: "{{ made.value }}", grace: 72h }
    provider_gates:
      paystack: { say: do it there, when: "'KEY' in pending" }
`)
    expect(rotation?.secrets).toMatchObject([{ name: 'KEY', given: 'optional', grace: '72h' }])
    expect(rotation?.providerGates).toMatchObject([
      { name: 'paystack', say: 'do it there', when: [{ text: "'KEY' in pending" }], at: { line: 7, col: 7 } },
    ])
  })
  it.each([
    ['KEY: { given: perhaps }', /given must be true, false or optional/],
    ['KEY:\n    provider_gates: { paystack: do it }', /the provider gate paystack wants a mapping/],
    ['KEY:\n    provider_gates: { paystack: {} }', /say/],
  ])('%s is refused', (text, message) => {
    expect(() => play(`- hosts: a\n  rotation:\n    name: n\n    secrets:\n      ${text}\n`)).toThrow(message)
  })
})

describe('conditions with braces', () => {
  it.each([
    ['{{ a }}', 'a'],
    ['{{ a }} == 2', '(a) == 2'],
    ["'{{ a }}' == 'b'", "('' ~ (a)) == 'b'"],
    ['x == "pre-{{ a }}-post"', 'x == ("pre-" ~ (a) ~ "-post")'],
    ["{{ a }} and {{ b | default('}}') }}", undefined],
    ['"{{ "x" | hash }}" == "y"', '("" ~ ("x" | hash)) == "y"'],
    ['a == "plain" and b', 'a == "plain" and b'],
    ['{% if a %}b{% endif %}', undefined],
    ['{{ a', undefined],
  ])('%j', (text, wanted) => expect(parseCondition(text)).toBe(wanted))
})

describe('files', () => {
  it('reads variables, with the place of each', () => {
    const { values, at } = loadVarsFile(file('vars.yml', 'a: 1\nb: "{{ a }}"\nc: 3.0\n'))
    expect(values.get('a')).toBe(1)
    expect(values.get('b')).toBeInstanceOf(Template)
    expect(values.get('c')).toEqual(new Float(3))
    expect(at.get('b')).toMatchObject({ line: 2, col: 1 })
    expect(loadVarsFile(file('empty.yml', '---\n')).values.size).toBe(0)
    const parts = loadVarsFile(file('parts.yml', '- a: 1\n- { b: 2, a: 3 }\n'))
    expect([[...parts.values], parts.at.get('b')?.line]).toEqual([
      [
        ['a', 3],
        ['b', 2],
      ],
      2,
    ])
  })

  it('makes every text of a vaulted file a secret, and a !vault value one', () => {
    const vault = {
      decrypt: (text: string, label: string) => new Secret(text.trim(), label),
      decryptFile: () => 'pw: hunter2\nport: 80\nmore: { deep: [x] }\nurl: "{{ host }}"\n',
    }
    const { values } = loadVarsFile(file('vault.yml', '$ANSIBLE_VAULT;1.1;AES256\n31\n'), { vault })
    expect(JSON.stringify([...values])).toBe(
      '[["pw","[secret pw]"],["port",80],["more",{}],["url","{{ host }}"]]',
    )
    const inline = parseYaml('a: { pw: !vault "$ANSIBLE_VAULT;1.1" }', 'x.yml', { vault })
    expect(JSON.stringify(fromValue(inline.value))).toBe('{"a":{"pw":"[secret pw]"}}')
    expect(codeOf(() => loadVarsFile(join(folder, 'vault.yml')))).toMatch(/^E_VAULT/)
    const mixed = { ...vault, decryptFile: () => 'url: "db://u:hunter2@{{ host }}"\n' }
    const url = loadVarsFile(join(folder, 'vault.yml'), { vault: mixed }).values.get('url')
    expect(url).toMatchObject({ text: 'db://u:hunter2@{{ host }}', secretLabel: 'url' })
    expect(JSON.stringify(url)).toBe('"[secret url]"')
    const reached = { ...vault, decryptFile: () => 'ansible_user: deploy\nansible_password: hunter2\n' }
    const { values: login } = loadVarsFile(join(folder, 'vault.yml'), { vault: reached })
    expect(JSON.stringify([...login.values()])).toBe('["deploy","[secret ansible_password]"]')
  })

  it('says what is wrong with a file', () => {
    expect(codeOf(() => loadVarsFile(join(folder, 'none.yml')))).toMatch(/^E_FILE cannot read .*no such file/)
    expect(codeOf(() => loadVarsFile(folder))).toMatch(/^E_FILE cannot read .*a folder/)
    expect(codeOf(() => loadVarsFile(file('latin', Buffer.from([0x61, 0xff]))))).toMatch(/^E_FILE .*UTF-8/)
    expect(codeOf(() => loadVarsFile(file('list.yml', '- a\n')))).toMatch(/^E_VARS .* a list 1$/)
    expect(codeOf(() => loadVarsFile(file('nul.yml', 'a: \0\n')))).toMatch(/^E_YAML .*NUL/)
    expect(codeOf(() => loadTasks(file('t.yml', 'a: 1\n'), { registry }))).toMatch(
      /^E_PLAYBOOK a file of tasks/,
    )
    expect(codeOf(() => loadTasks(file('p.yml', '- hosts: a\n'), { registry }))).toMatch(
      /^E_PLAYBOOK this is a play/,
    )
    expect(loadTasks(file('e.yml', ''), { registry })).toEqual([])
    expect(codeOf(() => loadTasks(file('l.yml', '- command: ls\n  listen: x\n'), { registry }))).toMatch(
      /'listen' is not a valid attribute/,
    )
    expect(
      loadTasks(file('h.yml', '- command: ls\n  listen: x\n'), { registry, isHandlers: true }),
    ).toHaveLength(1)
  })
})

describe('hostile YAML', () => {
  it('stops an alias bomb', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      )
    expect(codeOf(() => parseYaml(lines.join('\n'), 'x.yml'))).toMatch(
      /^E_YAML the aliases in here write out/,
    )
  })
  it('stops an alias within its own anchor, and deep nesting', () => {
    expect(codeOf(() => parseYaml('a: &a [*a]\n', 'x.yml'))).toMatch(/^E_YAML the alias \*a has no anchor/)
    expect(codeOf(() => parseYaml('['.repeat(100_000), 'x.yml'))).toMatch(/^E_YAML/)
  })
  it('never throws anything but a RotaError', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&a ',
      '*a',
      '!x ',
      '|',
      '>',
      '#',
      '{{',
      '}}',
      '%',
      '? ',
      ',',
      '<<: ',
      '---\n',
      'hosts',
      'tasks',
      'command',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
        codeOf(() => parsePlaybook(pieces.join(''), 'x.yml', { registry }))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('the schemas', () => {
  const scalar = fc.oneof(
    fc.constantFrom(
      'yes',
      'no',
      '1',
      '5',
      '25%',
      '0',
      '-3',
      '1.5',
      'text',
      '',
      '{{ x }}',
      'y',
      'TRUE',
      'maybe',
    ),
    fc.integer({ min: -5, max: 5 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  )
  const value = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 3 }),
    fc.array(fc.array(scalar, { maxLength: 2 }), { maxLength: 2 }),
    fc.array(fc.constant({ a: 1 }), { maxLength: 2 }),
    fc.constant({ a: 1 }),
  )
  const withTemplates = (data: unknown): Value => {
    if (typeof data === 'string' && data.includes('{{'))
      return new Template(data, { file: '', line: 1, col: 1 })
    if (Array.isArray(data)) return data.map(withTemplates)
    return toValue(data)
  }
  it.each(Object.entries(shapes))('of %s says what the loader does', (_name, { accepts, schema }) => {
    const valid = new Ajv({ allowUnionTypes: true }).compile(schema)
    fc.assert(
      fc.property(value, data => {
        expect([data, accepts(withTemplates(data))]).toEqual([data, valid(data)])
      }),
    )
  })
  it.each(Object.keys(keywords) as Level[])('of a %s compiles', level => {
    expect(selectWrong(level, new Map([['name', 'x']])).filter(path => path.length > 0)).toEqual([])
  })
  it('of playbooks takes a good one and not a bad one', () => {
    const valid = new Ajv({ allowUnionTypes: true }).compile(playbookSchema(registry))
    const good = [
      {
        hosts: 'all',
        tasks: [{ name: 'x', copy: { src: 'a', dest: '{{ b }}' } }, { block: [{ command: 'ls' }] }],
      },
    ]
    expect([valid(good), valid.errors]).toEqual([true, null])
    expect(valid([{ hosts: 'all', taks: [] }])).toBe(false)
    expect(valid([{ hosts: 'all', tasks: [{ copy: { scr: 'a', dest: 'b' } }] }])).toBe(false)
  })
})

it('of a key that is in a mapping twice the later one counts, when that is no error', () => {
  const heard: string[] = []
  const onDuplicate = (found: { message: string }) => void heard.push(found.message)
  expect(plain(parseYaml('a: 1\nb: {a: 1}\na: 2\n', 'x.yml', { onDuplicate }).value)).toEqual({
    a: 2,
    b: { a: 1 },
  })
  expect(heard).toEqual(['found a duplicate dict key (a): it is in line 1 already'])
})

it('bytes that are no UTF-8 are what Python makes of them', () => {
  const bytesOf = (base64: string) =>
    parseYaml(`a: !!binary ${base64}\n`, 'x.yml').value as Map<string, string>
  expect(bytesOf('w6TigqzwnYSe').get('a')).toBe('ä€𝄞')
  expect(bytesOf('YfkAw6TDKA==').get('a')).toBe('a\udcf9\0ä\udcc3(')
})
