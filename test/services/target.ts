// A Target for module tests: scripts run in a real sh, the operator's side is as small as can be.
import { spawn } from 'node:child_process'
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, type Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Module, Outcome, Target } from '../../src/core/module.ts'
import { createRedactor } from '../../src/core/redact.ts'
import type { Ran, ScriptParams } from '../../src/core/remote.ts'
import type { Script } from '../../src/core/script.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import type { State, Value } from '../../src/core/value.ts'

export const shells: Readonly<Record<string, readonly string[]>> = {
  dash: ['/bin/dash'],
  busybox: ['/bin/busybox', 'sh'],
  bash: ['/bin/bash', '--posix'],
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
const textOf = (value: string | number | boolean | Secret): string =>
  value instanceof Secret ? reveal(value) : typeof value === 'boolean' ? (value ? '1' : '0') : String(value)

/** The text that a session's frame would come to: parameters as variables, then the script in a subshell. */
function assemble(script: Script, params: ScriptParams): string {
  const set = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [`p_${name}=${quote(textOf(value))}`],
  )
  return `LC_ALL=C; export LC_ALL; umask 022
rt_set() { printf '%s\\0%s\\0' "$1" "$2" >&4; }
rt_fail() { printf '%s\\n' "$1" >&2; exit 99; }
${set.join('\n')}
( ${script.text}
)`
}

interface Io {
  readonly stdin?: Readable | undefined
  readonly stdout?: Writable | undefined
}

async function runIn(shell: readonly string[], script: Script, params: ScriptParams, io: Io): Promise<Ran> {
  const child = spawn(shell[0]!, [...shell.slice(1), '-c', 'eval "$(cat <&3)" 3<&-'], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  })
  const ended = new Promise<number>(resolve =>
    child.on('close', (code, signal) => resolve(code ?? (signal ? 137 : 1))),
  )
  const collect = async (stream: Readable): Promise<Buffer> => {
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part)
    return Buffer.concat(parts)
  }
  const [script3, values4] = [child.stdio[3] as Writable, child.stdio[4] as Readable]
  for (const stream of [script3, child.stdin]) stream!.on('error', () => {})
  script3.end(assemble(script, params))
  const feed = io.stdin ? pipeline(io.stdin, child.stdin!).catch(() => {}) : child.stdin!.end()
  const out = io.stdout
    ? pipeline(child.stdout!, io.stdout).then(() => Buffer.alloc(0))
    : collect(child.stdout!)
  const [exit, stdout, stderr, values] = await Promise.all([
    ended,
    out,
    collect(child.stderr!),
    collect(values4),
    feed,
  ])
  const cells = values.toString('utf8').split('\0')
  const named: Record<string, string> = {}
  for (let i = 0; i + 1 < cells.length; i += 2) named[cells[i]!] = cells[i + 1]!
  return { status: 'ran', exit, stdout, stderr, values: named }
}

export interface TargetOptions {
  readonly shell?: readonly string[]
  readonly environment?: Target['environment']
  readonly check?: boolean
  readonly verbosity?: number
  readonly undoable?: boolean
  /** Refuse forwarding, as an sshd with AllowTcpForwarding no does. */
  readonly noForward?: boolean
  readonly files?: string
  readonly evaluate?: (expression: Value) => Value
  /** Called after every script with its name-value params; for looking at processes meanwhile use onStart. */
  readonly onStart?: (script: Script) => void
}

/** Encrypts with a key that only this target knows: enough to tell sealed bytes from plain ones. */
function sealing(): Pick<Target['operator'], 'seal' | 'unseal'> {
  const [key, iv] = [randomBytes(32), randomBytes(16)]
  return {
    async seal(plain, to) {
      const hash = createHash('sha256')
      let sizeBytes = 0
      const tap = new Transform({
        transform(chunk, _encoding, done) {
          hash.update(chunk)
          sizeBytes += chunk.length
          done(null, chunk)
        },
      })
      await pipeline(plain, createCipheriv('aes-256-ctr', key, iv), tap, to)
      return { sha256: hash.digest('hex'), sizeBytes }
    },
    async unseal(sealed, to) {
      await pipeline(sealed, createDecipheriv('aes-256-ctr', key, iv), to)
    },
  }
}

export function makeTarget(options: TargetOptions = {}): Target {
  const shell = options.shell ?? shells['dash']!
  const folder = mkdtempSync(join(tmpdir(), 'rota-services-'))
  const stop = new AbortController().signal
  return {
    name: 'here',
    run(script, params = {}, more = {}) {
      options.onStart?.(script)
      const stdin = more.stdin
      const bytes = stdin instanceof Secret ? reveal(stdin) : stdin
      const io = bytes === undefined ? {} : { stdin: new PassThrough().end(bytes) as Readable }
      return runIn(shell, script, params, io)
    },
    pipe(script, params, io) {
      options.onStart?.(script)
      return runIn(shell, script, params, io)
    },
    async forward(to) {
      if (options.noForward) throw new Error('administratively prohibited')
      const socket = 'socket' in to ? connect(to.socket) : connect(to.port, to.host)
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      return socket
    },
    operator: {
      find: (_kind, path) => (options.files ? join(options.files, path) : path),
      renderFile: text => text,
      evaluate: options.evaluate ?? (value => value),
      render: value => value,
      scope: { get: () => undefined, names: () => [] },
      backupFolder: async () => folder,
      ...sealing(),
      now: () => new Date(),
      random: randomBytes,
    },
    redactor: createRedactor(),
    environment: options.environment ?? {},
    say() {},
    check: options.check ?? false,
    diff: false,
    verbosity: options.verbosity ?? 0,
    undoable: options.undoable ?? false,
    stop,
  }
}

/** Fills in defaults as checkArgs does; what it refuses is its own tests' business. */
function withDefaults(module: Module, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defaults = Object.entries(module.params).flatMap(([name, param]) =>
    'default' in param && param.default !== undefined ? [[name, param.default]] : [],
  )
  return { ...Object.fromEntries(defaults), ...args }
}

export async function runAction(
  t: Target,
  module: Module,
  args: Readonly<Record<string, unknown>> = {},
): Promise<Outcome & { readonly values: Readonly<Record<string, any>> }> {
  if (module.kind !== 'action') throw new Error(`${module.name} is no action`)
  const outcome = await module.run(t, withDefaults(module, args))
  return { values: {}, ...outcome }
}

export interface Applied {
  readonly before: State
  readonly after: State
  readonly changed: boolean
  undo(): Promise<void>
  /** The same write once more, as a resumed run would send it. */
  replay(): Promise<void>
}

/** read → want → write, as the engine does it. */
export async function applyState(
  t: Target,
  module: Module,
  args: Readonly<Record<string, unknown>>,
): Promise<Applied> {
  if (module.kind !== 'state') throw new Error(`${module.name} is no state module`)
  const full = withDefaults(module, args)
  const input = module.prepare ? await module.prepare(t, full) : full
  const before = await module.read(t, input)
  const after = module.want(input, before)
  const { isSameState } = await import('../../src/core/value.ts')
  const changed = !isSameState(before, after)
  if (changed && !t.check) await module.write(t, before, after)
  return {
    before,
    after,
    changed,
    undo: () => module.write(t, after, before),
    replay: () => module.write(t, before, after),
  }
}

export const fixture = (path: string): string => readFileSync(path, 'utf8')
