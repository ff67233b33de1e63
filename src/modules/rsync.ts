import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { argvParams, type Ran } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { renderInstallHint } from '../resources/missing-program.ts'

export interface Transfer {
  readonly words: readonly string[]
  /** Path on the operator's machine, and on the target. */
  readonly local: string
  readonly remote: string
  readonly isPull: boolean
  /** rsync of the target. */
  readonly program: string
}
export interface Synchronized {
  readonly exit: number
  readonly words: readonly string[]
  /** What was changed, as rsync itemizes it. */
  readonly lines: readonly string[]
  /** The last that was said of an error. */
  readonly said: string
}

/*
 * rsync starts what it takes for a remote shell: this, which hands its words and then its streams on to rota over a socket in a folder
 * that only this user can enter. rota runs rsync's other half on a channel of its connection.
 */
const helper = `const { connect } = require('node:net')
const socket = connect({ path: process.argv[2], allowHalfOpen: true })
socket.write(JSON.stringify(process.argv.slice(4)) + '\\n')
process.stdin.pipe(socket)
socket.pipe(process.stdout)
socket.on('error', () => process.exit(255))
socket.on('end', () => process.exit(0))
`
// rsync ends what it started by SIGUSR1, at which Node would open its debugger.
const wrapper = `trap '' USR1
node=$1
shift
"$node" "$@"
`

const otherHalf = sh`
command -v "$p_program" >/dev/null 2>&1 || { rt_set missing 1; exit 127; }
set --
i=1
while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
exec "$p_program" "$@"
`

/** The words that the helper sends before everything else. */
function readWords(socket: Socket): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    let held = Buffer.alloc(0)
    const take = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read())
        held = Buffer.concat([held, chunk])
      const end = held.indexOf('\n')
      if (end < 0) return
      socket.off('readable', take)
      socket.unshift(held.subarray(end + 1))
      resolve(JSON.parse(held.toString('utf8', 0, end)) as readonly string[])
    }
    socket.on('readable', take)
    socket.once('error', reject)
  })
}

async function serve(t: Target, socket: Socket, program: string): Promise<Ran> {
  const words = await readWords(socket)
  // With --protect-args no path is among these words; rsync sends them over the channel.
  const params = { program, ...argvParams(words) }
  // Streams of their own for each direction: whoever is done with one may destroy it.
  const [input, output] = [new PassThrough(), new PassThrough()]
  socket.pipe(input)
  output.pipe(socket)
  try {
    return await t.pipe(otherHalf, params, { stdin: input, stdout: output })
  } finally {
    output.end()
  }
}

/** The first connection is served; its outcome is what the promise gives. */
function listen(t: Target, server: Server, program: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    server.once('connection', socket => {
      server.close()
      serve(t, socket, program).then(resolve, reject)
    })
  })
}

interface Local {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}
function runLocal(words: readonly string[]): Promise<Local> {
  return new Promise((resolve, reject) => {
    const child = spawn('rsync', words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', chunk => out.push(chunk))
    child.stderr.on('data', chunk => err.push(chunk))
    child.on('error', cause =>
      reject(
        problem('E_TASK', 'synchronize: rsync cannot be started on this machine', {
          hint: 'install rsync here, or use copy',
          cause,
        }),
      ),
    )
    child.on('close', code => {
      const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString()
      resolve({ exit: code ?? 255, stdout: text(out), stderr: text(err) })
    })
  })
}

const MARK = 'rota-changed '
const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Runs rsync here and its other half on the target. Throws E_TASK where one of them has none, E_UNKNOWN when the link was lost. */
export async function runRsync(
  t: Target,
  { words, local, remote, isPull, program }: Transfer,
): Promise<Synchronized> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-rsync-'))
  const path = join(folder, 'socket')
  const script = join(folder, 'rsh.cjs')
  const wrapped = join(folder, 'rsh.sh')
  writeFileSync(script, helper, { mode: 0o600 })
  writeFileSync(wrapped, wrapper, { mode: 0o600 })
  const server = createServer({ allowHalfOpen: true })
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
    const other = listen(t, server, program)
    // It may fail before rsync says why; then rsync's end is waited for first.
    other.catch(() => {})
    const shell = ['sh', wrapped, process.execPath, script, path].map(quote).join(' ')
    const there = `rota:${remote}`
    const paths = isPull ? [there, local] : [local, there]
    const all = [...words, '--protect-args', `--out-format=${MARK}%i %n%L`, `--rsh=${shell}`, '--', ...paths]
    const here = await runLocal(all)
    const ran = server.listening ? undefined : await other
    if (ran?.values['missing'] === '1')
      throw problem('E_TASK', `synchronize: ${t.name} has no ${program}`, {
        hint: `${renderInstallHint(program)}; or use copy`,
      })
    const lines = here.stdout
      .split('\n')
      .filter(line => line.startsWith(MARK))
      .map(line => line.slice(MARK.length))
    const said = `${here.stderr.trim()}\n${ran?.stderr.toString().trim() ?? ''}`.trim()
    return { exit: here.exit, words: ['rsync', ...words, ...paths], lines, said: said.split('\n')[0] ?? '' }
  } finally {
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
