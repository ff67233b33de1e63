// ansible-playbook and the built rota on the same case, and what they did in the same words.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Account, Counts, Line } from './account.ts'
import { comparable } from './result.ts'
import { corpus, type Site } from './site.ts'

const here = import.meta.dirname
const rota = join(here, '../../dist/rota.mjs')

/** Environment of both programs, and nothing of this process's own. */
function environment(home: string): Record<string, string> {
  mkdirSync(home, { recursive: true })
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: home,
    TZ: 'UTC',
    LANG: 'C.UTF-8',
    DIFFERENTIAL: 'from the environment',
  }
}

export const ansibleVersion = /core ([0-9.]+)/.exec(
  spawnSync('ansible-playbook', ['--version'], { encoding: 'utf8' }).stdout ?? '',
)?.[1]

/** One process for all: what it said of each case, by name. */
export async function runAnsible(site: Site, names: readonly string[]): Promise<Record<string, Account>> {
  const home = join(site.folder, 'ansible-home')
  const account = (name: string): string => join(home, `${name}.jsonl`)
  const jobs = names.map(name => ({ cwd: corpus, argv: site.argv('ansible', name), out: account(name) }))
  const child = spawn('/usr/bin/python3', [join(here, 'playbooks.py')], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: {
      ...environment(home),
      ANSIBLE_CALLBACK_PLUGINS: join(here, 'callback'),
      ANSIBLE_STDOUT_CALLBACK: 'account',
      ANSIBLE_PIPELINING: '1',
      ANSIBLE_SSH_ARGS: '-o ControlMaster=auto -o ControlPersist=30s',
      ANSIBLE_SSH_CONTROL_PATH_DIR: join(site.folder, 'cp'),
      ANSIBLE_LOCALHOST_WARNING: '0',
      ANSIBLE_RETRY_FILES_ENABLED: '0',
      PYTHONDONTWRITEBYTECODE: '1',
    },
  })
  child.stdin!.end(JSON.stringify(jobs))
  const status = await endOf(child)
  if (status !== 0) throw new Error(`playbooks.py ended with ${status}`)
  const entries = names.map(name => {
    const text = site.neutral('ansible', name, readFileSync(account(name), 'utf8'))
    return [name, ansibleAccount(parseLines(text), site.files('ansible', name))] as const
  })
  return Object.fromEntries(entries)
}
const parseLines = (text: string): any[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))

function ansibleAccount(said: readonly any[], files: Record<string, string>): Account {
  const lines = said
    .filter(({ host, action }) => host !== undefined && action !== 'meta')
    .map(
      ({ host, task, action, status, result }): Line => ({
        host,
        task,
        status,
        result: comparable(action, status, result),
      }),
    )
  const recaps = said.filter(({ recap }) => recap).map(({ recap }): Record<string, Counts> => recap)
  const exit = said.find(line => line.exit !== undefined)?.exit
  return { lines: byHost(lines), recap: recaps.at(-1) ?? {}, files, isSuccess: exit === 0 }
}

/** The order among hosts is chance. */
function byHost(lines: readonly Line[]): readonly Line[] {
  return [...lines].sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0))
}

export async function runRota(site: Site, name: string): Promise<Account> {
  const child = spawn(process.execPath, [rota, 'run', '--output', 'jsonl', ...site.argv('rota', name)], {
    cwd: corpus,
    env: environment(join(site.folder, 'rota-home')),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout!.setEncoding('utf8').on('data', text => {
    output += text
  })
  child.stderr!.setEncoding('utf8').on('data', text => {
    errors += text
  })
  const exit = await endOf(child)
  if (process.env['SHOW']) console.log(output, errors)
  const said = parseLines(site.neutral('rota', name, output))
  return rotaAccount(said, exit, site.files('rota', name))
}

function rotaAccount(said: readonly any[], exit: number, files: Record<string, string>): Account {
  const tasks = new Map(said.filter(({ type }) => type === 'task.start').map(event => [event.task, event]))
  const lines = said
    .filter(({ type }) => type === 'host.end')
    .map(({ host, task, status, result }): Line => {
      const { name, module } = tasks.get(task)
      const values = JSON.parse(result ?? '{}')
      const word = wordOf(status, values)
      return { host, task: name, status: word, result: comparable(module, word, values) }
    })
  const recap: Record<string, Counts> = said.find(({ type }) => type === 'run.end')?.recap ?? {}
  const counts = Object.entries(recap).map(([host, { unknown: _, ...others }]) => [host, others] as const)
  return { lines: byHost(lines), recap: Object.fromEntries(counts), files, isSuccess: exit === 0 }
}

/** Ansible's word: an outcome that is ignored or rescued is what it is, and an unknown one a failure. */
function wordOf(status: string, { unreachable }: { readonly unreachable?: boolean }): string {
  if (status === 'ignored' && unreachable) return 'unreachable'
  return ['rescued', 'ignored', 'unknown'].includes(status) ? 'failed' : status
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => (signal ? reject(new Error(signal)) : resolve(status ?? 1)))
  })
}
