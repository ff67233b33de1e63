// A Target for tests of modules and resources: real scripts over a Session, an operator's side without an engine.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { problem } from '../../src/core/error.ts'
import type { Operator, Target } from '../../src/core/module.ts'
import { type Clean, createRedactor } from '../../src/core/redact.ts'
import type { Done, Ran, Session } from '../../src/core/remote.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Value } from '../../src/core/value.ts'

export interface TargetOptions {
  readonly session: Session
  readonly vars?: Readonly<Record<string, Value>>
  readonly check?: boolean
  readonly diff?: boolean
  readonly undoable?: boolean
  /** Folder of the playbook: where `files/`, `templates/` and plain paths are looked for. */
  readonly folder?: string
  readonly renderFile?: Operator['renderFile']
  /** What stands for every vault's plain text. */
  readonly vaulted?: string
  readonly now?: () => Date
}

export interface TestTarget extends Target {
  /** What the module said on the way. */
  readonly said: readonly Clean[]
  readonly backups: string
}

export function ranOf(done: Done): Ran {
  if (done.status === 'ran') return done
  throw problem('E_UNKNOWN', `the outcome is unknown: ${done.why}`)
}

function find(folder: string, kind: 'files' | 'templates', path: string): string {
  const places = isAbsolute(path) ? [path] : [join(folder, kind, path), join(folder, path)]
  const found = places.find(place => existsSync(place))
  if (found === undefined) throw problem('E_FILE', `cannot find ${path}: looked for ${places.join(', ')}`)
  return found
}

/** Stands for age: the bytes flipped, so that a test sees whether plain text is left lying about. */
const flipped = () =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(
        null,
        chunk.map(byte => byte ^ 0xff),
      )
    },
  })

function makeOperator(options: TargetOptions, backups: string): Operator {
  const vars = new Map(Object.entries(options.vars ?? {}))
  return {
    find: (kind, path) => find(options.folder ?? tmpdir(), kind, path),
    renderFile: options.renderFile ?? (text => text),
    openVault(_, file) {
      if (options.vaulted === undefined)
        throw problem('E_VAULT', `${file} is in a vault: no ansible-vault password`)
      return { text: new Secret(options.vaulted, 'vaulted') }
    },
    evaluate: expression => expression,
    render: value => value,
    scope: { get: name => vars.get(name), names: () => vars.keys() },
    backupFolder: async () => backups,
    async seal(plain, to) {
      const hash = createHash('sha256')
      let sizeBytes = 0
      const count = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk)
          sizeBytes += chunk.length
          done(null, chunk)
        },
      })
      await pipeline(plain, flipped(), count, to)
      return { sha256: hash.digest('hex'), sizeBytes }
    },
    unseal: (sealed, to) => pipeline(sealed, flipped(), to),
    now: options.now ?? (() => new Date()),
    random: randomBytes,
  }
}

let backupsFolder: string | undefined
/** One folder for the backups of all targets of a test's process, gone with it. */
function backupsOfAll(): string {
  if (backupsFolder === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'rota-backups-'))
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
    backupsFolder = folder
  }
  return backupsFolder
}

export function makeTarget(options: TargetOptions): TestTarget {
  const redactor = createRedactor()
  const said: Clean[] = []
  const backups = join(backupsOfAll(), randomBytes(6).toString('hex'))
  mkdirSync(backups)
  const { session } = options
  return {
    name: 'target',
    async run(script, params, { stdin, timeoutMs } = {}) {
      return ranOf(await session.run({ script, params, stdin, timeoutMs }))
    },
    async pipe(script, params, io, { timeoutMs } = {}) {
      return ranOf(await session.pipe({ script, params, timeoutMs }, io))
    },
    forward: to => session.forward(to),
    reconnect: async () => {},
    operator: makeOperator(options, backups),
    redactor,
    say: text => void said.push(text),
    warn: text => void said.push(redactor.clean(`[WARNING]: ${text}`)),
    check: options.check ?? false,
    diff: options.diff ?? false,
    environment: {},
    verbosity: 0,
    undoable: options.undoable ?? false,
    stop: new AbortController().signal,
    said,
    backups,
  }
}
