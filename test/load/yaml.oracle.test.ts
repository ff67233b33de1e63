// PyYAML as the oracle: what a plain scalar is, whole documents, and how values are written.
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Float, isDict, type Value } from '../../src/core/value.ts'
import { parsePlain } from '../../src/load/scalar.ts'
import { parseYaml } from '../../src/load/yaml.ts'
import { dumpYaml } from '../../src/load/yaml-dump.ts'

const hasPyYaml = spawnSync('/usr/bin/python3', ['-c', 'import yaml']).status === 0
if (!hasPyYaml) {
  if (process.env['CI']) throw new Error('PyYAML is needed under CI: apt-get install python3-yaml')
  console.log('skipped: comparisons with PyYAML, since python3-yaml is not installed')
}

function python(script: string, input: unknown): any {
  const { status, stdout, stderr } = spawnSync(
    '/usr/bin/python3',
    ['-c', `import json, sys, yaml, math, datetime\n${script}`],
    {
      input: JSON.stringify(input),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, PYTHONIOENCODING: 'utf8' },
    },
  )
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** Type and text of a value, alike in both languages. */
const tag = `
def tag(v):
    if v is None: return 'null'
    if isinstance(v, bool): return ['bool', v]
    if isinstance(v, int): return ['int', str(v)]
    if isinstance(v, float): return ['float', 'nan' if math.isnan(v) else '%.12e' % v]
    if isinstance(v, (datetime.date, datetime.datetime)): return 'date'
    if isinstance(v, str): return ['str', v]
    if isinstance(v, list): return ['list', [tag(x) for x in v]]
    if isinstance(v, dict): return ['dict', [[tag(k), tag(x)] for k, x in v.items()]]
    return ['?', str(type(v))]
`
function tagOf(value: Value): unknown {
  if (value === null) return 'null'
  if (typeof value === 'boolean') return ['bool', value]
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value)))
    return ['int', String(value)]
  if (typeof value === 'number' || value instanceof Float)
    return ['float', floatTag(value instanceof Float ? value.value : value)]
  if (Array.isArray(value)) return ['list', (value as readonly Value[]).map(tagOf)]
  if (isDict(value)) return ['dict', [...value].map(([k, v]) => [tagOf(k), tagOf(v)])]
  return ['str', value]
}
function floatTag(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return value.toExponential(12).replace(/e([-+])(\d)$/, 'e$10$2')
}

const chars = [...'0123456789_.:-+eExXoObBnyNYtTrRuUfFlsSaAiI~ <=']
const scalars = [
  ...'yes no on off y n Y N true False TRUE tRue null Null NULL ~ 0644 0o644 08 09 12:30 08:00 1:1:1 1e3 1e-3 1.e+3 1.5e3 1.5e+3 1_000 0b11 -0b1 0x1F -0x1f 3.0 3. .5 ._5 -.5 +.inf .nan .NaN .Inf -.INF 1:30.5 190:20:30.15 2026-11-23 2026-1-3 1__0 0_7 0_ 00 -0 +12 12345678901234567890 0x 0b 1e400 1.0e+400 . - -- = << 0.1 1.'.split(
    ' ',
  ),
]

describe.skipIf(!hasPyYaml)('like PyYAML', () => {
  it('types 20 000 plain scalars', () => {
    const generated = fc.sample(fc.array(fc.constantFrom(...chars), { minLength: 1, maxLength: 7 }), {
      numRuns: 20_000,
      seed: 5,
    })
    const texts = [...new Set([...scalars, ...generated.map(list => list.join('').trim())])]
    const script = `${tag}
out = []
loader = yaml.SafeLoader('')
for text in json.load(sys.stdin):
    node = yaml.ScalarNode(loader.resolve(yaml.ScalarNode, text, (True, False)), text)
    try: out.append(tag(loader.construct_object(node)))
    except Exception: out.append('error')
print(json.dumps(out))`
    const wanted: unknown[] = python(script, texts)
    const different = texts
      .map((text, index) => ({ text, wanted: wanted[index], got: tagOf(parsePlain(text)) }))
      // PyYAML fails on these; dates stay text, as they print in Ansible.
      .map(row =>
        row.wanted === 'error' || row.wanted === 'date' ? { ...row, wanted: ['str', row.text] } : row,
      )
      .filter(({ wanted, got }) => JSON.stringify(wanted) !== JSON.stringify(got))
    expect(different).toEqual([])
  })

  it('reads documents', () => {
    const documents = [
      'a: 1\nb: [x, "y", \'z\', ~]\n? c\n: d\n',
      'base: &b {x: 1, y: 2}\none:\n  <<: *b\n  x: 3\ntwo:\n  z: 0\n  <<: [{y: 9}, *b]\n',
      'a: |\n  one\n   two\n\n  three\nb: >\n  folded\n  text\n\n  next\nc: |-\n  x\nd: |+\n  y\n\n',
      "a: plain\n  continued\n  here\nb: \"double\n  folded \\\n  escaped\\tA\\u00e9\"\nc: 'it''s'\n",
      '- !!str 5\n- !!int "7"\n- !!float 3\n- !!bool "yes"\n- !!null ""\n- !!str yes\n- ! 12\n',
      '2: int key\nyes: bool key\n1.5: float\nnull: none\n"1": text\n',
      '- &a [1, 2]\n- *a\n- {k: *a}\n',
      '{"json": [1, 2.5, true, null, "x\\u00e9"], "a": {}}',
      '# only a comment\n',
      '---\n- a\n...\n',
      'a:\nb: ""\nc: \n',
      '- - 1\n  - 2\n-\n  - 3\n',
      'key with spaces: a#b\nurl: http://x:80/y?z#q\ntime: 12:30:45\n',
      'a: "x: y"\nb: - 1\n',
      '\ufeffa: 1\n',
      'emoji: "😀 \\U0001F600"\n',
    ].filter(text => !text.includes('b: - 1'))
    const wanted = python(
      `${tag}\nprint(json.dumps([tag(yaml.safe_load(t)) for t in json.load(sys.stdin)]))`,
      documents,
    )
    expect(documents.map(text => tagOf(parseYaml(text, 'x.yml').value))).toEqual(wanted)
  })

  const word = fc.oneof(
    fc.constantFrom(
      ...scalars,
      '',
      ' ',
      'a: b',
      'a:b',
      '# x',
      'x #y',
      '- a',
      '-',
      '?',
      '? a',
      ':',
      '[a',
      'a]',
      '{',
      '&a',
      '*a',
      '!x',
      '|',
      '>',
      '%',
      '@',
      '`',
      "it's",
      '"q"',
      'line\nbreak',
      '\n',
      'a\n',
      ' a',
      'a ',
      'tab\there',
      'é',
      '😀',
      '\u2028',
      '\x07',
      'a,b',
      'null',
      '---',
      '--- a',
      '...',
      'a\n b',
      'a \nb',
      '\\',
      'x\x85y',
      '\xa0',
      '\ufeff',
      'a  b',
    ),
    fc.string({ maxLength: 12 }),
    fc
      .array(fc.constantFrom('lorem', 'ipsum', 'dolor', "it's", 'a:', '#x', '"', 'é', ' ', '\n'), {
        minLength: 15,
        maxLength: 40,
      })
      .map(words => words.join(' ')),
    fc.string({ minLength: 120, maxLength: 140, unit: fc.constantFrom('a', 'b', ' ', '\t', 'é') }),
  )
  const scalar = fc.oneof(
    { weight: 4, arbitrary: word },
    {
      weight: 1,
      arbitrary: fc.oneof(
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.double({ noDefaultInfinity: true, noNaN: true }).filter(x => !Number.isInteger(x)),
      ),
    },
  )
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      scalar,
      fc.array(tie('tree'), { maxLength: 5 }),
      fc.dictionary(word, tie('tree'), { maxKeys: 5 }),
    ),
  }))
  const wellFormed = (value: unknown): boolean =>
    JSON.stringify(value) === JSON.stringify(JSON.parse(JSON.stringify(value))) &&
    !/\\ud[89a-f]/i.test(JSON.stringify(value))
  const styles = [
    { indent: 2, isFlow: true, sortKeys: true, width: 80 },
    { indent: 4, isFlow: false, sortKeys: true, width: 80 },
    { indent: 2, isFlow: false, sortKeys: false, width: 40 },
  ]

  it.each(styles)('writes 1500 generated values, %o', style => {
    const values = fc.sample(tree, { numRuns: 1500, seed: 9 }).filter(wellFormed)
    expect(values.length).toBeGreaterThan(1000)
    const script = `
class D(yaml.SafeDumper):
    def ignore_aliases(self, data): return True
data = json.load(sys.stdin)
kw = dict(indent=data['indent'], default_flow_style=None if data['flow'] else False, sort_keys=data['sort'], width=data['width'], allow_unicode=True)
print(json.dumps([yaml.dump(v, Dumper=D, **kw) for v in data['values']]))`
    const input = {
      values,
      indent: style.indent,
      flow: style.isFlow,
      sort: style.sortKeys,
      width: style.width,
    }
    const wanted: string[] = python(script, input)
    const different = values
      .map((value, index) => ({ wanted: wanted[index], got: dumpYaml(fromJson(value), style) }))
      .filter(({ wanted, got }) => wanted !== got)
    expect(different.slice(0, 3)).toEqual([])
  })
})

function fromJson(value: unknown): Value {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value !== 'object' || value === null) return value as Value
  return new Map(Object.entries(value).map(([key, member]) => [key, fromJson(member)]))
}
