import { type Job, quoteWord, renderCronTime, type ScheduleFile } from './job.ts'

/*
 * In a pipeline the operator's keys come from the provider's store of secrets, and go into ssh-agent and a file of mode 0600: nothing is
 * ever an argument. What a run leaves behind is sealed, and is kept as an artifact, so that a person can take an interrupted one over.
 */
const setUp: readonly string[] = [
  'umask 077',
  'mkdir -p "$HOME/.config/rota" "$HOME/.ssh"',
  'printf \'%s\\n\' "$ROTA_IDENTITY" >"$HOME/.config/rota/identity"',
  'printf \'%s\\n\' "$ROTA_KNOWN_HOSTS" >>"$HOME/.ssh/known_hosts"',
  'printf \'%s\\n\' "$ROTA_SSH_KEY" >"$HOME/.ssh/id_ed25519"',
]
const state = '.local/state/rota'
const secrets = ['ROTA_IDENTITY', 'ROTA_KNOWN_HOSTS', 'ROTA_SSH_KEY']
const commandOf = ({ args }: Job): string => ['npx', 'rota', ...args].map(quoteWord).join(' ')
const indent = (lines: readonly string[], by: string): string => lines.map(line => `${by}${line}\n`).join('')

function renderWorkflow(job: Job): string {
  return `# ${job.say}. Its secrets: ${secrets.join(', ')} (an age identity, lines of known_hosts, a private key).
name: ${job.name}
on:
  schedule:
    - cron: '${renderCronTime(job)}'
  workflow_dispatch:
permissions:
  contents: read
# Two at once would only find each other's locks.
concurrency:
  group: ${job.name}
  cancel-in-progress: false
jobs:
  rota:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 20
      - run: npm ci
      - name: Keys of the operator
        env:
${indent(
  secrets.map(name => `${name}: \${{ secrets.${name} }}`),
  '          ',
)}        run: |
${indent(setUp, '          ')}      - run: ${commandOf(job)}
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: rota-runs
          path: ~/${state}
          include-hidden-files: true
`
}

/** A workflow for each job. */
export function renderGithub(jobs: readonly Job[]): readonly ScheduleFile[] {
  return jobs.map(job => ({ path: `.github/workflows/${job.name}.yml`, text: renderWorkflow(job) }))
}

function renderGitlabJob(job: Job): string {
  return `# ${job.say}: make a schedule (Build, Pipeline schedules) "${renderCronTime(job)}" with the variable ROTA_JOB=${job.name}.
${job.name}:
  image: node:20
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule" && $ROTA_JOB == "${job.name}"
  # Two at once would only find each other's locks.
  resource_group: ${job.name}
  interruptible: false
  timeout: 2 hours
  script:
    - npm ci
    - |
${indent(setUp, '      ')}    - ${commandOf(job)}
  after_script:
    - cp -a "$HOME/${state}" rota-runs
  artifacts:
    when: always
    access: none
    paths: [rota-runs]
`
}

/** One file with a job for each; its masked variables are the same secrets as of the workflows. */
export function renderGitlab(jobs: readonly Job[]): readonly ScheduleFile[] {
  const head = `# Masked, protected variables of the project: ${secrets.join(', ')} (an age identity, lines of known_hosts, a private key).\n`
  return [{ path: 'rota.gitlab-ci.yml', text: `${head}${jobs.map(renderGitlabJob).join('\n')}` }]
}
