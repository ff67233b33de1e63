// A Session that starts one sh a call: what core/remote.ts promises a script, and nothing of how it is made fast.
import { spawn } from 'node:child_process'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Call, Done, Session } from '../../src/core/remote.ts'
import { reveal, Secret } from '../../src/core/secret.ts'

const text = (value: string | number | boolean | Secret): string =>
  value instanceof Secret ? reveal(value) : typeof value === 'boolean' ? (value ? '1' : '0') : String(value)
const quote = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`

const prelude = String.raw`LC_ALL=C; export LC_ALL; umask 022
rt_set() { printf '%s\0%s\0' "$1" "$2" >&4; }
rt_fail() { printf '%s\n' "$1" >&2; exit 99; }
`

async function runOnce(
  shell: readonly string[],
  call: Call,
  io: { stdin?: Readable; stdout?: Readable | NodeJS.WritableStream },
): Promise<Done> {
  const params = Object.entries(call.params ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `p_${name}=${quote(text(value!))}\n`)
  const child = spawn(shell[0]!, [...shell.slice(1), '-c', 'eval "$(cat <&3)" 3<&-'], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    cwd: process.env['HOME'],
  })
  const [, stdout, stderr, source, values] = child.stdio as unknown as NodeJS.ReadWriteStream[]
  ;(source as NodeJS.WritableStream).end(`${prelude}${params.join('')}(\n${call.script.text}\n)`)
  child.stdin!.on('error', () => undefined)
  ;(io.stdin ?? Readable.from([])).pipe(child.stdin!)
  const ended = new Promise<number>(resolve => child.on('close', code => resolve(code ?? 255)))
  const out = new PassThrough()
  if (io.stdout) (stdout as NodeJS.ReadableStream).pipe(io.stdout as NodeJS.WritableStream)
  else (stdout as NodeJS.ReadableStream).pipe(out)
  const [exit, said, told, set] = await Promise.all([
    ended,
    io.stdout ? Buffer.alloc(0) : buffer(out),
    buffer(stderr as unknown as Readable),
    buffer(values as unknown as Readable),
  ])
  const parts = set.toString().split('\0')
  const pairs = Array.from({ length: Math.floor(parts.length / 2) }, (_, i) => [
    parts[2 * i]!,
    parts[2 * i + 1]!,
  ])
  return { status: 'ran', exit, stdout: said, stderr: told, values: Object.fromEntries(pairs) }
}

/** Sessions for module tests that need no connection. */
export function openSpawnSession(shell: readonly string[]): Session {
  return {
    run(call) {
      const { stdin } = call
      const bytes = stdin instanceof Secret ? reveal(stdin) : (stdin ?? '')
      return runOnce(shell, call, { stdin: Readable.from([Buffer.from(bytes as string)]) })
    },
    pipe: (call, io) => runOnce(shell, call, io),
    forward: () => Promise.reject(new Error('not here')),
    close: async () => undefined,
  }
}
