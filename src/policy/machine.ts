import { type Job, quoteWord, renderCronTime, type ScheduleFile, type Site } from './job.ts'

/** systemd.syntax(7), systemd.unit(5): quoted when needed, and no specifier by accident. */
function renderWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`
}

function renderService({ say, args }: Job, { folder, user, rota }: Site): string {
  return `[Unit]
Description=${say.replaceAll('%', '%%')}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User=${user}
WorkingDirectory=${folder.replaceAll('%', '%%')}
ExecStart=${[...rota, ...args].map(renderWord).join(' ')}
# A rotation that is stopped stops cleanly; it is given the time for that.
TimeoutStartSec=2h
TimeoutStopSec=15min
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
`
}

function renderTimer({ say, every }: Job): string {
  return `[Unit]
Description=${say.replaceAll('%', '%%')} (${every})

[Timer]
OnCalendar=${every}
RandomizedDelaySec=1h
# What was missed while the machine was off is made up for.
Persistent=yes

[Install]
WantedBy=timers.target
`
}

/** A service and a timer for each job, as systemd-analyze verifies them. */
export function renderSystemd(jobs: readonly Job[], site: Site): readonly ScheduleFile[] {
  return jobs.flatMap(job => [
    { path: `${job.name}.service`, text: renderService(job, site) },
    { path: `${job.name}.timer`, text: renderTimer(job) },
  ])
}

/** Lines of a crontab. */
export function renderCron(jobs: readonly Job[], { folder, user, rota }: Site): readonly ScheduleFile[] {
  const lines = jobs.map(job => {
    const words = [...rota, ...job.args].map(quoteWord).join(' ')
    // crontab(5) takes % for the end of the command.
    const command = `cd ${quoteWord(folder)} && ${words}`.replaceAll('%', '\\%')
    return `# ${job.say}\n${renderCronTime(job)} ${command}\n`
  })
  return [
    {
      path: 'crontab',
      text: `# For \`crontab -e\` as ${user}. cron mails what is printed.\n${lines.join('')}`,
    },
  ]
}
