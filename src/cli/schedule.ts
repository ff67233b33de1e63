import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { exits, problem } from '../core/error.ts'
import { loadPolicy } from '../load/policy.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { type Job, type Period, type ScheduleFile, type Site, selectPeriod } from '../policy/job.ts'
import { renderCron, renderSystemd } from '../policy/machine.ts'
import { renderGithub, renderGitlab } from '../policy/pipeline.ts'
import { POLICY_FILE } from './status.ts'

export interface ScheduleFlags {
  readonly policy?: string
  readonly inventory?: string
  readonly every?: Period
  readonly to?: string
}

const schedulers: Readonly<Record<string, (jobs: readonly Job[], site: Site) => readonly ScheduleFile[]>> = {
  systemd: renderSystemd,
  cron: renderCron,
  github: renderGithub,
  gitlab: renderGitlab,
}

/** `rota schedule SCHEDULER [PLAYBOOK]`: prints, or with `--to` writes, the files that run rotations by themselves. Installs nothing. */
export async function scheduleCommand(
  scheduler: string,
  playbook: string | undefined,
  flags: ScheduleFlags,
): Promise<number> {
  const render = schedulers[scheduler]
  if (!render)
    throw problem('E_USAGE', `there is no scheduler ${JSON.stringify(scheduler)}`, {
      hint: `use one of: ${Object.keys(schedulers).join(', ')}`,
    })
  const site = {
    folder: process.cwd(),
    user: userInfo().username,
    rota: [process.execPath, resolve(process.argv[1]!)],
  }
  const files = render(selectJobs(playbook, flags), site)
  if (flags.to === undefined) process.stdout.write(files.map(renderFile).join('\n'))
  else await writeFiles(files, flags.to)
  return exits.ok.code
}

function renderFile({ path, text }: ScheduleFile): string {
  return `# --- ${path}\n${text}`
}

async function writeFiles(files: readonly ScheduleFile[], folder: string): Promise<void> {
  for (const { path, text } of files) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    process.stdout.write(`${file}\n`)
  }
}

function selectJobs(playbook: string | undefined, flags: ScheduleFlags): readonly Job[] {
  const inventory = flags.inventory === undefined ? [] : ['-i', flags.inventory]
  if (playbook !== undefined) {
    requireFile(playbook)
    return [runJob(basename(playbook).replace(/\.ya?ml$/, ''), playbook, inventory, flags.every ?? 'monthly')]
  }
  const file = flags.policy ?? POLICY_FILE
  requireFile(file)
  const { applications } = loadPolicy(file, { registry: createRegistry(modules) })
  const policy = flags.policy === undefined ? [] : ['--policy', flags.policy]
  const runs = applications.map(({ name, playbook: path, duties }) =>
    runJob(
      name,
      relative('.', path),
      inventory,
      flags.every ?? selectPeriod(duties.map(duty => duty.cryptoperiodMs)),
    ),
  )
  const status: Job = {
    name: 'rota-status',
    say: 'Tell when a secret is overdue or places disagree (exit 12, 13)',
    every: 'daily',
    args: ['status', ...policy, ...inventory],
  }
  return [...runs, status]
}

function runJob(name: string, playbook: string, inventory: readonly string[], every: Period): Job {
  const plain = name.replace(/[^A-Za-z0-9]+/g, '-')
  return {
    name: `rota-${plain}`,
    say: `Rotate the secrets of ${name}`,
    every,
    args: ['run', playbook, ...inventory],
  }
}

function requireFile(file: string): void {
  if (existsSync(file)) return
  throw problem('E_FILE', `cannot read ${file}: there is no such file`, {
    hint: 'name a playbook that rotates, or the policy with --policy',
  })
}
