// Each dialect's grammar against the program itself, where there is one here: Node and dash.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv as nodeParseEnv } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Dialect, dialects, parseEnv } from '../../src/modules/env/dialects.ts'
import { disagreeing, removeNames, setValues } from '../../src/modules/env/edit.ts'

const read = (dialect: Dialect, text: string): Record<string, string | undefined> =>
  Object.fromEntries(parseEnv(dialect, text).statements.map(({ name, value }) => [name, value]))

const pieces = [
  'a',
  'B',
  '1',
  ' ',
  '#',
  '=',
  "'",
  '"',
  '`',
  '$',
  '\\',
  '\\n',
  '$$',
  '${B}',
  '~',
  ';',
  '|',
  '-',
  ':',
  '\t',
  'é',
]
const value = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map(parts => parts.join(''))
const line = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(fc.constantFrom('A', 'B', 'C_1'), value).map(([name, text]) => `${name}=${text}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '# note', '  # x=1', 'export D=4', ' E = 5 ', 'F="two\nlines"'),
  },
)
const file = fc.array(line, { maxLength: 6 }).map(lines => `${lines.join('\n')}\n`)

/** rota's `node` is the grammar of Node 20. Later ones read odd lines otherwise: blanks around an open quote, lines without `=`. */
const isLaterNode = Number(process.versions.node.split('.')[0]) >= 22

it.skipIf(isLaterNode)(
  'node: reads what util.parseEnv reads (skipped on Node 22 and later, whose grammar is another)',
  () => {
    fc.assert(
      fc.property(file, text => {
        expect(read('node', text)).toEqual({ ...nodeParseEnv(text) })
      }),
      { numRuns: 2000 },
    )
  },
)

it('node: whatever Node runs this reads what was written', () => {
  const plain = fc.constantFrom('', '# note', 'A=old', "B='x y'", 'export D=4', 'F="two\nlines"')
  const lines = fc.array(plain, { maxLength: 5 }).map(some => some.map(text => `${text}\n`).join(''))
  fc.assert(
    fc.property(lines, fc.constantFrom('A', 'NEW'), value, (text, name, wanted) => {
      let edited: string
      try {
        edited = setValues({ dialect: 'node', path: '.env' }, text, new Map([[name, wanted]]))
      } catch (error) {
        expect(error).toMatchObject({ code: 'E_ENV_FILE' })
        return
      }
      expect({ ...nodeParseEnv(edited) }).toEqual({ ...nodeParseEnv(text), [name]: wanted })
    }),
    { numRuns: 2000 },
  )
})

/** What dash has after reading the file; undefined when it ended with an error or wrote anything. */
function sourced(files: readonly string[]): (Record<string, string> | undefined)[] {
  const folder = mkdtempSync(join(tmpdir(), 'rota-env-'))
  const script = files.map((text, i) => {
    writeFileSync(join(folder, `${i}`), text)
    return `(unset A B C_1 D E F; . ${folder}/${i} >${folder}/out 2>&1; s=$?; [ -s ${folder}/out ] && s=1; printf '%s\\0' "$s" "\${A+=$A}" "\${B+=$B}" "\${C_1+=$C_1}" "\${D+=$D}" "\${F+=$F}")\nprintf '<end>\\0'`
  })
  const ran = spawnSync('/bin/dash', { input: script.join('\n'), env: {} })
  return ran.stdout
    .toString()
    .split('<end>\0')
    .slice(0, -1)
    .map(part => {
      const [status, ...values] = part.split('\0')
      if (status !== '0') return undefined
      const names = ['A', 'B', 'C_1', 'D', 'F']
      return Object.fromEntries(
        names.flatMap((name, i) => (values[i]?.startsWith('=') ? [[name, values[i]!.slice(1)]] : [])),
      )
    })
}

it('sh: what it takes for known, dash has', () => {
  const files = fc
    .sample(file, { numRuns: 1500, seed: 7 })
    .filter(text => parseEnv('sh', text).unreadable.length === 0)
  expect(files.length).toBeGreaterThan(100)
  const has = sourced(files)
  let compared = 0
  for (const [i, text] of files.entries())
    for (const [name, known] of Object.entries(read('sh', text)))
      if (known !== undefined) {
        compared++
        expect([JSON.stringify(text), name, has[i]?.[name]]).toEqual([JSON.stringify(text), name, known])
      }
  expect(compared).toBeGreaterThan(200)
})

const generator = '/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator'
it.skipIf(!hasSystemd())('systemd: reads what its generator reads', { timeout: 90_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-env-'))
  mkdirSync(join(folder, 'environment.d'))
  // The generator expands $, which EnvironmentFile= does not; and it stops at a line it cannot read.
  const files = fc
    .sample(file, { numRuns: 400, seed: 11 })
    .map(text => text.replaceAll('$', '').replaceAll('é', ''))
    .filter(text => parseEnv('systemd', text).unreadable.length === 0)
  expect(files.length).toBeGreaterThan(50)
  for (const text of files) {
    writeFileSync(join(folder, 'environment.d/a.conf'), text)
    const ran = spawnSync(generator, { env: { XDG_CONFIG_HOME: folder } })
    const lines = ran.stdout.toString().trimEnd().split('\n')
    const found = lines.flatMap(line => {
      const [, name, raw] = /^([A-C]|C_1|F)=(.*)$/.exec(line) ?? []
      if (name === undefined || raw === undefined || /\\[^\\"`$]/.test(raw) || text.split(name).length > 2)
        return []
      return [[name, raw.startsWith('"') ? raw.slice(1, -1).replace(/\\([\\"`$])/g, '$1') : raw]]
    })
    const mine = Object.entries(read('systemd', text)).filter(([name]) => found.some(([one]) => one === name))
    expect([text, Object.fromEntries(mine)]).toEqual([text, Object.fromEntries(found)])
  }
})

function hasSystemd(): boolean {
  if (existsSync(generator)) return true
  console.log(`skipped: ${generator} is not on this machine`)
  return false
}

describe('values that differ from program to program', () => {
  // Columns as tried on the programs: compose-go, dotenv 17, systemd 252, dash, docker, Node 20.
  const rows: readonly [text: string, ...values: (string | undefined)[]][] = [
    ['A=plain # c', 'plain', 'plain', 'plain # c', 'plain', 'plain # c', 'plain'],
    ['A=va#lue', 'va#lue', 'va', 'va#lue', 'va#lue', 'va#lue', 'va'],
    [
      "A='x $HOME \\n'",
      'x $HOME \\n',
      'x $HOME \\n',
      'x $HOME \\n',
      'x $HOME \\n',
      "'x $HOME \\n'",
      'x $HOME \\n',
    ],
    ['A="\\n"', '\n', '\n', '\\n', '\\n', '"\\n"', '\n'],
    ['A="a \\" b"', 'a " b', 'a \\" b', 'a " b', 'a " b', '"a \\" b"', 'a \\'],
    ['A=a$$b', 'a$b', 'a$$b', 'a$$b', undefined, 'a$$b', 'a$$b'],
    [
      'A=back\\slash\\t',
      'back\\slash\\t',
      'back\\slash\\t',
      'backslasht',
      'backslasht',
      'back\\slash\\t',
      'back\\slash\\t',
    ],
    ['A=`x`', '`x`', 'x', '`x`', undefined, '`x`', 'x'],
    ['A=un$HOME', undefined, 'un$HOME', 'un$HOME', undefined, 'un$HOME', 'un$HOME'],
    ["A='it\\'s'", "it's", "it\\'s", undefined, undefined, "'it\\'s'", 'it\\'],
  ]
  it.each(rows)('%s', (text, ...wanted) => {
    const order: readonly Dialect[] = ['compose', 'dotenv', 'systemd', 'sh', 'docker', 'node']
    for (const [i, dialect] of order.entries()) {
      if (dialect === 'systemd' && wanted[i] === undefined) continue
      expect([dialect, read(dialect, `${text}\n`)['A']]).toEqual([dialect, wanted[i]])
    }
  })
})

describe('editing', () => {
  const place = (dialect: Dialect) => ({ dialect, path: '.env' })
  const secret = fc.oneof(
    fc.string({ maxLength: 12 }).filter(text => !text.includes('\0')),
    value,
  )

  it.each(dialects)(
    '%s: either reads back, and nothing else moves, or is refused without the value',
    dialect => {
      let written = 0
      fc.assert(
        fc.property(file, fc.constantFrom('A', 'NEW'), secret, (text, name, wanted) => {
          const before = parseEnv(dialect, text).statements.filter(one => one.name !== name)
          let edited: string
          try {
            edited = setValues(place(dialect), text, new Map([[name, wanted]]))
          } catch (error) {
            expect((error as { code?: string }).code).toBe('E_ENV_FILE')
            return
          }
          written++
          const after = parseEnv(dialect, edited)
          expect(after.statements.find(one => one.name === name)?.value).toBe(wanted)
          const rest = after.statements.filter(one => one.name !== name)
          expect(rest.map(one => edited.slice(one.start, one.rawEnd))).toEqual(
            before.map(one => text.slice(one.start, one.rawEnd)),
          )
          expect(setValues(place(dialect), edited, new Map([[name, wanted]]))).toBe(edited)
        }),
        { numRuns: 400 },
      )
      expect(written).toBeGreaterThan(20)
    },
  )

  it('keeps comments, order, quotes and spaces', () => {
    const text = "# head\n\nexport A = 'old'  # note\nB=2\r\n;\n"
    expect(
      setValues(
        place('compose'),
        text.replace(';\n', ''),
        new Map([
          ['A', 'new'],
          ['C', '3'],
        ]),
      ),
    ).toBe("# head\n\nexport A = 'new'  # note\nB=2\r\nC=3\n")
  })
  it('removes whole lines', () => {
    expect(removeNames(place('compose'), 'A=1\nB="x\ny" # z\nC=3\n', ['B'])).toBe('A=1\nC=3\n')
  })
  it('prefers what most programs read alike', () => {
    expect(setValues(place('compose'), '', new Map([['A', 'a#b']]))).toBe("A='a#b'\n")
    expect(setValues(place('compose'), 'A="old"\n', new Map([['A', 'abc123']]))).toBe('A=abc123\n')
    expect(disagreeing("A='a#b'\n", ['A'], 'compose')).toEqual(['docker'])
  })
  it('refuses a duplicate with both lines', () => {
    expect(() => setValues(place('compose'), 'A=1\n\nA=2\n', new Map([['B', '1']]))).toThrow(
      '.env:3: A is defined on line 1 already',
    )
  })
})
