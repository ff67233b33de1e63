import { readFileSync } from 'node:fs'
import type {
  AnyAuthMethod,
  AuthHandlerMiddleware,
  BaseAgent,
  Client,
  ParsedKey,
  SignCallback,
  SigningRequestOptions,
} from 'ssh2'
import type { Link } from '../core/remote.ts'
import { reveal, type Secret } from '../core/secret.ts'
import type { Login } from './login.ts'

type Ssh2 = typeof import('ssh2')

/**
 * sshd closes the connection after MaxAuthTries (6 by default) failures; one is kept for the password.
 */
const MOST_KEYS = 5

/** Private keys by file, parsed once: bcrypt of an encrypted one costs half a second each time. */
export type KeyCache = Map<string, ParsedKey | Error>

/** One thing to try, and what to call it when it did not help. */
interface Attempt {
  readonly label: string
  readonly method: AnyAuthMethod
}

/** Decides what is offered to a server, one at a time, and remembers what was refused. */
export interface Auth {
  readonly handler: AuthHandlerMiddleware
  /** "tried key ~/.ssh/id_ed25519, password; the server takes publickey" and why other keys were not tried. */
  describe(): string
}

/** Reads the keys of a login: files, and the agent's. What cannot be used is noted and left out. */
export async function loadAuth(ssh2: Ssh2, login: Login, cache: KeyCache): Promise<Auth> {
  const notes: string[] = []
  const files = loadIdentities(ssh2, login, cache, notes)
  const agentKeys = await loadAgentKeys(ssh2, login, notes)
  const keys = orderKeys(login, files, agentKeys)
  const passwords = passwordAttempts(login, notes)
  const isPasswordFirst = login.password !== undefined && !login.isIdentityGiven
  const attempts = isPasswordFirst ? [...passwords, ...keys] : [...keys, ...passwords]
  return createAuth(attempts, notes)
}

function createAuth(attempts: readonly Attempt[], notes: readonly string[]): Auth {
  const tried: string[] = []
  const left = [...attempts]
  let takes: readonly string[] | null = null
  const handler: AuthHandlerMiddleware = (methods, _partial, next) => {
    // Until the first refusal the server has not said what it takes.
    if (methods) takes = methods
    const can = (attempt: Attempt): boolean =>
      takes === null || takes.includes(attempt.method.type === 'agent' ? 'publickey' : attempt.method.type)
    const at = left.findIndex(can)
    const attempt = at < 0 ? undefined : left.splice(at, 1)[0]
    if (attempt) tried.push(attempt.label)
    next(attempt ? attempt.method : (false as unknown as AnyAuthMethod))
  }
  return {
    handler,
    describe() {
      const offered = tried.length === 0 ? 'nothing to offer' : `tried ${tried.join(', ')}`
      const server = takes && takes.length > 0 ? `the server takes ${takes.join(', ')}` : ''
      return [offered, server, ...notes].filter(part => part !== '').join('; ')
    },
  }
}

function loadIdentities(ssh2: Ssh2, login: Login, cache: KeyCache, notes: string[]): [string, ParsedKey][] {
  return login.identityFiles.flatMap((file): [string, ParsedKey][] => {
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

function parseIdentity(ssh2: Ssh2, file: string, passphrase: Secret | undefined): ParsedKey | Error {
  let text: Buffer
  try {
    text = readFileSync(file)
  } catch (error) {
    return new Error(error instanceof Error ? error.message.replace(/, open .*/, '') : 'cannot be read')
  }
  const key: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text, passphrase && reveal(passphrase))
  if (!(key instanceof Error)) return Array.isArray(key) ? key[0] : key
  if (passphrase === undefined && /encrypted|passphrase/i.test(key.message))
    return new Error('needs a passphrase, and none was given')
  return passphrase === undefined ? key : new Error('the passphrase is wrong, or the key is damaged')
}

/** The keys in the agent, as [comment, agent that has only this key]. */
async function loadAgentKeys(ssh2: Ssh2, login: Login, notes: string[]): Promise<[ParsedKey, BaseAgent][]> {
  if (login.agent === undefined) return []
  const agent = ssh2.createAgent(login.agent)
  return await new Promise(resolve => {
    agent.getIdentities((error, keys) => {
      if (error) notes.push('the ssh agent does not answer')
      const parsed = (keys ?? []).map(key => ssh2.utils.parseKey(key as ParsedKey))
      resolve(parsed.flatMap(key => (key instanceof Error ? [] : [[key, onlyKey(ssh2, agent, key)]])))
    })
  })
}

/** An agent with one key: ssh2 would offer all keys of one in a row, and run into MaxAuthTries. */
function onlyKey(ssh2: Ssh2, agent: BaseAgent, key: ParsedKey): BaseAgent {
  class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      done(undefined, [key])
    }
    override sign(
      used: ParsedKey,
      data: Buffer,
      options: SigningRequestOptions | SignCallback,
      done?: SignCallback,
    ): void {
      if (typeof options === 'function') agent.sign(used, data, options)
      else agent.sign(used, data, options, done)
    }
  }
  return new OneKeyAgent() as BaseAgent
}

/** Given files first; the agent's keys that are one of the files; then, unless IdentitiesOnly, the others. */
function orderKeys(
  login: Login,
  files: readonly [string, ParsedKey][],
  agentKeys: readonly [ParsedKey, BaseAgent][],
): Attempt[] {
  const { user: username } = login
  const wire = (key: ParsedKey): string => key.getPublicSSH().toString('base64')
  const publics = new Set([...files.map(([, key]) => wire(key)), ...login.identityFiles.flatMap(publicOf)])
  const byFile = files
    .filter(([, key]) => key.isPrivateKey())
    .map(([file, key]): Attempt => ({ label: `key ${file}`, method: { type: 'publickey', username, key } }))
  const fromAgent = agentKeys.map(([key, agent]) => ({
    isFile: publics.has(wire(key)),
    attempt: {
      label: `agent key ${key.comment}`,
      method: { type: 'agent', username, agent },
    } satisfies Attempt,
  }))
  const matching = fromAgent.filter(({ isFile }) => isFile).map(({ attempt }) => attempt)
  const others = fromAgent
    .filter(({ isFile }) => !isFile && !login.identitiesOnly)
    .map(({ attempt }) => attempt)
  const ordered = login.isIdentityGiven
    ? [...byFile, ...matching, ...others]
    : [...matching, ...others, ...byFile]
  return ordered.slice(0, MOST_KEYS)
}

/** The public half beside a private key: tells which of the agent's keys an encrypted file is. */
function publicOf(file: string): string[] {
  try {
    return [readFileSync(`${file}.pub`, 'utf8').split(' ')[1] ?? '']
  } catch {
    return []
  }
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

interface Internals {
  _protocol?: {
    authPK(username: string, key: ParsedKey, algorithm?: string, sign?: Sign): void
  }
}
type Sign = (data: Buffer, done: (signature: Buffer) => void) => void

/**
 * Saves a round trip: ssh2 first asks whether a key would do, and signs only then. With a private key at hand the
 * signature is sent at once (RFC 4252 §7 allows it). Reaches into ssh2 1.17.0; does nothing where that has changed.
 */
export function signAtOnce(client: Client): void {
  const protocol = (client as unknown as Internals)._protocol
  if (typeof protocol?.authPK !== 'function') return
  const ask = protocol.authPK.bind(protocol)
  protocol.authPK = (username, key, algorithm, sign) => {
    if (sign !== undefined || !key.isPrivateKey()) return ask(username, key, algorithm, sign)
    const hash = algorithm?.startsWith('rsa-sha2-') ? algorithm.replace('rsa-sha2-', 'sha') : undefined
    ask(username, key, algorithm ?? key.type, (data, done) => {
      const signature = key.sign(data, hash) as Buffer | Error
      if (!(signature instanceof Error)) done(signature)
      else ask(username, key, algorithm)
    })
  }
}
