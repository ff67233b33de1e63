// rota and ansible-playbook on the same playbooks: what ran where, with what result, and the recap. What Ansible says is
// recorded in oracle.cases.json; `RECORD=PATTERN` asks it again for the cases of that name. One case is always asked live, where ansible-playbook is installed.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Account, accountOf, filesOf, playFile, runAnsible, version } from './ansible.ts'
import { plays } from './oracle-plays.ts'
import { makeFolder, runReal } from './real.ts'

const recordFile = join(import.meta.dirname, 'oracle.cases.json')

async function record(): Promise<Record<string, Account>> {
  const accounts: Record<string, Account> = {}
  const wanted = new RegExp(process.env['RECORD']!)
  const old = JSON.parse(readFileSync(recordFile, 'utf8'))
  for (const [name, text] of Object.entries(plays))
    accounts[name] = wanted.test(name) ? await runAnsible(text) : old[name]
  writeFileSync(recordFile, `${JSON.stringify(accounts, undefined, 1)}\n`)
  return accounts
}
const recorded: Record<string, Account> = process.env['RECORD']
  ? await record()
  : JSON.parse(readFileSync(recordFile, 'utf8'))

for (const [name, text] of Object.entries(plays))
  it(name, async () => {
    const folder = makeFolder(filesOf(text))
    try {
      const ours = accountOf(await runReal(playFile(folder.path)))
      expect(recorded[name], 'run with RECORD=NAME after adding a case').toBeDefined()
      expect(JSON.parse(JSON.stringify(ours))).toEqual(recorded[name])
    } finally {
      folder.remove()
    }
  })

it('what was recorded is what ansible-playbook says', async context => {
  if (!version) {
    if (process.env['CI']) throw new Error('ansible-playbook is missing')
    context.skip('ansible-playbook is not installed')
  }
  expect(JSON.parse(JSON.stringify(await runAnsible(plays['rescue and always']!)))).toEqual(
    recorded['rescue and always'],
  )
})
