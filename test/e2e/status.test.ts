// `rota status` with a policy, on the demo's host: every planted drift and everything overdue is found, and nothing else; and `rota incident`.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askDatabase, queryDatabase } from '../../demo/outside.ts'
import { repository } from '../../demo/panel-host.ts'
import { openDemoStage, type Stage } from './stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openDemoStage()
}, 120_000)
afterAll(() => stage?.close())

const policy = join(repository, 'playbooks', 'rota.yml')
const run = (command: string, ...more: string[]) =>
  stage.desk.rota([command, '-i', stage.desk.inventory, '--policy', policy, ...more])

interface Found {
  readonly secrets: readonly {
    readonly secret: string
    readonly timeliness: string
    readonly run?: string
    readonly evidence?: string
    readonly agreements: readonly { readonly check: string; readonly found: string }[]
  }[]
}
async function status(...more: string[]): Promise<{ code: number | null; found: Found; elapsedMs: number }> {
  const start = performance.now()
  const { code, output } = await run('status', '--format', 'json', ...more)
  return { code, found: JSON.parse(output), elapsedMs: performance.now() - start }
}
const driftOf = ({ secrets }: Found): string[] =>
  secrets.flatMap(({ secret, agreements }) =>
    agreements
      .filter(({ found }) => found !== 'agrees')
      .map(({ check, found }) => `${secret} ${check} ${found}`),
  )

it('before the first rotation: everything agrees, and nobody knows how old it is', async () => {
  const before = await stage.env()
  const { code, found } = await status()
  expect(found.secrets.map(({ secret, timeliness }) => [secret, timeliness])).toEqual(
    ['JWT_SECRET', 'JWT_REFRESH_SECRET', 'POSTGRES_PASSWORD', 'ADMIN_PASSWORD'].map(name => [
      name,
      'unknown',
    ]),
  )
  expect(driftOf(found)).toEqual([])
  expect(code).toBe(12)
  expect(await stage.env()).toEqual(before)
}, 60_000)

it('finds what is overdue by the policy, offline too', async () => {
  const old = join(dirname(stage.desk.inventory), 'rota.yml')
  const text = readFileSync(policy, 'utf8').replace(
    'class: password',
    'class: password\n      rotated: 2020-01-01',
  )
  writeFileSync(old, text.replace('playbook: ', `playbook: ${repository}/playbooks/`))
  const { code, output } = await run('status', '--policy', old, '--offline', '--format', 'prometheus')
  expect(code).toBe(12)
  expect(output).toMatch(/^rota_secret_due_timestamp_seconds\{.*secret="POSTGRES_PASSWORD".*\} 1585612800$/m)
}, 60_000)

it('rota incident rotates what the policy says, and then all is well', async () => {
  const before = await stage.env()
  const { code, output } = await run('incident', 'my.votcloud.com')
  expect(output).toContain('panel on my.votcloud.com (playbooks/rotate-production-secrets.yml): rotated')
  expect(code).toBe(0)
  const now = await stage.env()
  expect(now['POSTGRES_PASSWORD']).not.toBe(before['POSTGRES_PASSWORD'])
  expect(await askDatabase(await stage.databaseUrl(now['POSTGRES_PASSWORD']!))).toBe('accepted')
  expect((await stage.desk.rota(['status', 'latest'])).output).toMatch(
    /committed +incident +my\.votcloud\.com/,
  )

  const { code: after, found, elapsedMs } = await status()
  expect(found.secrets.map(({ timeliness, evidence }) => [timeliness, evidence])).toEqual(
    Array.from({ length: 4 }, () => ['ok', 'valid']),
  )
  expect(driftOf(found)).toEqual([])
  expect(after).toBe(0)
  console.log(`rota status asked a host, its database and its processes in ${Math.round(elapsedMs)} ms`)
}, 120_000)

it('finds every planted drift, and only that', async () => {
  const good = await stage.env()
  const url = await stage.databaseUrl(good['POSTGRES_PASSWORD']!)
  await queryDatabase(url, "ALTER ROLE proxpanel PASSWORD 'changed-behind-rota'")
  expect(await status()).toMatchObject({ code: 13 })
  expect(driftOf((await status()).found)).toEqual(['POSTGRES_PASSWORD the database differs'])
  await queryDatabase(
    await stage.databaseUrl('changed-behind-rota'),
    `ALTER ROLE proxpanel PASSWORD '${good['POSTGRES_PASSWORD']}'`,
  )

  // The file is changed and nothing restarted: the process goes on with the value of before.
  const file = join(stage.root, 'opt/proxpanel/.env.production')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace(good['JWT_SECRET']!, 'another-value-in-the-file'))
  expect(driftOf((await status()).found)).toEqual(['JWT_SECRET the running panel differs'])
  writeFileSync(file, text.replace(`:${good['POSTGRES_PASSWORD']}@`, ':another-password@'))
  expect(driftOf((await status()).found)).toEqual(['POSTGRES_PASSWORD the URL beside it differs'])
  writeFileSync(file, text)
  expect((await status()).code).toBe(0)
}, 120_000)

it('says of a tampered evidence that it is invalid', async () => {
  const id = (await status()).found.secrets[0]!.run!
  const file = join(stage.desk.runs, id, 'evidence', 'events.jsonl')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('"check"', '"chekc"'))
  const { code, found } = await status('--offline')
  expect(found.secrets.every(({ evidence }) => evidence === 'invalid')).toBe(true)
  expect(code).toBe(9)
  writeFileSync(file, text)
}, 60_000)
