// Every YAML example of README and docs is loaded as a user's would be; every link between pages leads somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadPlaybook, parsePlaybook } from '../src/load/playbook.ts'
import { parsePolicy } from '../src/load/policy.ts'
import { modules } from '../src/modules/index.generated.ts'
import { createRegistry } from '../src/modules/registry.ts'

const root = resolve(import.meta.dirname, '..')
const registry = createRegistry(modules)
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(name => `docs/${name}`),
].filter(name => name.endsWith('.md'))

/** Tasks alone become the tasks of a play. */
function asPlaybook(text: string): string {
  if (/^- (hosts|import_playbook|name: .*\n {2}hosts):/m.test(text)) return text
  return `- hosts: all\n  tasks:\n${text.replace(/^(?=.)/gm, '    ')}`
}

/** Applications have a playbook and secrets; everything else is a playbook or tasks. Throws when it does not load. */
function countParts(text: string, page: string): number {
  return /^ {2}playbook:/m.test(text) && /^ {2}secrets:/m.test(text)
    ? parsePolicy(text, page, { registry }).applications.length
    : parsePlaybook(asPlaybook(text), page, { registry }).plays.length
}

describe.each(pages)('%s', page => {
  const text = readFileSync(join(root, page), 'utf8')
  const examples = [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(match => match[1]!)
  it(`has ${examples.length} examples that load`, () => {
    for (const example of examples) expect(countParts(example, page)).toBeGreaterThan(0)
  })
  it('has no dead link', () => {
    const links = [...text.matchAll(/\]\(([^)#:\s]+)\)/g)].map(match => match[1]!)
    expect(links.filter(link => !existsSync(resolve(root, dirname(page), link)))).toEqual([])
  })
})

it('the playbooks that rota ships load', () => {
  const files = readdirSync(join(root, 'playbooks')).filter(
    name => name.endsWith('.yml') && name !== 'rota.yml',
  )
  expect(files).toContain('rotate-production-secrets.yml')
  for (const file of files)
    expect(relative(root, loadPlaybook(join(root, 'playbooks', file), { registry }).file)).toBe(
      `playbooks/${file}`,
    )
})
