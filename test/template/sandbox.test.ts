// Templates come from roles of strangers: they may fail, but not crash, hang, or reach anything outside their values.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import { Template, type Value } from '../../src/core/value.ts'
import { createTemplar } from '../../src/template/templar.ts'
import { here, options, scopeOf, templar } from './engine.ts'

const vars = {
  s: 'hello',
  n: 3,
  l: [3, 1, 2],
  d: { a: 1, b: { c: [1, 2] } },
  e: '',
  t: '{{ s }}!',
  loop1: '{{ loop2 }}',
  loop2: '{{ loop1 }}',
  none: null,
}
function error(run: () => unknown): RotaError {
  try {
    const result = run()
    throw new Error(`gave ${String(JSON.stringify(result)).slice(0, 200)}`)
  } catch (caught) {
    if (caught instanceof RotaError) return caught
    throw caught
  }
}
const evaluate = (source: string): Value => templar.evaluate(new Template(source, here), scopeOf(vars))

/** Data only: what a template yields may hold nothing else. */
function isData(value: unknown): boolean {
  if (value === null || ['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return true
  if (Array.isArray(value)) return value.every(isData)
  if (value instanceof Map) return [...value].every(pair => pair.every(isData))
  return ['Float', 'Omit', 'Secret'].includes((value as object).constructor.name)
}

const words = [
  's',
  'n',
  'l',
  'd',
  'e',
  't',
  'nope',
  'loop1',
  'range',
  'dict',
  'namespace',
  'cycler',
  'lookup',
  'q',
  'omit',
  'now',
  'self',
  'caller',
  'constructor',
  '__proto__',
  '__class__',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'call',
  'apply',
  'length',
  'name',
  '.',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '|',
  '~',
  '+',
  '-',
  '*',
  '**',
  '/',
  '//',
  '%',
  '==',
  '<',
  '=',
  ' is ',
  ' in ',
  ' not ',
  ' and ',
  ' or ',
  ' if ',
  ' else ',
  '1',
  '0',
  '-1',
  '2.5',
  "'a'",
  "'%s'",
  "'{}'",
  '9999999999',
  'none',
  'true',
  'upper',
  'map',
  'select',
  'join',
  'default',
  'sort',
  'format',
  'replace',
  'items',
  'get',
  'append',
  'update',
  'tojson',
  'list',
  'first',
  'regex_replace',
  'regex_search',
  'combine',
  'flatten',
  'zip',
  'random',
  'indent',
  'center',
  'batch',
  'slice',
  'int',
  'float',
  'round',
  'defined',
  'string',
  'mapping',
  'match',
  'version',
  'attr',
  'extract',
  'groupby',
  'hash',
  'b64decode',
  'from_json',
  'strftime',
] as const
const tags = [
  '{{',
  '}}',
  '{%',
  '%}',
  '{#',
  '#}',
  '-%}',
  '{%-',
  ' for ',
  ' endfor ',
  ' if ',
  ' endif ',
  ' elif ',
  ' else ',
  ' set ',
  ' endset ',
  ' macro ',
  ' endmacro ',
  ' call ',
  ' endcall ',
  ' filter ',
  ' endfilter ',
  ' block ',
  ' endblock ',
  ' with ',
  ' endwith ',
  ' raw ',
  ' endraw ',
  ' do ',
  ' break ',
  ' continue ',
  ' include ',
  ' import ',
  ' extends ',
  ' x ',
  '\n',
  ' recursive ',
  ' loop',
  ' as ',
  ' from ',
  ' autoescape ',
] as const
/** A small budget, so that random loops end at once. */
const strict = createTemplar({
  ...options,
  limits: { steps: 20_000, depth: 30, outputSize: 100_000, deadlineMs: 5_000 },
})

/** What the oracle was asked, without lookups: they run programs and make files by design, and a mutant of a command is any command. */
function sourcesOf(name: string): string[] {
  const file = readFileSync(join(import.meta.dirname, `${name}.cases.json`), 'utf8')
  const sources = (JSON.parse(file).cases as { src: string }[]).map(one => one.src)
  return sources.filter(source => !/lookup|query|\bq\(|'pipe'|'lines'/.test(source))
}

/** 100,000 in all on CI; a taste elsewhere. */
const runs = process.env['CI'] ? 25_000 : 2_500

describe('random nonsense', { timeout: 300_000 }, () => {
  const isHandled = (run: () => unknown): void => {
    try {
      if (!isData(run())) throw new Error('not data')
    } catch (caught) {
      if (!(caught instanceof RotaError)) throw caught
      expect(['E_TEMPLATE', 'E_UNDEFINED']).toContain(caught.code)
      expect(caught.at).toBeDefined()
      expect(caught.message).not.toMatch(/\[object|native code|Cannot read prop|is not a function/)
    }
  }
  it('as an expression gives data or an error with a place', () => {
    const soup = fc
      .array(fc.constantFrom(...words), { minLength: 1, maxLength: 12 })
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(soup, source =>
        isHandled(() => strict.evaluate(new Template(source, here), scopeOf(vars))),
      ),
      { seed: 20_261, numRuns: runs },
    )
  })
  it('as well-formed chains of members, calls and filters', () => {
    const member = fc.constantFrom(...words.slice(0, 27))
    const link = fc.oneof(
      member.map(name => `.${name}`),
      member.map(name => `['${name}']`),
      fc.constantFrom(
        '()',
        '(1)',
        "('a')",
        '(l)',
        '(d)',
        '(none)',
        '(*l)',
        '(**d)',
        '[0]',
        '[-1]',
        '[::2]',
        '[none]',
        '[d]',
        '[l]',
      ),
      fc.constantFrom(...words.slice(-46)).map(name => ` | ${name}`),
      fc.constantFrom(...words.slice(-46)).chain(name => member.map(arg => ` | ${name}(${arg})`)),
      fc.constantFrom(...words.slice(-46)).chain(name => member.map(arg => ` | ${name}('${arg}', ${arg})`)),
    )
    const chain = fc
      .tuple(member, fc.array(link, { maxLength: 4 }))
      .map(([first, links]) => first + links.join(''))
    fc.assert(
      fc.property(chain, source =>
        isHandled(() => strict.evaluate(new Template(source, here), scopeOf(vars))),
      ),
      { seed: 20_262, numRuns: runs },
    )
  })
  it('as a template gives text or an error with a place', () => {
    const soup = fc
      .array(fc.constantFrom(...tags, ...words), { minLength: 1, maxLength: 25 })
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(soup, source => isHandled(() => strict.renderFile(source, '/nowhere/x.j2', scopeOf(vars)))),
      { seed: 20_263, numRuns: runs },
    )
  })
  it('as a mutant of what the oracle was asked', () => {
    const sources = ['jinja', 'ansible', 'fuzz'].flatMap(sourcesOf)
    const mutation = fc.record({
      at: fc.nat(),
      drop: fc.nat(3),
      put: fc.constantFrom('', '', ...tags, ...words),
    })
    const mutant = fc
      .tuple(fc.constantFrom(...sources), fc.array(mutation, { minLength: 1, maxLength: 4 }))
      .map(([source, mutations]) =>
        mutations.reduce((text, { at, drop, put }) => {
          const place = at % (text.length + 1)
          return text.slice(0, place) + put + text.slice(place + drop)
        }, source),
      )
    fc.assert(
      fc.property(mutant, fc.boolean(), (source, isFile) =>
        isHandled(() =>
          isFile || /\{\{|\{%|\{#/.test(source)
            ? strict.renderFile(source, '/nowhere/x.j2', scopeOf(vars))
            : strict.evaluate(new Template(source, here), scopeOf(vars)),
        ),
      ),
      { seed: 20_264, numRuns: runs },
    )
  })
})

describe('no way out', () => {
  it('of a value to JavaScript', () => {
    for (const source of [
      "''.constructor.constructor('return process')()",
      "s['constructor']['constructor']('return 1')()",
      'range.constructor',
      'l.__proto__.x',
      'd.__proto__.update({"polluted": 1})',
      "d['__proto__'].a",
      "(d | attr('constructor')).x",
      "[d] | map(attribute='constructor.name') | list",
      "'{0.constructor}'.format(s)",
      "'{0[constructor]}'.format(d)",
      'cycler(1).constructor',
      'lookup.call(1)',
      'self.constructor',
    ])
      expect(error(() => evaluate(source)).code, source).toMatch(/E_UNDEFINED|E_TEMPLATE/)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(evaluate('dict(__proto__=1, constructor=2)')).toEqual(
      new Map([
        ['__proto__', 1],
        ['constructor', 2],
      ]),
    )
  })
  it('of a template to the variables of the play', () => {
    const values = new Map<string, Value>([
      ['l', [1]],
      ['d', new Map<Value, Value>([['k', [1]]])],
    ])
    const scope = { get: (name: string) => values.get(name), names: () => values.keys() }
    const changed = templar.renderFile(
      '{% do l.append(2) %}{% do d.update(x=1) %}{% do d.k.append(2) %}{{ l }}{{ d }}',
      'x.j2',
      scope,
    )
    expect(changed).toBe("[1, 2]{'k': [1, 2], 'x': 1}")
    expect(values.get('l')).toEqual([1])
    expect(values.get('d')).toEqual(new Map([['k', [1]]]))
  })
  it('of data into code: a plain string is never a template', () => {
    const scope = {
      get: (name: string) => (name === 'evil' ? '{{ 1 + 1 }}' : undefined),
      names: () => ['evil'],
    }
    expect(templar.render(new Template('{{ evil }}', here), scope)).toBe('{{ 1 + 1 }}')
    expect(templar.render(['{{ 1 }}'], scope)).toEqual(['{{ 1 }}'])
    // The YAML reader of playbooks makes Templates; what from_yaml reads stays data all the same.
    const eager = createTemplar({ ...options, parseYaml: text => [new Template(text, here)] })
    expect(eager.render(new Template('{{ evil | from_yaml }}', here), scope)).toEqual(['{{ 1 + 1 }}'])
  })
})

describe('limits', () => {
  const hasty = createTemplar({ ...options, limits: { steps: 200_000 } })
  it('stop loops, recursion, big ranges, long texts and big numbers', () => {
    for (const [source, message] of [
      ['{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}', /steps/],
      ['{{ range(10**9) }}', /range/],
      ['{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', /levels deep/],
      ['{{ loop1 }}', /recursive loop/],
      ["{{ 'a' * 10**9 }}", /too long/],
      ["{{ 'a'.ljust(10**9) }}", /too big/],
      ["{{ 'a' | center(10**9) }}", /too/],
      ['{{ 9 ** (9 ** 9) }}', /too big/],
      [
        '{% set ns = namespace(x="a" * 1000) %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}',
        /long/,
      ],
      [`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`, /deep/],
      [`{{ ${'not '.repeat(5000)}1 }}`, /deep/],
      [`{{ ${'-'.repeat(5000)}1 }}`, /deep/],
      [`${'{% if true %}'.repeat(1000)}${'{% endif %}'.repeat(1000)}`, /deep/],
      ['{{ [1, 2, 3] | product(repeat=30) }}', /combinations/],
    ] as const)
      expect(
        error(() => hasty.renderFile(source, 'x.j2', scopeOf(vars))).message,
        source.slice(0, 60),
      ).toMatch(message)
  })
  it('stop a deadline by the clock', () => {
    let now = 0
    const hurried = createTemplar({ ...options, clock: () => (now += 10_000) })
    expect(
      error(() => hurried.renderFile('{% for a in range(100000) %}{% endfor %}', 'x.j2', scopeOf({})))
        .message,
    ).toMatch(/takes longer than 30000 ms/)
  })
  it('stop patterns that would take for ever, and let ordinary ones through', () => {
    const text = `${'a'.repeat(40)}!`
    for (const pattern of ['^(a+)+$', '^(([a-z])+.)+[A-Z]$'])
      expect(
        error(() => templar.evaluate(new Template(`x is match('${pattern}')`, here), scopeOf({ x: text })))
          .message,
      ).toMatch(/takes longer/)
    expect(evaluate("'foo.example.com' is match('^([a-z]+[.])+com$')")).toBe(true)
  }, 60_000)
})
