// Real YAML playbooks through the real loader, template engine, modules and local shell.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RunEvent } from '../../src/core/event.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { Connections, Session } from '../../src/core/remote.ts'
import type { Scope, Value } from '../../src/core/value.ts'
import { loadInventory } from '../../src/inventory/inventory.ts'
import { selectHosts } from '../../src/inventory/pattern.ts'
import { checkArgs } from '../../src/load/params.ts'
import { loadPlaybook, loadTasks } from '../../src/load/playbook.ts'
import { loadVarsFile } from '../../src/load/vars-file.ts'
import { parseAll, parseYaml } from '../../src/load/yaml.ts'
import { modules } from '../../src/modules/index.generated.ts'
import { withLibrary } from '../../src/modules/library.ts'
import { createRegistry } from '../../src/modules/registry.ts'
import { renderDiff } from '../../src/report/diff.ts'
import { type RunDeps, type RunEnd, runPlaybooks, type Settings } from '../../src/run/engine.ts'
import { createTemplar } from '../../src/template/templar.ts'
import { scopeOf } from '../../src/vars/scope.ts'
import { openLocalSession } from '../support/local-session.ts'
import { plainSettings } from './settings.ts'

const registry = withLibrary(createRegistry(modules))
const templar = createTemplar({
  now: () => new Date(0),
  random: () => 0.5,
  env: name => process.env[name],
  parseYaml: (text, file) => parseYaml(text, file).value,
  parseYamlAll: (text, file) => parseAll(text, file).map(doc => doc.value),
  dumpYaml: value => JSON.stringify(value),
})

export interface Real extends RunEnd {
  readonly events: readonly RunEvent[]
}

/** A folder with these files; removed by `remove`. */
export function makeFolder(files: Readonly<Record<string, string>>): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'rota-run-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

function localConnections(): Connections {
  const sessions = new Map<string, Promise<Session>>()
  return {
    open(address) {
      const session = sessions.get(address.name) ?? openLocalSession()
      sessions.set(address.name, session)
      return session
    },
    async reset(address) {
      await (await sessions.get(address.name))?.close()
      sessions.delete(address.name)
    },
    async close() {
      for (const session of sessions.values()) await (await session).close()
    },
  }
}

const hosts = ['h1', 'h2', 'h3']
export const hostsFile = `[lab]\n${hosts.map(host => `${host} ansible_connection=local`).join('\n')}\n`

/** From `hosts` beside the playbook. */
async function readInventory(folder: string): ReturnType<typeof loadInventory> {
  if (!existsSync(join(folder, 'hosts'))) writeFileSync(join(folder, 'hosts'), hostsFile)
  return loadInventory([join(folder, 'hosts')], { playbookFolders: [folder] })
}

/** Runs a playbook file with three hosts that are all this machine. */
export async function runReal(
  file: string,
  settings: Partial<Settings> = {},
  more: Partial<RunDeps> = {},
): Promise<Real> {
  const events: RunEvent[] = []
  const connections = localConnections()
  const deps: RunDeps = {
    registry,
    templar,
    connections,
    inventory: await readInventory(dirname(file)),
    settings: { ...plainSettings, ...settings },
    redactor: createRedactor(),
    emit: event => events.push(event),
    stop: new AbortController().signal,
    now: () => new Date(),
    random: size => Buffer.alloc(size),
    checkArgs,
    loadPlaybook: path => loadPlaybook(path, { registry }),
    loadTasks: path => loadTasks(path, { registry }),
    loadHandlers: path => loadTasks(path, { registry, isHandlers: true }),
    loadVarsFile: path => loadVarsFile(path),
    selectHosts,
    scopeOf,
    runLookup: (name: string, terms: Value, scope: Scope) => templar.runLookup(name, terms, scope),
    addressOf: name => ({
      name,
      transport: 'local',
      host: name,
      identityFiles: [],
      hostKeyChecking: 'strict',
      sshArgs: [],
      connectTimeoutMs: 1000,
      shell: '/bin/sh',
    }),
    becomeOf: () => undefined,
    renderDiff,
    backupFolder: async () => tmpdir(),
    seal: () => Promise.reject(new Error('no seal')),
    openVault: () => {
      throw new Error('no vault')
    },
    unseal: () => Promise.reject(new Error('no seal')),
    ...more,
  }
  try {
    return { ...(await runPlaybooks([loadPlaybook(file, { registry })], deps)), events }
  } finally {
    await connections.close()
  }
}
