// Every option of Ansible's module is one of ours, or is refused by name with a hint. The names are those of `ansible-doc -j`
// (ansible-core 2.14 and the collections of Debian 12), recorded: only names.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Params } from '../../src/core/params.ts'
import { checkArgs } from '../../src/load/params.ts'
import { modules } from '../../src/modules/index.generated.ts'

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'ansible-options.json'), 'utf8'),
) as Record<string, string>
const known = modules.filter(({ name }) => name in recorded)

const namesOf = (params: Params): readonly string[] =>
  Object.entries(params).flatMap(([name, { aliases = [] }]) => [name, ...aliases])

describe("Ansible's options", () => {
  it('are known of most modules', () => expect(known.length).toBeGreaterThan(50))

  it.each(known.map(module => [module.name, module] as const))('of %s are had or refused', (name, module) => {
    const ours = new Set([...namesOf(module.params), ...Object.keys(module.refused ?? {})])
    expect(recorded[name]!.split(' ').filter(option => option !== '' && !ours.has(option))).toEqual([])
  })

  it.each(known.filter(({ refused }) => refused !== undefined).map(module => [module.name, module] as const))(
    '%s says what to do instead of those that it refuses',
    (_name, module) => {
      const names = namesOf(module.params)
      for (const [option, hint] of Object.entries(module.refused!)) {
        expect(names).not.toContain(option)
        const at = { file: 'x', line: 1, col: 1 }
        expect(() => checkArgs(module, new Map([[option, 'x']]), { at })).toThrow(
          expect.objectContaining({
            problems: expect.arrayContaining([
              expect.objectContaining({
                code: 'E_PARAMS',
                hint,
                message: expect.stringContaining(`: ${option}`),
              }),
            ]),
          }),
        )
      }
    },
  )
})
