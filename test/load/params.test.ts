import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import type { Param, Params } from '../../src/core/params.ts'
import { Secret } from '../../src/core/secret.ts'
import { Float, OMIT, Template, toValue, type Value } from '../../src/core/value.ts'
import { coerce } from '../../src/load/coerce.ts'
import { checkArgs, checkLiterals } from '../../src/load/params.ts'
import { jsonSchema } from '../../src/load/schema.ts'
import { registry } from './registry.ts'

const at = { file: 'x.yml', line: 1, col: 1 }
const args = (entries: Record<string, Value>): ReadonlyMap<Value, Value> => new Map(Object.entries(entries))
const check = (name: string, entries: Record<string, Value>): unknown =>
  checkArgs(registry.get(name)!, args(entries), { at })
const problemsOf = (run: () => unknown): string[] => {
  try {
    run()
  } catch (error) {
    if (error instanceof RotaError) return error.problems.map(p => `${p.message} (${p.hint})`)
    throw error
  }
  return []
}
const of = (type: Param['type'], value: Value): unknown => {
  const result = coerce({ type, doc: '' } as Param, 'opt', value)
  return 'value' in result ? result.value : `refused: ${result.wrong}`
}

describe('checkArgs', () => {
  it('resolves aliases, coerces and fills in defaults', () => {
    expect(check('copy', { content: 5, path: '/x', mode: 420, backup: 'yes' })).toEqual({
      content: '5',
      dest: '/x',
      mode: '0644',
      backup: true,
    })
  })
  it('takes null and omit as not given', () => {
    expect(check('wait_for', { port: null, timeout: OMIT })).toEqual({ host: '127.0.0.1', timeout: 300 })
    expect(problemsOf(() => check('file', { path: null }))).toEqual([
      'missing required arguments: path (add path: Path.)',
    ])
  })
  it('passes options of any name where the module takes them', () => {
    expect(check('set_fact', { a: [1], cacheable: 'no' })).toEqual({ a: [1], cacheable: false })
  })
  it('says all problems at once, at their keys', () => {
    const error = problemsOf(() => check('copy', { src: 'a', content: 'b', moed: 1 }))
    expect(error).toEqual([
      'Unsupported parameters for (copy) module: moed. Supported parameters include: backup, content, dest, mode, owner, src. (did you mean mode?)',
      'missing required arguments: dest (add dest: Remote file.)',
      'parameters are mutually exclusive: src|content (remove content)',
    ])
  })
  it('keeps a secret a secret, and never shows one', () => {
    const secret = new Secret('hunter2hunter2', 'PW')
    expect(check('postgresql_user', { name: 'a', password: secret })).toEqual({ name: 'a', password: secret })
    const made = check('postgresql_user', { name: 'a', password: 'plain' }) as { password: unknown }
    expect(made.password).toBeInstanceOf(Secret)
    const said = problemsOf(() => check('postgresql_user', { name: secret, groups: [secret], extra: secret }))
    expect(said).toHaveLength(3)
    expect(said.join()).not.toContain('hunter2')
  })
})

describe('checkLiterals', () => {
  const literals = (entries: Record<string, Value>, isComplete = true, isGuarded = false): string[] =>
    checkLiterals(registry.get('copy')!, args(entries), { at }, { isComplete, isGuarded }).map(p => p.message)
  const template = new Template('{{ x }}', at)
  it('leaves templates to the run', () => {
    expect(literals({ src: template, dest: 'a', mode: template })).toEqual([])
    expect(literals({ src: template, content: template, dest: 'a' })).toEqual([])
  })
  it('asks for what is missing only where nothing else can give it', () => {
    expect(literals({ src: 'a' })).toEqual(['missing required arguments: dest'])
    expect(literals({ src: 'a' }, false)).toEqual([])
  })
  it('says nothing under a condition of what Ansible would take', () => {
    const mode = { src: 'a', dest: 'b', mode: 600 }
    expect(literals(mode)).toEqual(['copy: mode is the number 600, and that is the mode 01130'])
    expect(literals(mode, true, true)).toEqual([])
    expect(literals({ ...mode, mode: 'rw' }, true, true)).toHaveLength(1)
  })
})

describe('coerce', () => {
  it.each<[Param['type'], Value, unknown]>([
    ['string', true, 'True'],
    ['string', new Float(3), '3.0'],
    ['string', 12345678901234567890n, '12345678901234567890'],
    ['string', [1], 'refused: must be text, not a list'],
    ['int', ' 5 ', 5],
    ['int', '5.0', 'refused: must be a whole number, not the text "5.0": unable to convert to int'],
    ['int', new Float(5), 'refused: must be a whole number, not the number 5.0: unable to convert to int'],
    ['int', true, 'refused: must be a whole number, not true: unable to convert to int'],
    ['float', '1.5', 1.5],
    ['float', new Float(2), 2],
    ['float', '', 'refused: must be a number, not the text "": unable to convert to int or float'],
    ['bool', 'On', true],
    ['bool', 0, false],
    ['bool', new Float(1), true],
    ['bool', 2, "refused: must be true or false, not the number 2: The value '2' is not a valid boolean"],
    ['list', 'a, b,c', ['a', 'b', 'c']],
    ['list', 5, ['5']],
    ['list', [1, 'x'], ['1', 'x']],
    ['list', [['a']], 'refused: must be a list of texts, not a list'],
    ['dict', '{"a": [1]}', new Map<string, Value>([['a', [1]]])],
    [
      'dict',
      'a=1, b=x y',
      new Map([
        ['a', '1'],
        ['b', 'x y'],
      ]),
    ],
    ['dict', 'a', 'refused: must be a mapping, not the text "a"'],
    ['text', toValue({ a: [1, null, 2.5], b: 'é' }) as Value, '{"a": [1, null, 2.5], "b": "é"}'],
    ['expression', true, true],
    [
      'expression',
      'x == 1',
      'refused: must be an expression that stands in the playbook, not the text "x == 1"',
    ],
    ['mode', 0o755, '0755'],
    ['mode', 0o4755, '4755'],
    ['mode', 0, '0000'],
    ['mode', '644', '644'],
    ['mode', '0o640', '640'],
    ['mode', 'u=rwX,g-w,o=', 'u=rwX,g-w,o='],
    ['mode', 'u+x+s', 'u+x+s'],
    ['mode', 'preserve', 'preserve'],
    ['mode', 755, 'refused: is the number 755, and that is the mode 01363'],
    ['mode', 99999, 'refused: must be a file mode like "0644" or u=rw,g=r, not the number 99999'],
    ['mode', 'rwxr-xr-x', 'refused: must be a file mode like "0644" or u=rw,g=r, not the text "rwxr-xr-x"'],
  ])('%s of %s', (type, value, wanted) => expect(of(type, value)).toEqual(wanted))

  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.double())
  const value = fc.oneof(scalar, fc.array(scalar), fc.dictionary(fc.string(), scalar)).map(toValue)
  const type = fc.constantFrom<Param['type']>(
    'string',
    'path',
    'int',
    'float',
    'bool',
    'list',
    'mode',
    'text',
    'dict',
  )

  it('is idempotent: what it makes, it takes', () => {
    fc.assert(
      fc.property(type, value, (type, value) => {
        const once = coerce({ type, doc: '' } as Param, 'opt', value)
        if ('value' in once)
          expect(coerce({ type, doc: '' } as Param, 'opt', once.value as Value)).toEqual(once)
      }),
    )
  })

  const named = ['string', 'path', 'int', 'bool', 'list', 'dict', 'text', 'any', 'secret'] as const
  it.each(named)('takes as %s whatever the JSON Schema takes', type => {
    const params: Params = { opt: { type, doc: '' } }
    const valid = new Ajv({ allowUnionTypes: true }).compile(jsonSchema({ params }))
    const data = fc.oneof(
      scalar,
      fc.constantFrom('yes', '5', 'off', '-3'),
      fc.array(scalar),
      fc.constant({ a: 1 }),
    )
    let taken = 0
    fc.assert(
      fc.property(data, opt => {
        if (!valid({ opt }) || /\{[{%#]/.test(JSON.stringify(opt))) return
        taken++
        checkArgs({ name: 'm', params }, new Map([['opt', toValue(opt)]]), { at })
      }),
      { numRuns: 500 },
    )
    expect(taken).toBeGreaterThan(20)
  })
})
