import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'

/**
 * Who runs this, for the evidence: the OS user and machine, the fingerprint of the SSH key they log in with as far as a
 * `.pub` file tells it, and the CI job when in one. Plain text, nothing secret.
 */
export async function loadOperator(keyFile: string | undefined): Promise<Readonly<Record<string, string>>> {
  const key = keyFile === undefined ? undefined : readFingerprint(`${keyFile}.pub`)
  // Where a person who is logged in here by ssh came from: the address sshd tells.
  const cameFrom = process.env['SSH_CONNECTION']?.split(' ')[0]
  return {
    user: readUser(),
    machine: hostname(),
    ...(cameFrom && { from: cameFrom }),
    ...(process.env['SUDO_USER'] && { sudoUser: process.env['SUDO_USER'] }),
    ...(key && { sshKey: key }),
    ...(await readJob()),
  }
}

/** The OS user; its number in a container that has no name for it. */
function readUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** As `ssh-keygen -l` prints it: SHA256 of the key blob in unpadded base64. */
function readFingerprint(file: string): string | undefined {
  if (!existsSync(file)) return undefined
  const blob = readFileSync(file, 'utf8').split(' ')[1]
  if (blob === undefined) return undefined
  return `SHA256:${createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '')}`
}

async function readJob(): Promise<Readonly<Record<string, string>>> {
  if (!process.env['CI']) return {}
  const { default: ci } = await import('ci-info')
  const env = process.env
  const links = {
    repository: env['GITHUB_REPOSITORY'] ?? env['CI_PROJECT_PATH'],
    commit: env['GITHUB_SHA'] ?? env['CI_COMMIT_SHA'],
    job: env['GITHUB_RUN_ID'] ?? env['CI_JOB_ID'] ?? env['BUILD_NUMBER'],
    actor: env['GITHUB_ACTOR'] ?? env['GITLAB_USER_LOGIN'],
  }
  return {
    ci: ci.name ?? 'unknown',
    ...Object.fromEntries(
      Object.entries(links).filter((entry): entry is [string, string] => Boolean(entry[1])),
    ),
  }
}
