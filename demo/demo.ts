// `npm run demo`: a production host, its panel and its database on this machine; a rotation, judged from outside; then one
// that goes wrong on purpose and is undone. Needs Node only: no root, no Docker, no ssh.
import { createHash } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { askDatabase, login, pages, queryDatabase, visit } from './outside.ts'
import { repository } from './panel-host.ts'
import { openSite, type Site } from './site.ts'

const say = (text: string): void => console.log(text)
const playbook = 'playbooks/rotate-production-secrets.yml'

/** ^C reaches a running rota by itself and lets it stop cleanly; the demo then ends where it stands. */
let stopped = false

/** Prints a proof; a wrong one ends the demo. */
function prove(what: string, found: unknown, expected: unknown): void {
  if (stopped) throw new Error('stopped')
  if (String(found) !== String(expected)) throw new Error(`${what}: expected ${expected}, found ${found}`)
  say(`  ✓ ${what}: ${found}`)
}

type Env = Readonly<Record<string, string>>
const sessionCount = async (env: Env): Promise<unknown> =>
  (await queryDatabase(env['DATABASE_URL']!, 'SELECT count(*)::int AS n FROM "AuthSession"'))[0]?.['n']

async function rotate(site: Site, ...more: string[]): Promise<number | null> {
  say(`\n$ ${['rota run', playbook, '-i inventory.yml', ...more].join(' ')}\n`)
  return (await site.desk.rota(['run', playbook, '-i', site.desk.inventory, ...more], { live: true })).code
}

async function goodRotation(site: Site): Promise<void> {
  const { panel } = site
  const before = panel.env()
  const { accessToken } = await login(panel.url, before)
  say('1. A rotation')
  prove('exit code', await rotate(site), 0)
  const after = panel.env()
  say('\nSeen from outside:')
  prove('sessions in "AuthSession"', await sessionCount(after), 0)
  prove('the database, old password', await askDatabase(before['DATABASE_URL']!), 'refused')
  prove('the database, new password', await askDatabase(after['DATABASE_URL']!), 'accepted')
  prove('the panel, old admin login', (await login(panel.url, before)).status, 401)
  const fresh = await login(panel.url, after)
  prove('the panel, new admin login', fresh.status, 200)
  prove('a token from before', await visit(panel.url, '/rbac', accessToken), 401)
  for (const page of pages)
    prove(`${page} with a new token`, await visit(panel.url, page, fresh.accessToken), 200)
}

async function brokenRotation(site: Site): Promise<void> {
  const { panel } = site
  const pin = createHash('sha256').update(panel.env()['JWT_SECRET']!).digest('hex').slice(0, 16)
  panel.setEnv({ PANEL_FAULT_UNLESS_JWT: pin })
  panel.restart()
  const before = panel.env()
  const file = readFileSync(panel.envFile)
  const { accessToken } = await login(panel.url, before)
  say('\n2. A rotation that goes wrong: the panel now answers 500 with any other key than its own')
  prove(
    'exit code (10: undone, every host is on its old secrets)',
    await rotate(site, '-e', 'panel_tries=3'),
    10,
  )
  say('\nSeen from outside:')
  prove('the env file is byte for byte as before', readFileSync(panel.envFile).equals(file), true)
  prove('the database, password of before', await askDatabase(before['DATABASE_URL']!), 'accepted')
  prove('the panel, admin login of before', (await login(panel.url, before)).status, 200)
  prove('a token from before', await visit(panel.url, '/rbac', accessToken), 200)
}

async function main(): Promise<void> {
  const started = Date.now()
  const folder = join(repository, '.rota', 'demo')
  rmSync(folder, { recursive: true, force: true })
  say('Starting an SSH host, a PostgreSQL server and the panel on this machine …')
  const site = await openSite(folder)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      stopped = true
    })
  try {
    await goodRotation(site)
    await brokenRotation(site)
  } finally {
    await site.close()
  }
  const runs = (await readdir(site.desk.runs)).sort().map(run => join(site.desk.runs, run, 'evidence'))
  say(
    `\nDone in ${Math.round((Date.now() - started) / 1000)} s. The evidence of both rotations is kept in\n  ${runs.join('\n  ')}`,
  )
}

await main().catch((error: unknown) => {
  process.stderr.write(`\ndemo: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = stopped ? 130 : 1
})
