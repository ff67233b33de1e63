import { spawnSync } from 'node:child_process'
import { fstatSync, readFileSync, readSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { problem } from '../core/error.ts'
import type { ReadKeys } from '../core/module.ts'
import { Secret } from '../core/secret.ts'

/**
 * Asks on the terminal (stderr, so that stdout stays clean). Throws E_USAGE where nobody can answer: without a terminal
 * and in CI a run must say what it lacks instead of waiting. `takesPipe`: the next line of what is piped in answers.
 */
export async function ask(
  question: string,
  options: { readonly hidden: boolean; readonly instead: string; readonly takesPipe?: boolean },
): Promise<string> {
  const piped = process.stdin.isTTY || !options.takesPipe ? undefined : readPipedLine()
  if (piped !== undefined) return piped
  if (!process.stdin.isTTY)
    throw problem('E_USAGE', `cannot ask for "${question}": there is no terminal`, { hint: options.instead })
  const answer = await askLine(`${question}: `, options.hidden)
  if (answer === undefined) throw problem('E_USAGE', `"${question}" was not answered`)
  return answer
}

/** A line from the terminal, asked on stderr. undefined at ^C, and when the terminal is gone. */
export async function askLine(prompt: string, hidden = false): Promise<string | undefined> {
  let muted = false
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!muted) process.stderr.write(chunk)
      done()
    },
  })
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  try {
    return await new Promise<string | undefined>(resolve => {
      terminal.once('SIGINT', () => resolve(undefined))
      terminal.once('close', () => resolve(undefined))
      terminal.question(prompt, line => resolve(erase(line)))
      muted = hidden
    })
  } finally {
    terminal.close()
    if (hidden) process.stderr.write('\n')
  }
}

/** At a terminal of type `dumb` nothing is edited while it is typed. */
function erase(line: string): string {
  const less = line.replace(/(?:^|[^\x7f\b])[\x7f\b]/, '')
  return less === line ? line : erase(less)
}

/** Keys as they are typed, unseen: see the contract. Nothing else is read meanwhile, so ^C is a key. */
export const readKeys: ReadKeys = async (take, stop) => {
  const { stdin } = process
  stdin.setRawMode(true)
  try {
    return await new Promise(resolve => {
      stdin.on('data', chunk => {
        for (const key of String(chunk)) {
          const taken = take(key)
          if (taken !== undefined) return resolve(taken)
        }
      })
      stdin.once('end', () => resolve(undefined))
      stop?.addEventListener('abort', () => resolve(undefined), { once: true })
      stdin.resume()
    })
  } finally {
    stdin.removeAllListeners('data')
    stdin.removeAllListeners('end')
    stdin.setRawMode(false)
    stdin.pause()
  }
}

/** Asks for a secret without echo. */
export async function askSecret(
  question: string,
  label: string,
  instead: string,
  takesPipe = false,
): Promise<Secret> {
  return new Secret(await ask(question, { hidden: true, instead, takesPipe }), label)
}

/** The next line of stdin, where that is a pipe or a file: `echo word | rota … --ask-vault-pass`. undefined: it has ended. */
function readPipedLine(): string | undefined {
  const kind = fstatSync(0)
  if (!kind.isFIFO() && !kind.isFile()) return undefined
  const bytes: number[] = []
  const byte = Buffer.alloc(1)
  // One byte at a time: what follows the line is the next question's, or the program's.
  while (readSync(0, byte, 0, 1, null) === 1 && byte[0] !== 10) bytes.push(byte[0]!)
  return bytes.length === 0 && byte[0] !== 10 ? undefined : Buffer.from(bytes).toString('utf8')
}

/** A secret from a file: its first line, without the line's end. Throws E_FILE. */
export function readSecretFile(path: string, label: string): Secret {
  return new Secret(
    firstLine(() => readFileSync(path, 'utf8'), path),
    label,
  )
}

/** A secret from an open file descriptor (`--secret NAME=fd:3`). Throws E_FILE. */
export function readSecretDescriptor(descriptor: number, label: string): Secret {
  return new Secret(
    firstLine(() => readFileSync(descriptor, 'utf8'), `fd ${descriptor}`),
    label,
  )
}

/**
 * A secret from a program, as a password manager's: the first line that a shell command prints. Its stdin and stderr are this
 * process's, so that it can ask. Throws E_FILE; the command is not shown, since somebody may have put the value into it.
 */
export function readSecretCommand(command: string, label: string): Secret {
  const from = `the command of ${label}`
  const ran = spawnSync('/bin/sh', ['-c', command], {
    stdio: ['inherit', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (ran.status !== 0)
    throw problem('E_FILE', `${from} ended with ${ran.status ?? ran.signal ?? ran.error?.message}`, {
      hint: 'run it by itself to see why',
    })
  return new Secret(
    firstLine(() => ran.stdout, from),
    label,
  )
}

function firstLine(read: () => string, from: string): string {
  let text: string
  try {
    text = read()
  } catch (cause) {
    throw problem('E_FILE', `cannot read a secret from ${from}`, {
      cause,
      hint: 'check that it exists and is readable',
    })
  }
  const line = text.split(/\r?\n/)[0]!
  if (line === '') throw problem('E_FILE', `there is no secret in the first line of ${from}`)
  return line
}
