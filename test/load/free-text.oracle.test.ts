// Ansible's own splitter as the oracle for `k=v` and free text.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFreeText } from '../../src/load/free-text.ts'
import { hasAnsible, python } from '../inventory/oracle.ts'

const given = [
  'ls   -l  chdir=/x',
  "src=a dest='b c' mode=0644",
  'echo {{ a  b }} x={{ y }}',
  'msg="a\\nb"',
  'echo "a b',
  'a={{ b',
  'x="a=b c" y',
  'a\\=b c',
  '=x',
  'a= b',
  'a="" b=\'\'',
  'a="{{ x | default(\'y z\') }}"',
  "it's",
  'a=b=c',
  'path=C:\\temp',
  'a=\\u00e9\\x41',
]
const script = `
import json, sys
from ansible.parsing.splitter import parse_kv
out = []
for text in json.load(sys.stdin):
    try:
        d = parse_kv(text)
        raw = d.pop('_raw_params', '')
        out.append([dict(d), ' '.join(raw.split())])
    except Exception:
        out.append(None)
print(json.dumps(out))
`

describe.skipIf(!hasAnsible)('like parse_kv', () => {
  it('splits 3000 texts', () => {
    const piece = fc.constantFrom(
      'a',
      'src',
      '=',
      ' ',
      '  ',
      '"',
      "'",
      '{{ x }}',
      '{{ y | f("z w") }}',
      'b',
      '/tmp',
      ' k=v ',
      '-l',
      'x.y',
      '"q r"',
      "'s t'",
    )
    const texts = [
      ...given,
      ...fc
        .sample(fc.array(piece, { minLength: 1, maxLength: 9 }), { numRuns: 3000, seed: 4 })
        .map(list => list.join('').trim())
        .filter(text => text !== ''),
    ]
    const wanted: unknown[] = python(script, texts)
    // What has no name before the `=` is text here; Ansible makes it an option that no module has.
    const isNamed = (row: unknown): boolean =>
      row === null || Object.keys((row as [object])[0]).every(name => /^[A-Za-z_][\w.-]*$/.test(name))
    const different = texts
      .map((text, index) => {
        const parsed = parseFreeText(text, () => true)
        const got = parsed
          ? [Object.fromEntries(parsed.options), parsed.rest.split(/\s+/).join(' ').trim()]
          : null
        return { text, wanted: wanted[index], got }
      })
      .filter(({ wanted }) => isNamed(wanted))
      .filter(({ wanted, got }) => JSON.stringify(wanted) !== JSON.stringify(got))
    expect(wanted.filter(isNamed).length).toBeGreaterThan(1500)
    expect(different.slice(0, 25)).toEqual([])
  })
})
