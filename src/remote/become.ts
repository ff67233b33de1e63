import { randomBytes } from 'node:crypto'
import { problem, type RotaError } from '../core/error.ts'
import type { Redactor } from '../core/redact.ts'
import type { Become, Link } from '../core/remote.ts'
import { writePassword } from './auth.ts'
import { type Channel, type Connection, shellWord } from './connection.ts'
import { bootstrap } from './prelude.ts'

/** How long sudo, su or doas may take to ask or to start the shell (PAM may have to reach a directory server). */
const BECOME_MS = 30_000

export interface BecomeOptions {
  readonly name: string
  readonly become: Become
  readonly connection: Connection
  /** Path of sh on the target. */
  readonly path: string
  readonly redactor: Redactor
  /** Told of the command line before it is run. */
  readonly onCommand?: ((command: string) => void) | undefined
}

/**
 * A link that runs `bootstrap` as another user. The shell says hello before anything is written to it: a password
 * sent unasked would be read by the shell as a command. Throws E_BECOME.
 */
export async function openBecomeLink(options: BecomeOptions): Promise<Channel> {
  const { become, connection } = options
  const nonce = randomBytes(12).toString('hex')
  const command = renderBecome(become, options.path, nonce)
  options.onCommand?.(command)
  const link = await connection.start(command)
  const heard = await converse(link, become, nonce)
  if (heard.kind === 'hello') return link
  link.close()
  throw refusal(options, heard)
}

/** The command line: no secret in it, and the user's name is checked to be nothing but a name. */
function renderBecome(become: Become, path: string, nonce: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$/.test(become.user))
    throw problem('E_BECOME', `${JSON.stringify(become.user)} is not the name of a user`, {
      hint: 'set become_user to a login name',
    })
  const shell = `${shellWord(path)} -c ${shellWord(`printf ${hello(nonce)};${bootstrap}`)}`
  const run = `LC_ALL=C exec ${renderMethod(become, shell, path, nonce)}`
  const missing = `command -v ${become.method} >/dev/null 2>&1 || exit ${MISSING}`
  return `exec /bin/sh -c ${shellWord(`${missing};${run}`)}`
}

/** No such program: the status that sh itself gives. */
const MISSING = 127
const hello = (nonce: string): string => `hello-${nonce}`
const prompt = (nonce: string): string => `password-${nonce}:`

function renderMethod(
  { method, user, password }: Become,
  shell: string,
  path: string,
  nonce: string,
): string {
  const name = shellWord(user)
  switch (method) {
    case 'sudo':
      // -n: fails instead of asking; -S: asks on stderr and reads stdin; -H: HOME of the user. In Ansible's order.
      return password === undefined
        ? `sudo -H -S -n -u ${name} -- ${shell}`
        : `sudo -H -S -p ${prompt(nonce)} -u ${name} -- ${shell}`
    case 'su':
      return `su ${name} -s ${shellWord(path)} -c ${shellWord(`exec ${shell}`)}`
    case 'doas':
      return `doas -n -u ${name} ${shell}`
  }
}

type Heard =
  | { readonly kind: 'hello' }
  | {
      readonly kind: 'ended'
      readonly code: number | undefined
      readonly said: string
      readonly isAsked: boolean
    }
  | { readonly kind: 'asked'; readonly again: boolean; readonly said: string }
  | { readonly kind: 'silent'; readonly said: string }

/** Waits for the shell's hello and answers one question for a password on the way. */
function converse(link: Link, become: Become, nonce: string): Promise<Heard> {
  return new Promise(resolve => {
    let out = ''
    let said = ''
    let asked = 0
    const finish = (heard: Heard): void => {
      clearTimeout(timer)
      link.stdout.off('data', onStdout)
      link.stderr.off('data', onStderr)
      resolve(heard)
    }
    const timer = setTimeout(() => finish({ kind: 'silent', said: said + out }), BECOME_MS)
    const onAsked = (): void => {
      asked++
      if (asked > 1 || become.password === undefined)
        finish({ kind: 'asked', again: asked > 1, said: said + out })
      else writePassword(link, become.password)
    }
    const hear = (text: string): void => {
      const found = isAsking(text, become.method, nonce)
      said = found ? '' : text
      if (found) onAsked()
    }
    const onStderr = (bytes: Buffer): void => hear(said + bytes.toString())
    const onStdout = (bytes: Buffer): void => {
      out += bytes.toString('latin1')
      const at = out.indexOf(hello(nonce))
      if (at < 0) return
      const rest = Buffer.from(out.slice(at + hello(nonce).length), 'latin1')
      link.stdout.pause()
      finish({ kind: 'hello' })
      if (rest.length > 0) link.stdout.unshift(rest)
    }
    link.stdin.on('error', () => {})
    link.stdout.on('data', onStdout)
    link.stderr.on('data', onStderr)
    void link.ended.then(ended =>
      finish({
        kind: 'ended',
        code: 'code' in ended ? ended.code : undefined,
        said: said + out,
        isAsked: asked > 0,
      }),
    )
  })
}

/** sudo asks in our words; su in its own, which are these in the C locale. */
function isAsking(text: string, method: Become['method'], nonce: string): boolean {
  return method === 'su' ? /password: ?$/i.test(text) : text.includes(prompt(nonce))
}

function refusal(
  { name, become, redactor }: BecomeOptions,
  heard: Exclude<Heard, { kind: 'hello' }>,
): RotaError {
  const { method, user } = become
  const said = redactor.clean(heard.said).trim().replaceAll('\n', '; ')
  const because = said === '' ? '' : `; it said: ${said}`
  const fail = (message: string, hint: string): RotaError =>
    problem('E_BECOME', `${name}: ${message}`, { hint })
  const give = 'give the password: -K (--ask-become-pass), or ansible_become_password'
  if (heard.kind === 'silent')
    return fail(
      `${method} to ${user} did not answer within ${BECOME_MS / 1000} s${because}`,
      `try on the host: ${method} ${method === 'su' ? '' : '-u '}${user} true`,
    )
  if (heard.kind === 'asked')
    return heard.again
      ? fail(`the password for ${method} to ${user} is wrong`, give)
      : fail(`${method} to ${user} needs a password`, give)
  if (heard.code === MISSING)
    return fail(
      `there is no ${method} on the host`,
      'set become_method to sudo, su or doas, whichever the host has',
    )
  if (method === 'su' && heard.isAsked)
    return fail(`su to ${user} failed: the password is wrong, or ${user} may not be used${because}`, give)
  if (become.password === undefined && method === 'sudo' && /password/i.test(said))
    return fail(`sudo to ${user} needs a password${because}`, give)
  if (become.password !== undefined && method === 'doas')
    return fail(
      `doas to ${user} failed${because}; doas takes a password from a terminal only`,
      `add to doas.conf: permit nopass LOGIN as ${user}`,
    )
  return fail(
    `${method} to ${user} is not allowed${because}`,
    `check on the host: ${method === 'sudo' ? 'sudo -l' : `${method} ${user}`}`,
  )
}
