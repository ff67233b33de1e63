// What is handed out has to load: every playbook, tasks file and inventory, without one problem.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repository } from '../../demo/panel-host.ts'
import { loadInventory } from '../../src/inventory/inventory.ts'
import { loadPlaybook, loadTasks } from '../../src/load/playbook.ts'
import { loadPolicy } from '../../src/load/policy.ts'
import { modules } from '../../src/modules/index.generated.ts'
import { createRegistry } from '../../src/modules/registry.ts'

const registry = createRegistry(modules)
const folder = join(repository, 'playbooks')
const yamlIn = (path: string): string[] =>
  readdirSync(path)
    .filter(name => name.endsWith('.yml'))
    .map(name => join(path, name))

const policy = join(folder, 'rota.yml')
it.each(yamlIn(folder).filter(file => file !== policy))('%s is a playbook of less than 200 lines', file => {
  expect(loadPlaybook(file, { registry }).plays.length).toBeGreaterThan(0)
  expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThanOrEqual(200)
})

it('the policy has a duty for every secret that its playbook rotates', () => {
  const { applications } = loadPolicy(policy, { registry })
  expect(applications.length).toBeGreaterThan(0)
  for (const { playbook, duties } of applications) {
    const { plays } = loadPlaybook(playbook, { registry })
    const rotated = plays.flatMap(play => (play.kind === 'play' ? (play.rotation?.secrets ?? []) : []))
    expect(duties.map(({ secret }) => secret)).toEqual(rotated.map(({ name }) => name))
  }
})

it.each(yamlIn(join(folder, 'tasks')))('%s is a file of tasks', file => {
  expect(loadTasks(file, { registry }).length).toBeGreaterThan(0)
})

it('knows the production host, and the defaults of the playbooks', async () => {
  const inventory = await loadInventory([join(repository, 'inventory', 'production.yml')], {
    playbookFolders: [folder],
  })
  expect(inventory.hosts.get('my.votcloud.com')?.groups).toContain('panel')
  const names = inventory.hosts.get('my.votcloud.com')!.layers.flatMap(layer => [...layer.values.keys()])
  expect(names).toEqual(expect.arrayContaining(['ansible_host', 'panel_dir', 'compose_file']))
})
