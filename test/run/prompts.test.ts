// vars_prompt: what is asked, what becomes of the answer, and that a play's hosts may be asked for.
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import { makeFolder, runReal } from './real.ts'

const made: { remove(): void }[] = []
afterEach(() => {
  for (const folder of made.splice(0)) folder.remove()
})
async function run(play: string): Promise<string[]> {
  const folder = makeFolder({ 'play.yml': play })
  made.push(folder)
  const { events } = await runReal(join(folder.path, 'play.yml'))
  return events
    .filter((event): event is Extract<RunEvent, { type: 'host.end' }> => event.type === 'host.end')
    .map(end => `${end.host}: ${end.message}`)
}
const show = '  gather_facts: false\n  tasks: [{debug: {msg: "{{ word }}"}}]\n'

it('encrypt gives the hash of the answer', async () => {
  const prompt = '[{name: word, default: secret, encrypt: sha512_crypt, salt: abc}]'
  const [shown] = await run(`- hosts: h1\n  vars_prompt: ${prompt}\n${show}`)
  expect(shown).toMatch(/^h1: \$6\$rounds=656000\$abc\$[./0-9A-Za-z]{86}$/)
})
it('an answer may name the hosts', async () => {
  expect(await run(`- hosts: "{{ word }}"\n  vars_prompt: [{name: word, default: h1}]\n${show}`)).toEqual([
    'h1: h1',
  ])
})
it('a key that a prompt does not have is refused', async () => {
  await expect(run(`- hosts: h1\n  vars_prompt: [{name: word, when: x}]\n${show}`)).rejects.toThrow(
    "Invalid vars_prompt data structure, found unsupported key 'when'",
  )
})
