// Broken playbooks in, problems with line and column out. The cases are text: `## name`, playbook, `=>`, problems.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RotaError } from '../../src/core/error.ts'
import { parsePlaybook } from '../../src/load/playbook.ts'
import { registry } from './registry.ts'

const cases = readFileSync(join(import.meta.dirname, 'broken.cases.txt'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map(text => {
    const [, name, input, problems] = /^(.*?)\n(.*?)\n=>\n(.*?)\n*$/s.exec(text)!
    return { name: name!, input: `${input}\n`, problems: problems! }
  })

function problemsOf(input: string): string {
  try {
    parsePlaybook(input, 'site.yml', { registry })
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    return error.problems
      .map(p => `${p.at?.line}:${p.at?.col} ${p.code} ${p.message}\n    ${p.hint ?? 'no hint'}`)
      .join('\n')
  }
  return 'no problem'
}

describe('a broken playbook', () => {
  it('has many cases', () => expect(cases.length).toBeGreaterThan(45))
  it.each(cases)('$name', ({ input, problems }) => expect(problemsOf(input)).toBe(problems))
})
