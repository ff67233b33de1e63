import type { Secret } from '../core/secret.ts'
import type { RunFlags } from './options.ts'
import { askSecret, readSecretFile } from './prompt.ts'

/** Passwords that the flags ask for or name a file of. */
export interface Credentials {
  readonly password: Secret | undefined
  readonly becomePassword: Secret | undefined
}

/** Asks before anything is touched, so that nobody is asked in the middle of a run. Throws E_USAGE, E_FILE. */
export async function readCredentials(flags: RunFlags): Promise<Credentials> {
  const password = await readOne(
    flags.askPass,
    flags.connectionPasswordFile,
    'SSH password',
    '--connection-password-file FILE',
  )
  const become = await readOne(
    flags.askBecomePass,
    flags.becomePasswordFile,
    'BECOME password',
    '--become-password-file FILE',
  )
  return { password, becomePassword: become }
}

async function readOne(
  isAsked: boolean | undefined,
  file: string | undefined,
  label: string,
  instead: string,
): Promise<Secret | undefined> {
  if (file !== undefined) return readSecretFile(file, label)
  return isAsked ? askSecret(label, label, `give ${instead}`, true) : undefined
}
