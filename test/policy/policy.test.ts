// The policy: what is read, what is refused and where; when a secret is due; and the forms for other programs.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { RotaError } from '../../src/core/error.ts'
import type { Duty } from '../../src/core/policy.ts'
import type { Clean } from '../../src/core/redact.ts'
import { parsePolicy } from '../../src/load/policy.ts'
import { modules } from '../../src/modules/index.generated.ts'
import { createRegistry } from '../../src/modules/registry.ts'
import { renderCalendar } from '../../src/policy/calendar.ts'
import { type Job, periods, quoteWord, renderCronTime, selectPeriod } from '../../src/policy/job.ts'
import { renderCron, renderSystemd } from '../../src/policy/machine.ts'
import { renderGithub, renderGitlab } from '../../src/policy/pipeline.ts'
import { renderPrometheus } from '../../src/policy/prometheus.ts'
import { type Agreement, decideReportExit, decideStanding, type Report } from '../../src/policy/standing.ts'
import { renderJsonReport, renderTable } from '../../src/policy/table.ts'
import { hasProgram } from '../modules/sandbox.ts'

const registry = createRegistry(modules)
const DAY_MS = 86_400_000
const whole = `- name: panel
  hosts: panel
  playbook: rotate.yml
  read:
    - env_read: { path: /x }
      register: now
  secrets:
    KEY:
      class: password
      cryptoperiod: 90d
      owner: a@b
      consumers: [one, two]
      tra: TRA-1
      rotated: 2026-10-01
      agrees:
        - lineinfile: { path: /y, line: "{{ now.env.KEY }}" }
`

describe('the loader', () => {
  it('reads what an application owes', () => {
    const { applications } = parsePolicy(whole, '/p/rota.yml', { registry })
    expect(applications).toMatchObject([
      {
        name: 'panel',
        playbook: '/p/rotate.yml',
        duties: [
          {
            secret: 'KEY',
            class: 'password',
            cryptoperiodMs: 90 * DAY_MS,
            warnMs: 14 * DAY_MS,
            owner: 'a@b',
            consumers: ['one', 'two'],
            tra: 'TRA-1',
            rotated: '2026-10-01T00:00:00.000Z',
            agrees: [{ module: 'lineinfile' }],
          },
        ],
        play: { hosts: 'panel', gatherFacts: false, tasks: [{ module: 'env_read' }] },
      },
    ])
  })

  const but = (from: string, to: string): string => whole.replace(from, to)
  it.each<[string, string, string, RegExp, number]>([
    ['no list', 'a: 1', 'E_POLICY', /a policy is a list of applications/, 1],
    ['an empty file', '', 'E_POLICY', /a policy is a list of applications/, 1],
    ['a word in the list', '- panel', 'E_POLICY', /an application is a mapping, not the text "panel"/, 1],
    ['no owner', but('      owner: a@b\n', ''), 'E_POLICY', /a secret of a policy needs owner/, 8],
    ['a misspelt key', but('cryptoperiod', 'cryptoperoid'), 'E_POLICY', /has no keyword cryptoperoid/, 10],
    ['a period without a unit', but('90d', '90'), 'E_POLICY', /cryptoperiod is no length of time: 90/, 10],
    ['a period of nothing', but('90d', '0d'), 'E_POLICY', /cryptoperiod is no length of time: 0d/, 10],
    ['a date that is none', but('2026-10-01', '2026-13-45'), 'E_POLICY', /rotated is no date/, 14],
    [
      'a template where hosts cannot differ',
      but('a@b', '"{{ x }}"'),
      'E_POLICY',
      /owner cannot be a template/,
      11,
    ],
    [
      'a secret that is no mapping',
      '- name: a\n  hosts: a\n  playbook: p\n  secrets: { K: 90d }',
      'E_POLICY',
      /K wants a mapping/,
      4,
    ],
    ['a module that is none', but('lineinfile', 'lineinfil'), 'E_MODULE', /no module/, 16],
    [
      'an option that is none',
      but('line:', 'lime:'),
      'E_PARAMS',
      /Unsupported parameters for \(lineinfile\) module: lime/,
      16,
    ],
    [
      'an include',
      but('lineinfile: { path: /y, line: "{{ now.env.KEY }}" }', 'include_tasks: x.yml'),
      'E_POLICY',
      /agrees takes single tasks/,
      16,
    ],
    ['two of one name', whole + whole, 'E_POLICY', /two applications panel/, 17],
  ])('refuses %s, and says where', (_, text, code, says, line) => {
    const found = (): unknown => parsePolicy(text, 'rota.yml', { registry })
    expect(found).toThrow(RotaError)
    try {
      found()
    } catch (error) {
      const problems = (error as RotaError).problems
      const hit = problems.find(({ message }) => says.test(message))
      expect(hit, problems.map(({ message }) => message).join('\n')).toBeDefined()
      expect(hit).toMatchObject({ code, at: { file: 'rota.yml', line } })
      expect(hit!.hint).toBeTruthy()
    }
  })
})

const [application] = parsePolicy(whole, 'rota.yml', { registry }).applications
const duty = application!.duties[0]!
const stand = (
  more: Partial<Duty>,
  at: string | undefined,
  now: Date,
  agreements: readonly Agreement[] = [],
) =>
  decideStanding(
    {
      application: application!,
      host: 'h',
      duty: { ...duty, rotated: undefined, ...more },
      last: at === undefined ? undefined : { at, run: 'r', evidence: 'valid' },
      agreements,
      open: [],
    },
    now,
  )

describe('how a secret stands', () => {
  it('is ok, then due, then overdue, and never comes back by itself', () => {
    const order = ['ok', 'due', 'overdue']
    const ms = fc.integer({ min: 0, max: 400 * DAY_MS })
    fc.assert(
      fc.property(
        ms,
        ms,
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 0, max: 30 }),
        (a, b, period, warn) => {
          const more = { cryptoperiodMs: period * DAY_MS, warnMs: warn * DAY_MS }
          const at = '2026-01-01T00:00:00.000Z'
          const [early, late] = [Math.min(a, b), Math.max(a, b)].map(
            offset => stand(more, at, new Date(Date.parse(at) + offset)).timeliness,
          )
          expect(order.indexOf(late!)).toBeGreaterThanOrEqual(order.indexOf(early!))
          expect(late === 'overdue').toBe(Math.max(a, b) >= period * DAY_MS)
        },
      ),
    )
  })
  it('goes by the policy where rota knows nothing, and says when nobody does', () => {
    const now = new Date('2026-11-01')
    expect(stand({ rotated: '2026-10-01T00:00:00.000Z' }, undefined, now)).toMatchObject({
      timeliness: 'ok',
      ageMs: 31 * DAY_MS,
    })
    expect(stand({}, undefined, now)).toMatchObject({ timeliness: 'unknown', dueAt: undefined })
    expect(stand({ rotated: '2020-01-01T00:00:00.000Z' }, '2026-10-30T00:00:00.000Z', now)).toMatchObject({
      ageMs: 2 * DAY_MS,
    })
  })
})

const now = new Date('2026-11-23T08:00:00.000Z')
const odd = stand({ owner: 'a "quoted" \\ owner\n, with; marks' }, '2026-08-01T00:00:00.000Z', now, [
  { check: 'the copy', found: 'differs', message: 'other' as Clean },
  { check: 'the database', found: 'unknown', message: 'no answer' as Clean },
])
const report: Report = {
  at: now.toISOString(),
  standings: [odd, stand({}, undefined, now)],
  open: [],
  unreachable: ['down'],
}

describe('a report', () => {
  it('ends with the worst that was found', () => {
    const ok: Report = { ...report, standings: [stand({}, '2026-11-20T00:00:00.000Z', now)], unreachable: [] }
    const open = { run: 'r', state: 'held', ways: [], graceUntil: {}, isHeld: true, isAwaiting: false }
    expect(decideReportExit(ok)).toBe('ok')
    expect(decideReportExit({ ...ok, open: [{ ...open, isHeld: false, isAwaiting: true }] })).toBe('awaiting')
    expect(decideReportExit({ ...ok, unreachable: ['h'] })).toBe('unreachable')
    expect(decideReportExit({ ...report, standings: [stand({}, undefined, now)] })).toBe('overdue')
    expect(decideReportExit(report)).toBe('drift')
    expect(decideReportExit({ ...report, open: [open] })).toBe('held')
  })
  it('says in a table what disagrees and who did not answer', () => {
    const text = renderTable(report)
    expect(text).toContain('OVERDUE 24d')
    expect(text).toContain('UNKNOWN AGE')
    expect(text).toContain('h KEY: DRIFT, the copy: other')
    expect(text).toContain('h KEY: not asked, the database: no answer')
    expect(text).toContain('down: not reached')
  })
  it('is JSON for programs', () => {
    expect(JSON.parse(renderJsonReport(report))).toMatchObject({
      secrets: [{ timeliness: 'overdue', ageSeconds: 9_878_400, run: 'r' }, { timeliness: 'unknown' }],
      unreachable: ['down'],
    })
  })
  it('is what Prometheus reads: each line a sample or a comment, labels escaped', () => {
    const lines = renderPrometheus(report).trimEnd().split('\n')
    const sample = /^[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)*\})? -?\d+$/
    expect(lines.filter(line => !line.startsWith('# ') && !sample.test(line))).toEqual([])
    expect(lines.find(line => line.startsWith('rota_secret_overdue'))).toMatch(
      /owner="a \\"quoted\\" \\\\ owner\\n, with; marks"\} 1$/,
    )
  })
  it('is a calendar: folded to 75 bytes, with CRLF, and unfolds to what was said', () => {
    const text = renderCalendar(report)
    expect(text.split('\r\n').every(line => Buffer.byteLength(line) <= 75)).toBe(true)
    expect(text.replaceAll('\r\n', '')).not.toContain('\n')
    const lines = text.replaceAll('\r\n ', '').split('\r\n')
    expect(lines).toContain('DTSTART;VALUE=DATE:20261030')
    expect(lines).toContain('DESCRIPTION:h: KEY (a "quoted" \\\\ owner\\n\\, with\\; marks)')
    expect(lines.filter(line => line === 'BEGIN:VEVENT').length).toBe(1)
  })
})

describe('schedules', () => {
  const jobs: Job[] = [
    {
      name: 'rota-panel',
      say: 'Rotate 100% of the panel',
      every: 'quarterly',
      args: ['run', "play's book.yml", '-i', 'a%b'],
    },
    { name: 'rota-status', say: 'Status', every: 'daily', args: ['status'] },
  ]
  const site = { folder: '/srv/my rota', user: 'ops', rota: ['/bin/true', '/opt/rota.mjs'] }

  it('keeps the shortest cryptoperiod, or comes as near as a day', () => {
    expect(selectPeriod([90 * DAY_MS, 31 * DAY_MS])).toBe('monthly')
    expect(selectPeriod([30 * DAY_MS])).toBe('weekly')
    expect(selectPeriod([3_600_000])).toBe('daily')
    expect(selectPeriod([400 * DAY_MS])).toBe('yearly')
  })
  it.each(periods)('says %s in five fields', every => {
    expect(renderCronTime({ ...jobs[0]!, every })).toMatch(/^[0-5]?\d 3 (\*|1) (\*|1|1,4,7,10) (\*|1)$/)
  })
  it('quotes a word so that sh gives it back', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 8 }).filter(text => !text.includes('\0')),
        word => {
          const { stdout } = spawnSync('sh', ['-c', `printf '%s' ${quoteWord(word) || "''"}`], {
            encoding: 'utf8',
          })
          expect(stdout).toBe(word)
        },
      ),
      { numRuns: 30 },
    )
  })
  it('is a crontab in which % is no end of the command', () => {
    const [file] = renderCron(jobs, site)
    expect(file!.text).toContain(
      "cd '/srv/my rota' && /bin/true /opt/rota.mjs run 'play'\\''s book.yml' -i a\\%b\n",
    )
  })
  it('is a workflow that YAML reads, with no value of a secret in a command', () => {
    for (const { text } of renderGithub(jobs)) {
      const workflow = parse(text)
      const steps = workflow.jobs.rota.steps as { run?: string; env?: Record<string, string> }[]
      expect(workflow.on.schedule[0].cron).toMatch(/^\d+ 3 /)
      expect(steps.flatMap(({ run = '' }) => run.match(/\$\{\{/) ?? [])).toEqual([])
      expect(Object.keys(steps.find(({ env }) => env)!.env!)).toEqual([
        'ROTA_IDENTITY',
        'ROTA_KNOWN_HOSTS',
        'ROTA_SSH_KEY',
      ])
    }
    expect(Object.keys(parse(renderGitlab(jobs)[0]!.text))).toEqual(['rota-panel', 'rota-status'])
  })
  const hasAnalyze = hasProgram('systemd-analyze')
  if (!hasAnalyze) console.log('skipped: systemd-analyze is not installed')
  it.runIf(hasAnalyze)('is units that systemd-analyze verifies', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-units-'))
    const files = renderSystemd(jobs, { ...site, folder: '/srv', user: 'root' })
    for (const { path, text } of files) writeFileSync(join(folder, path), text)
    const { status, stderr } = spawnSync(
      'systemd-analyze',
      ['verify', ...files.map(({ path }) => join(folder, path))],
      { encoding: 'utf8' },
    )
    rmSync(folder, { recursive: true })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})
