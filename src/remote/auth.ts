import { readFileSync } from 'node:fs'
import type { AnyAuthMethod, AuthHandlerMiddleware, ParsedKey } from 'ssh2'
import type { Link } from '../core/remote.ts'
import { reveal, type Secret } from '../core/secret.ts'
import { type Attempt, type KeyFile, loadKeyAttempts } from './identities.ts'
import type { Login } from './login.ts'

type Ssh2 = typeof import('ssh2')

/** Private keys by file, parsed once: bcrypt of an encrypted one costs half a second each time. */
export type KeyCache = Map<string, ParsedKey | Error>

/** Decides what is offered to a server, one at a time, and remembers what was refused. */
export interface Auth {
  readonly handler: AuthHandlerMiddleware
  /** "tried key ~/.ssh/id_ed25519, password; the server takes publickey" and why other keys were not tried. */
  describe(): string
  /** What the server took last: "key ~/.ssh/id_ed25519 (SHA256:…)". */
  accepted(): string
}

/** Reads the keys of a login: files, and the agent's. What cannot be used is noted and left out. */
export async function loadAuth(ssh2: Ssh2, login: Login, cache: KeyCache): Promise<Auth> {
  const notes: string[] = []
  const files = loadIdentities(ssh2, login, cache, notes)
  const keys = await loadKeyAttempts(ssh2, login, files, notes)
  const passwords = passwordAttempts(login, notes)
  const isPasswordFirst = login.password !== undefined && !login.isIdentityGiven
  const attempts = isPasswordFirst ? [...passwords, ...keys] : [...keys, ...passwords]
  return createAuth(attempts, notes)
}

function createAuth(attempts: readonly Attempt[], notes: readonly string[]): Auth {
  const tried: Attempt[] = []
  const left = [...attempts]
  let takes: readonly string[] | null = null
  const handler: AuthHandlerMiddleware = (methods, _partial, next) => {
    // Until the first refusal the server has not said what it takes.
    if (methods) takes = methods
    const can = (attempt: Attempt): boolean =>
      takes === null || takes.includes(attempt.method.type === 'agent' ? 'publickey' : attempt.method.type)
    const at = left.findIndex(can)
    const attempt = at < 0 ? undefined : left.splice(at, 1)[0]
    if (attempt) tried.push(attempt)
    next(attempt ? attempt.method : (false as unknown as AnyAuthMethod))
  }
  return {
    handler,
    accepted() {
      const { label, fingerprint } = tried.at(-1) ?? { label: 'nothing' }
      return fingerprint === undefined ? label : `${label} (${fingerprint})`
    },
    describe() {
      const offered =
        tried.length === 0 ? 'nothing to offer' : `tried ${tried.map(({ label }) => label).join(', ')}`
      const server = takes && takes.length > 0 ? `the server takes ${takes.join(', ')}` : ''
      return [offered, server, ...notes].filter(part => part !== '').join('; ')
    },
  }
}

function loadIdentities(ssh2: Ssh2, login: Login, cache: KeyCache, notes: string[]): KeyFile[] {
  return login.identityFiles.flatMap((file): KeyFile[] => {
    let key = cache.get(file)
    if (key === undefined) {
      key = parseIdentity(ssh2, file, login.passphrase)
      cache.set(file, key)
    }
    if (!(key instanceof Error)) return [[file, key]]
    if (login.isIdentityGiven || !key.message.startsWith('ENOENT')) notes.push(`${file}: ${key.message}`)
    return []
  })
}

/** Reads a private key; an Error says why it cannot be used. */
export function parseIdentity(ssh2: Ssh2, file: string, passphrase: Secret | undefined): ParsedKey | Error {
  let text: Buffer
  try {
    text = readFileSync(file)
  } catch (error) {
    return new Error(error instanceof Error ? error.message.replace(/, open .*/, '') : 'cannot be read')
  }
  const key: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text, passphrase && reveal(passphrase))
  if (!(key instanceof Error)) return Array.isArray(key) ? key[0] : key
  if (/type: sk-/.test(key.message))
    return new Error('is a security key’s: add it to ssh-agent, or set ansible_connection: openssh')
  if (passphrase === undefined && /encrypted|passphrase/i.test(key.message))
    return new Error('needs a passphrase, and none was given')
  return passphrase === undefined ? key : new Error('the passphrase is wrong, or the key is damaged')
}

/** keyboard-interactive with one hidden question is how PAM asks for a password. */
function passwordAttempts(login: Login, notes: string[]): Attempt[] {
  const { password, user: username } = login
  if (password === undefined) return []
  let isAsked = false
  return [
    { label: 'password', method: { type: 'password', username, password: reveal(password) } },
    {
      label: 'password (keyboard-interactive)',
      method: {
        type: 'keyboard-interactive',
        username,
        prompt(_name, _instructions, _lang, prompts, finish) {
          const isPassword = !isAsked && prompts.length === 1 && prompts[0]?.echo !== true
          isAsked = true
          if (!isPassword)
            notes.push(`it asked for more than a password: ${prompts.map(p => p.prompt.trim()).join(', ')}`)
          finish(isPassword ? [reveal(password)] : prompts.map(() => ''))
        },
      },
    },
  ]
}

/** Answers a program on the target that asks for a password on its stdin. */
export function writePassword(link: Link, password: Secret): void {
  link.stdin.write(`${reveal(password)}\n`)
}
