import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reveal, type Secret } from '../core/secret.ts'
import { shellWord } from './connection.ts'

/** What may be told to one ssh process, and what it is called in messages. */
export interface AskpassSecrets {
  readonly password?: Secret | undefined
  readonly passphrase?: Secret | undefined
}

/** Answers the questions of one ssh process. */
export interface Askpass {
  /** What ssh needs in its environment to ask here: names only, no secret. */
  readonly env: Readonly<Record<string, string>>
  /** Who may ask for the password. Its jump hosts' processes may not: they have passwords of their own. */
  allow(pid: number): void
  close(): void
}

/**
 * The program that ssh starts to ask (ssh(1), SSH_ASKPASS). It passes on the question and its parent's pid, and prints
 * the answer. Without one it says so where ssh says what is wrong, and fails, as when somebody presses cancel.
 */
const program = `
const question = process.argv[1] || ''
const socket = require('net').connect(process.env.ROTA_ASKPASS)
let read = ''
process.exitCode = 1
socket.on('data', chunk => { read += chunk })
socket.on('error', () => {})
socket.on('end', () => {
  const { answer, refusal } = JSON.parse(read || '{}')
  if (refusal) process.stderr.write(refusal + ': ' + question.trim() + '\\n')
  if (answer === undefined) return
  process.stdout.write(answer + '\\n')
  process.exitCode = 0
})
socket.write(JSON.stringify({ pid: process.ppid, question }) + '\\n')
`

/** What goes back to it. */
type Answer = { readonly answer: string } | { readonly refusal: string }

/** Longer than any question of ssh's. */
const MOST_QUESTION_BYTES = 10_000

/**
 * Listens on a unix socket in a folder that only this user can enter. The password is told to the one process that is
 * allowed, and nothing is told to a process twice: ssh asks again only when it was wrong. `close` removes all of it.
 */
export async function openAskpass(secrets: AskpassSecrets): Promise<Askpass> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-askpass-'))
  const [socketPath, script] = [join(folder, 'socket'), join(folder, 'askpass')]
  writeFileSync(script, renderAskpass(), { mode: 0o700 })
  const told = new Map<string, string>()
  let allowed: number | undefined
  const answer = ({ pid, question }: Question): Answer => {
    const kind = kindOf(question)
    const value = kind === undefined ? undefined : secrets[kind]
    const isMeant = kind === 'passphrase' || pid === allowed
    if (value === undefined || !isMeant) return { refusal: 'no answer to' }
    // Each key's passphrase, and the password, once a process.
    const asked = kind === 'password' ? `${pid}` : `${pid} ${question}`
    if (told.has(asked)) return { refusal: told.get(asked) === question ? 'asked again' : 'no answer to' }
    told.set(asked, question)
    return { answer: reveal(value) }
  }
  const server = createServer(socket => answerOne(socket, answer))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  chmodSync(socketPath, 0o600)
  server.unref()
  return {
    env: {
      SSH_ASKPASS: script,
      SSH_ASKPASS_REQUIRE: 'force',
      DISPLAY: process.env['DISPLAY'] ?? ':0',
      ROTA_ASKPASS: socketPath,
    },
    allow: pid => {
      allowed = pid
    },
    close() {
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Question {
  readonly pid: number
  readonly question: string
}

/**
 * ssh's own words, which are never translated (readpass.c, sshconnect2.c): "Enter passphrase for key 'FILE': ",
 * "USER@HOST's password: ", and with keyboard-interactive "(USER@HOST) WHAT THE SERVER ASKS". Others, as for a PIN or
 * for a yes, get no answer.
 */
function kindOf(question: string): keyof AskpassSecrets | undefined {
  if (question.startsWith('Enter passphrase for ')) return 'passphrase'
  return /^\([^)]*@[^)]*\) |^\S+@\S+'s password: $/.test(question) ? 'password' : undefined
}

function answerOne(socket: Socket, answer: (question: Question) => Answer): void {
  let read = ''
  socket.on('error', () => {})
  socket.on('data', chunk => {
    read += chunk
    if (read.length > MOST_QUESTION_BYTES) socket.destroy()
    else if (read.endsWith('\n')) {
      const question = parseQuestion(read)
      socket.end(JSON.stringify(question ? answer(question) : {}))
    }
  })
}

function parseQuestion(line: string): Question | undefined {
  try {
    const { pid, question } = JSON.parse(line) as Question
    return typeof pid === 'number' && typeof question === 'string' ? { pid, question } : undefined
  } catch {
    return undefined
  }
}

/** A file, since SSH_ASKPASS is the name of one. Holds no secret. */
function renderAskpass(): string {
  return `#!/bin/sh\nexec ${shellWord(process.execPath)} -e ${shellWord(program)} -- "$@" </dev/null\n`
}
