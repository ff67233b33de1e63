// Every module's examples are tasks that load without a problem, against the modules there are.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadTasks } from '../../src/load/playbook.ts'
import { modules } from '../../src/modules/index.generated.ts'
import { createRegistry } from '../../src/modules/registry.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

it.each(modules.map(({ name, examples }) => ({ name, examples })))('$name', ({ name, examples }) => {
  const file = join(folder, `${name}.yml`)
  writeFileSync(file, examples)
  expect(loadTasks(file, { registry: createRegistry(modules) }).length).toBeGreaterThan(0)
})
