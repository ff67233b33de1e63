// Ansible itself as the oracle: skipped with a printed reason where ansible-core is missing, a failure there under CI.
import { spawnSync } from 'node:child_process'

function has(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
export const hasAnsible =
  has('ansible-inventory', ['--version']) && has('/usr/bin/python3', ['-c', 'import ansible'])
if (!hasAnsible) {
  if (process.env['CI']) throw new Error('ansible-core is needed under CI: apt-get install ansible-core')
  console.log('skipped: comparisons with Ansible, since ansible-core is not installed')
}

const env: NodeJS.ProcessEnv = { ...process.env, ANSIBLE_NOCOLOR: '1' }
delete env['ANSIBLE_CONFIG']

export interface Listed {
  readonly _meta: { readonly hostvars: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
  readonly [group: string]: unknown
}

export function ansibleInventory(sources: readonly string[], playbookFolder: string): Listed {
  const args = [...sources.flatMap(source => ['-i', source]), '--list', '--playbook-dir', playbookFolder]
  const { status, stdout, stderr } = spawnSync('ansible-inventory', args, {
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

/** Runs Python with Ansible's library; input and output are JSON. */
export function python(script: string, input: unknown): any {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', script], {
    env,
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}
