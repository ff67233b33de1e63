import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import type { RunEvent, Stamped } from '../../src/core/event.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { toValue } from '../../src/core/value.ts'
import { dumpYaml } from '../../src/load/yaml-dump.ts'
import { renderDiff } from '../../src/report/diff.ts'
import { type Display, defaultDisplay } from '../../src/report/display.ts'
import { renderProblem, renderProblems } from '../../src/report/problem.ts'
import { renderSafe } from '../../src/report/safe-text.ts'
import { createStream } from '../../src/report/stream.ts'
import { createTextReporter } from '../../src/report/text.ts'

const { clean } = createRedactor()
const plain = new Chalk({ level: 0 })
const now = () => new Date('2026-11-23T00:00:00Z')

function textOf(events: readonly RunEvent[], verbosity = 0, display: Partial<Display> = {}): string {
  let text = ''
  const reporter = createTextReporter({
    paint: plain,
    write: more => {
      text += more
    },
    writeError: more => {
      text += more.replace(/^(?=.)/gm, '2> ')
    },
    verbosity,
    display: { ...defaultDisplay, ...display },
    renderYaml: (data, indent, asBlocks) => dumpYaml(toValue(data), { indent, asBlocks, isFlow: false }),
    readLine: (_, line) => (line === 3 ? '\t- coppy: x' : undefined),
    columns: 30,
  })
  const stream = createStream([reporter], { now, warn: more => expect(more).toBe('') })
  for (const event of events) stream.emit(event)
  return text
}
const recap = { ok: 2, changed: 1, unreachable: 0, failed: 0, skipped: 0, rescued: 0, ignored: 0, unknown: 0 }

it('lets a host do nothing to the terminal but colour it', () => {
  const title = '\u001b]0;x\u0007\u001b[2Ja\u001b[31mred\u001b[0m\r\n\tb\u202e\u009b1m\u007f'
  expect(renderSafe(title)).toBe('\\x1b]0;x\\x07\\x1b[2Ja\u001b[31mred\u001b[0m\n\tb\\u{202e}\\x9b1m\\x7f')
})

it('of many problems shows twenty and their number', () => {
  const many = Array.from({ length: 30 }, (_, n) => ({ code: 'E_PARAMS', message: `p${n}` }) as const)
  const said = renderProblems(many, plain, () => undefined).split('\n')
  expect(said).toHaveLength(22)
  expect(said.slice(-2)).toEqual(['… and 10 more', expect.stringMatching(/^30 problems: /)])
})

describe('the text reporter', () => {
  it('shows results in lines from -vvv on, and says once more of a loop that no_log hides that it does', () => {
    const task = { task: '1', host: 'a' } as const
    const end = { type: 'host.end', ...task, status: 'ok', elapsedMs: 1 } as const
    const said = clean('{"b":1,"a":{"c":[]}}')
    const ok = 'ok: [a] => {\n    "a": {\n        "c": []\n    },\n    "b": 1\n}\n'
    expect(textOf([{ ...end, result: said }], 3)).toBe(ok)
    const item = { type: 'host.item', ...task, status: 'ok', label: clean('x') } as const
    expect(textOf([item, { ...end, result: said }], 1)).toBe('ok: [a] => (item=x)\n')
    expect(textOf([item, { ...end, result: said, censored: true }], 3)).toBe(`ok: [a] => (item=x)\n${ok}`)
  })

  it('prints a play as an Ansible user knows it', () => {
    const task = { task: '1', host: 'web1' } as const
    expect(
      textOf([
        { type: 'play.start', play: '1', name: clean('all'), hosts: ['web1'] },
        {
          type: 'task.start',
          task: '1',
          name: clean('copy it'),
          module: 'copy',
          place: 'a.yml:1:1',
          handler: false,
        },
        { type: 'host.item', ...task, status: 'changed', label: clean('x') },
        { type: 'host.end', ...task, status: 'changed', elapsedMs: 1, result: clean('{}') },
        { type: 'run.end', run: 'r', exit: 0, recap: { web1: recap } },
      ]),
    ).toBe(`
PLAY [all] *******************

TASK [copy it] ***************
changed: [web1] => (item=x)

PLAY RECAP *******************
web1                       : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   

`)
  })

  it('puts a failure with its place, a caret and what to type next under the host', () => {
    const text = textOf([
      {
        type: 'host.end',
        task: '1',
        host: 'web1',
        status: 'failed',
        elapsedMs: 1,
        message: clean('two\nlines'),
        result: clean('{"rc":3,"msg":"two\\nlines"}'),
        problem: {
          code: 'E_MODULE',
          message: 'no module coppy',
          at: { file: 'a.yml', line: 3, col: 4 },
          hint: 'did you mean copy?',
        },
      },
    ])
    expect(text).toBe(`fatal: [web1]: FAILED! => {"msg": "two\\nlines", "rc": 3}
    E_MODULE no module coppy
      a.yml:3:4
      3 | \t- coppy: x
        | \t  ^
      → did you mean copy?
`)
  })

  it('shows what debug says always, as ansible-playbook does, and the results of items with -v', () => {
    const start = (module: string) =>
      ({
        type: 'task.start',
        task: '1',
        name: clean(module),
        module,
        place: 'a.yml:1:1',
        handler: false,
      }) as const
    const end = { task: '1', host: 'h', status: 'ok', result: clean('{"b":[1,null],"a":true}') } as const
    const said = { ...end, type: 'host.end', elapsedMs: 1, message: clean('a "b"') } as const
    const debugged = { ...said, result: clean('{"msg":"a \\"b\\"","changed":false}') }
    expect(textOf([start('debug'), debugged], 1)).toContain('ok: [h] => {\n    "msg": "a \\"b\\""\n}\n')
    const item = { ...end, type: 'host.item', label: clean('x') } as const
    expect(textOf([start('command'), item, said], 1)).toContain(
      'ok: [h] => (item=x) => {"a": true, "b": [1, null]}\n',
    )
    expect(textOf([{ ...item, status: 'failed' }])).toBe(
      'failed: [h] (item=x) => {"a": true, "b": [1, null]}\n',
    )
    expect(textOf([{ ...said, status: 'ignored' }])).toContain('...ignoring\n')
    const asserted = { ...said, result: clean('{"msg":"fine","changed":false,"failed":false}') }
    expect(textOf([start('assert'), asserted])).toContain(
      'ok: [h] => {\n    "changed": false,\n    "msg": "fine"\n}\n',
    )
    expect(textOf([start('assert'), { ...asserted, message: clean('') }])).toMatch(/\nok: \[h\]\n$/)
    const included = { ...said, message: clean('included: /a.yml') }
    expect(textOf([start('include_tasks'), included])).toMatch(/\nincluded: \/a.yml for h\n$/)
  })

  it('sums up what set_stats says, when it is asked to', () => {
    const start = {
      task: '1',
      name: clean('s'),
      module: 'set_stats',
      place: 'a.yml:1:1',
      handler: false,
    } as const
    const say = (host: string, data: object, more: object = {}) =>
      ({
        type: 'host.end',
        task: '1',
        host,
        status: 'ok',
        elapsedMs: 1,
        result: clean(JSON.stringify({ ansible_stats: { data, per_host: false, aggregate: true, ...more } })),
      }) as const
    const events = [
      { type: 'task.start', ...start },
      say('a', { n: 10, t: 'x', l: [1], d: { a: 1 }, odd: 1 }),
      say('b', { n: 15, t: 'y', l: [2], d: { b: 2 }, odd: 'no' }),
      say('b', { own: 1 }, { per_host: true }),
      say('b', { n: 26 }, { aggregate: false }),
      { type: 'run.end', run: 'r', exit: 0, recap: { a: recap } },
    ] as const
    expect(textOf(events)).not.toContain('CUSTOM')
    const lines = textOf(events, 0, { showsCustomStats: true }).split('\n')
    expect(lines.slice(lines.findIndex(line => line.startsWith('CUSTOM STATS: *')) + 1)).toEqual([
      '\tb: {"own": 1}',
      '\tRUN: {"d": {"a": 1, "b": 2}, "l": [1, 2], "n": 26, "odd": 1, "t": "xy"}',
      '',
    ])
  })

  it('shows what the settings of the default callback ask for', () => {
    const start = (task: string) =>
      ({
        type: 'task.start',
        task,
        name: clean(`t${task}`),
        module: 'debug',
        place: '/a.yml:1:2',
        handler: false,
      }) as const
    const end = (task: string, status: 'ok' | 'changed' | 'skipped' | 'ignored') =>
      ({
        type: 'host.end',
        task,
        host: 'h',
        status,
        elapsedMs: 1,
        result: clean('{"msg":"a\\nb","x":1}'),
      }) as const
    const play = { type: 'play.start', play: '1', name: clean('p'), hosts: ['h'] } as const
    const tasks = [
      start('1'),
      end('1', 'ok'),
      start('2'),
      end('2', 'skipped'),
      start('3'),
      end('3', 'ignored'),
    ]
    expect(
      textOf([play, ...tasks], 0, { showsOk: false, showsSkipped: false, showsPathOnFailure: true }),
    ).toBe(`
PLAY [p] *********************

TASK [t3] ********************
task path: /a.yml:1
fatal: [h]: FAILED! => {
    "msg": "a\\nb"
}
...ignoring
`)
    const yaml = textOf([start('1'), end('1', 'ignored')], 0, { format: 'yaml', sendsFailuresToStderr: true })
    expect(yaml).toContain(
      '2> fatal: [h]: FAILED! => \n2>     msg: |-\n2>         a\n2>         b\n...ignoring',
    )
    const free = [{ ...play, free: true }, start('1'), start('2'), end('2', 'changed'), end('1', 'changed')]
    expect(textOf(free).match(/t\d|changed/g)).toEqual(['t2', 'changed', 't1', 'changed'])
    const check = [
      { ...play, check: true },
      { ...start('1'), check: true },
    ]
    expect(textOf(check, 0, { marksCheckMode: true })).toMatch(
      /PLAY \[p\] \[CHECK MODE\] \*+\n\nTASK \[t1\] \[CHECK MODE\]/,
    )
    expect(textOf(check)).not.toContain('CHECK MODE')
  })

  it('names a host that failed by a missing role under the counts, which hold it nowhere', () => {
    const end = { type: 'run.end', run: 'r', exit: 2, recap: { a: recap }, missingRole: ['b'] } as const
    const lines = textOf([end]).trimEnd().split('\n')
    expect(lines.at(-2)).toMatch(/^a {26}: ok=/)
    expect(lines.at(-1)).toBe(`${'b'.padEnd(26)} : failed, a role is missing (no count has room for that)`)
  })

  it('says a check once: its mark stands for the ok of its host', () => {
    const end = { type: 'host.end', task: '1', host: 'h', status: 'ok', elapsedMs: 1 } as const
    const check = { type: 'check', host: 'h', name: clean('healthy'), ok: true } as const
    expect(textOf([check, end, end])).toBe('✔ [h] healthy\nok: [h]\n')
    expect(
      textOf([
        { ...check, ok: false, message: clean('500') },
        { ...end, status: 'failed' },
      ]),
    ).toBe('✘ [h] healthy (500)\n')
  })

  it('shows a result only with -v and an unknown count only when there is one', () => {
    const end = {
      type: 'host.end',
      task: '1',
      host: 'h',
      status: 'ok',
      elapsedMs: 1,
      result: clean('{"rc": 0}'),
    } as const
    expect(textOf([end])).not.toContain('rc')
    expect(textOf([end], 1)).toContain('{"rc": 0}')
    expect(
      textOf([{ type: 'run.end', run: 'r', exit: 16, recap: { h: { ...recap, unknown: 1 } } }]),
    ).toContain('unknown=1')
  })
})

it('a reporter that throws is dropped and said once; a required one stops the run', () => {
  const seen: Stamped[] = []
  const warnings: string[] = []
  const broken = {
    on: () => {
      throw new Error('disk full')
    },
    close: async () => {},
  }
  const good = { on: (event: Stamped) => void seen.push(event), close: async () => {} }
  const stream = createStream([broken, good], { now, warn: text => void warnings.push(text) })
  for (let i = 0; i < 2; i++) stream.emit({ type: 'note', level: 'info', text: clean('x') })
  expect(seen.map(event => [event.seq, event.at])).toEqual([
    [0, '2026-11-23T00:00:00.000Z'],
    [1, '2026-11-23T00:00:00.000Z'],
  ])
  expect(warnings).toEqual(['a reporter failed and was dropped: disk full'])
  const required = createStream([], { required: [broken], now, warn: () => {} })
  expect(() => required.emit({ type: 'note', level: 'info', text: clean('x') })).toThrow('disk full')
})

it('counts several problems and shows each', () => {
  const problems = [
    { code: 'E_PARAMS', message: 'a' },
    { code: 'E_PARAMS', message: 'b' },
  ] as const
  expect(renderProblems(problems, plain, () => undefined)).toBe(
    'ERROR! a (E_PARAMS)\nERROR! b (E_PARAMS)\n2 problems: a playbook, inventory, variable or other input is wrong; unless tasks had begun to run, nothing was touched',
  )
})

it('diffs two shown states and says nothing for equal ones', () => {
  const before = { header: '/etc/x (before)', text: 'a\nb\n' }
  expect(renderDiff(before, before)).toBe('')
  expect(renderDiff(before, { header: '/etc/x (after)', text: 'a\nc\n' })).toBe(
    '--- before: /etc/x (before)\n+++ after: /etc/x (after)\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n',
  )
})

it('shows a long line only near the caret', () => {
  const line = `${'a'.repeat(400)}X${'b'.repeat(400)}`
  const problem = { code: 'E_YAML', message: 'odd', at: { file: 'f', line: 3, col: 401 } } as const
  const shown = renderProblem(problem, plain, () => line).split('\n')
  expect(shown[2]!.length).toBeLessThan(140)
  expect(shown[2]![shown[3]!.indexOf('^')]).toBe('X')
})
