// The built rota and Debian's ansible-playbook on the same playbooks, over ssh to the same sshd: the status of each task, what it
// registers, the recap and the files left on the host are the same, or docs/differences.md says where they are not and why.
// What ansible-playbook does is recorded in ansible.cases.json: `RECORD=PATTERN` asks it again for the cases of that name. A
// sample is always asked live; `LIVE=1` asks for all.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoSshd } from '../support/sshd.ts'
import { type Account, type Difference, differencesOf } from './account.ts'
import { isPlace, loadListed } from './listed.ts'
import { ansibleVersion, runAnsible, runRota } from './programs.ts'
import { caseNames, openSite, type Site } from './site.ts'

interface Recorded {
  readonly ansible: string
  readonly cases: Readonly<Record<string, Account>>
}
const recordFile = join(import.meta.dirname, 'ansible.cases.json')
const MINUTES_MS = 60_000

const sample = [
  ...['block-rescue-always', 'check-mode-flag', 'copy', 'delegate-to', 'filters-lists', 'handlers-order'],
  ...['include-role', 'loop-control', 'roles-order', 'serial', 'vars-precedence', 'with-lookups'],
]

async function record(site: Site, pattern: RegExp, old: Recorded): Promise<Recorded> {
  const fresh = await runAnsible(
    site,
    caseNames.filter(name => pattern.test(name) || !(name in old.cases)),
  )
  const cases = caseNames.map((name): [string, Account] => [name, fresh[name] ?? old.cases[name]!])
  const recorded = { ansible: ansibleVersion!, cases: Object.fromEntries(cases) }
  writeFileSync(recordFile, `${JSON.stringify(recorded, undefined, 1)}\n`)
  return recorded
}

function say({ where, ansible, rota }: Difference): string {
  return `${where}\n  ansible: ${JSON.stringify(ansible)}\n  rota:    ${JSON.stringify(rota)}`
}

describe.skipIf(whyNoSshd() !== undefined)('the corpus', () => {
  const listed = loadListed()
  const found = new Map<string, readonly Difference[]>()
  let recorded: Recorded = JSON.parse(readFileSync(recordFile, 'utf8'))
  let site: Site

  beforeAll(async () => {
    site = await openSite()
    if (process.env['RECORD']) recorded = await record(site, new RegExp(process.env['RECORD']), recorded)
    const limit = pLimit(2)
    const compare = async (name: string): Promise<void> => {
      const ansible = recorded.cases[name]
      if (ansible) found.set(name, differencesOf(ansible, await runRota(site, name)))
    }
    await Promise.all(caseNames.map(name => limit(compare, name)))
  }, 15 * MINUTES_MS)
  afterAll(() => site?.close())

  it('has at least 150 playbooks', () => expect(caseNames.length).toBeGreaterThanOrEqual(150))

  it.each(caseNames)('%s', name => {
    expect(found.get(name), `record it: RECORD=^${name}$`).toBeDefined()
    const places = listed.flatMap(row => row.places)
    const unlisted = found
      .get(name)!
      .filter(({ where }) => !places.some(place => isPlace(place, name, where)))
    expect(unlisted.map(say).join('\n')).toBe('')
  })

  it('has every difference that docs/differences.md lists', () => {
    const all = [...found].flatMap(([name, differences]) =>
      differences.map(({ where }) => [name, where] as const),
    )
    const gone = listed
      .flatMap(row => row.places)
      .filter(place => !all.some(([name, where]) => isPlace(place, name, where)))
    expect(gone).toEqual([])
    expect(listed.filter(row => row.why === '')).toEqual([])
  })

  it('is what ansible-playbook does now', { timeout: 15 * MINUTES_MS }, async context => {
    if (ansibleVersion === undefined) {
      if (process.env['CI']) throw new Error('ansible-playbook is missing')
      context.skip('ansible-playbook is not installed')
    }
    if (ansibleVersion !== recorded.ansible)
      context.skip(`recorded of ansible-core ${recorded.ansible}, and this is ${ansibleVersion}`)
    const names = process.env['LIVE'] ? caseNames : sample
    const now = await runAnsible(site, names)
    const changed = names.flatMap(name =>
      differencesOf(recorded.cases[name]!, now[name]!).map(difference => `${name}: ${say(difference)}`),
    )
    expect(changed.join('\n')).toBe('')
  })
})
