// What the fault tests share: a picture of a host from outside, rota run as an operator would with its two streams apart, and
// the rules that hold for every message it gives.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { expect } from 'vitest'
import type { Site } from '../../demo/site.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Both, for a message when an expectation fails. */
  readonly all: string
}

/** Runs rota; `onOutput` sees stdout so far and may send signals. */
export async function runRota(
  site: Site,
  args: readonly string[],
  onOutput?: (stdout: string, send: (signal: NodeJS.Signals) => void) => void,
): Promise<Ended> {
  const child = site.desk.start(args)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', chunk => {
    stdout += chunk
    onOutput?.(stdout, signal => void child.kill(signal))
  })
  child.stderr?.setEncoding('utf8').on('data', chunk => {
    stderr += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr, all: stdout + stderr }
}

/** Sends a signal once, as soon as stdout shows `text`. */
export function signalAt(
  text: string,
  signal: NodeJS.Signals,
): (stdout: string, send: (signal: NodeJS.Signals) => void) => void {
  let isSent = false
  return (stdout, send) => {
    if (isSent || !stdout.includes(text)) return
    isSent = true
    send(signal)
  }
}

/** Writes an inventory beside the desk's own, in which the host has these variables besides. */
export function otherInventory(site: Site, name: string, more: Readonly<Record<string, unknown>>): string {
  const file = join(site.desk.inventory, '..', `${name}.yml`)
  const hosts = { 'my.votcloud.com': { ...site.variables, ...more } }
  writeFileSync(file, JSON.stringify({ all: { children: { panel: { hosts } } } }))
  return file
}

const secretNames = ['JWT_SECRET', 'JWT_REFRESH_SECRET', 'POSTGRES_PASSWORD', 'ADMIN_PASSWORD'] as const

/** Paths that change by themselves: the database's files, the panel's log, npm's cache in the home folder. */
const moving = /^(var\/pg|opt\/proxpanel\/panel\.log|\.npm|\.cache)(\/|$)/

/** rota's own book about the host, and the folder it is made in: locks, which only ever grow, and copies of journals. */
const book = /^var\/lib(\/rota(\/(lock\.\d+|\d[^/]*(\/journal)?))?)?$/

function describeFiles(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder))
    .sort()
    .flatMap(name => {
      const relative = join(folder, name)
      if (moving.test(relative)) return []
      const isBook = book.test(relative)
      const path = join(root, relative)
      const stat = lstatSync(path)
      const mode = (stat.mode & 0o7777).toString(8)
      if (stat.isSymbolicLink()) return [`${relative} → ${readlinkSync(path)}`]
      if (stat.isDirectory())
        return [...(isBook ? [] : [`${relative}/ ${mode}`]), ...describeFiles(root, relative)]
      if (isBook) return []
      if (!stat.isFile()) return []
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
      return [`${relative} ${mode} ${stat.uid}:${stat.gid} ${sha256}`]
    })
}

export interface Picture {
  readonly files: readonly string[]
  /** The role's verifier, which holds no password. */
  readonly verifier: string
  /** The hash of the admin's password in the panel's own table. */
  readonly admin: string
  /** Process id of the panel: another one after a restart. */
  readonly pid: string
}

/** The host from outside: files byte for byte, the database's verifier, the admin's hash, the running process. */
export async function takePicture(site: Site): Promise<Picture> {
  const { panel, root } = site
  const client = new pg.Client({
    host: panel.database.socketFolder,
    port: panel.database.port,
    user: 'proxpanel',
    database: 'proxpanel',
  })
  await client.connect()
  try {
    const role = await client.query("SELECT rolpassword FROM pg_authid WHERE rolname = 'proxpanel'")
    const admin = await client.query('SELECT "passwordHash" AS hash FROM "User" ORDER BY "email"')
    return {
      files: describeFiles(root),
      verifier: role.rows[0].rolpassword,
      admin: admin.rows.map(row => row.hash).join(),
      pid: readFileSync(join(panel.folder, 'panel.pid'), 'utf8'),
    }
  } finally {
    await client.end()
  }
}

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value)
  return [
    value,
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex'),
    encodeURIComponent(value),
  ]
}

/** Where a secret of these env files lies in a text, by name. */
export function leaksIn(text: string, envs: readonly Readonly<Record<string, string>>[]): string[] {
  return envs.flatMap(env =>
    secretNames.filter(name => env[name] && formsOf(env[name]).some(form => text.includes(form))),
  )
}

/** Names of the secrets of these env files that a file below a folder holds. */
export function leaksBelow(folder: string, envs: readonly Readonly<Record<string, string>>[]): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .flatMap(file => leaksIn(readFileSync(file, 'latin1'), envs).map(name => `${file}: ${name}`))
}

/** A stack trace of JavaScript, or words that only a bug prints. */
const trace = /^\s+at .+:\d+:\d+\)?$|node:internal|\[object Object\]|\bundefined\b(?! variable)|E_BUG/m

/** Rules for every ending: no trace, no secret, no colours where nobody asked for them. */
export function expectClean(ended: Ended, envs: readonly Readonly<Record<string, string>>[]): void {
  expect(ended.all.replace(/'\w+' is undefined/g, '')).not.toMatch(trace)
  expect(ended.all).not.toContain('\u001b')
  expect(leaksIn(ended.all, envs)).toEqual([])
}
