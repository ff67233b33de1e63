import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { isVaultText } from '../core/ansible-text.ts'
import { problem, RotaError } from '../core/error.ts'
import type { Operator } from '../core/module.ts'
import { Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'
import { type Scope, Template, toValue } from '../core/value.ts'
import type { RunDeps } from './deps.ts'
import type { PlayRun } from './play-run.ts'

/** What a task's module may ask of the operator's machine. `folders` are searched in order, nearest first. */
export function createOperator(
  deps: RunDeps,
  scope: Scope,
  folders: () => readonly string[],
  at: Source,
): Operator {
  return {
    scope,
    now: deps.now,
    random: deps.random,
    backupFolder: deps.backupFolder,
    seal: deps.seal,
    unseal: deps.unseal,
    find(kind, path) {
      const found = findFile(kind, path, folders(), at)
      deps.onFile?.(found)
      return found
    },
    render: value => deps.templar.render(value, scope),
    evaluate: value => (value instanceof Template ? deps.templar.evaluate(value, scope) : value),
    openVault: (armored, file) => renderOpened(deps, armored, file),
    renderFile(text, file, extra = {}, options) {
      const more = toValue(extra) as ReadonlyMap<string, never>
      const inner: Scope = {
        get: name => more.get(name) ?? scope.get(name),
        names: () => new Set([...more.keys(), ...scope.names()]),
      }
      const render = (plain: string): string | Secret => deps.templar.renderFile(plain, file, inner, options)
      return isVaultText(text) ? renderVaulted(deps.openVault(text, file), file, render) : render(text)
    },
  }
}

/** Questions to the operator. In a rotation nobody is waited for: `ask` throws E_PARAMS. */
export function selectAsk({
  deps: { terminal, redactor },
  phase,
}: PlayRun): Pick<Operator, 'ask' | 'readKeys'> {
  if (phase !== undefined)
    return {
      ask: async () => {
        throw problem('E_PARAMS', 'a rotation does not wait for a person while it holds its hosts', {
          hint: 'for pause give seconds or minutes; `provider_gates:` waits for a person after the commit',
        })
      },
    }
  if (!terminal) return {}
  return {
    ask: (prompt, hidden) => terminal.ask(redactor.clean(prompt), hidden),
    readKeys: terminal.readKeys,
  }
}

function renderOpened(
  deps: RunDeps,
  armored: string,
  file: string,
): { readonly text: Secret; readonly encoding?: 'base64' } {
  const bytes = deps.openVault(armored, file)
  const label = basename(file)
  const text = new Secret(bytes.toString('utf8'), label)
  deps.redactor.add(text)
  if (Buffer.from(bytes.toString('utf8')).equals(bytes)) return { text }
  return { text: new Secret(bytes.toString('base64'), label), encoding: 'base64' }
}

/** A template that is in a vault: neither its result nor a message about it may show its text. */
function renderVaulted(
  bytes: Buffer,
  file: string,
  render: (plain: string) => string | Secret,
): string | Secret {
  let text: string | Secret
  try {
    text = render(bytes.toString('utf8'))
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    const line = error.at === undefined ? '' : `: see line ${error.at.line} of its plain text`
    throw problem(error.code, `${file} is a template in a vault, and cannot be rendered${line}`, {
      hint: `look at it: rota vault view ${file}`,
    })
  }
  return text instanceof Secret ? text : new Secret(text, basename(file))
}

/** `~` and `~USER` at the beginning, as the operator's shell has them; any other path as it is. */
function expandHome(path: string): string {
  const [, user, rest] = /^~([^/]*)(.*)$/s.exec(path) ?? []
  if (user === undefined) return path
  if (user === '') return `${homedir()}${rest}`
  const account = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'))
    .find(([name]) => name === user)
  return account?.[5] === undefined ? path : `${account[5]}${rest}`
}

/**
 * Ansible's search: an absolute path as it is; else `FOLDER/kind/path`, then `FOLDER/path`, for each folder. Throws E_FILE
 * naming every place.
 */
export function findFile(
  kind: 'files' | 'templates' | 'tasks' | 'vars',
  given: string,
  folders: readonly string[],
  at: Source,
): string {
  const path = expandHome(given)
  const places = isAbsolute(path)
    ? [path]
    : [...new Set(folders.flatMap(folder => [join(folder, kind, path), join(folder, path)]))]
  const found = places.find(place => existsSync(place))
  if (found !== undefined) return found
  throw problem('E_FILE', `cannot find ${path}`, {
    at,
    hint: `looked for ${[...new Set(places.map(place => resolve(place)))].join(', ')}`,
  })
}

/** A task that check mode leaves out reads nothing: tells of the files here that the first words of its options name, like `script`’s. */
export function tellFiles(
  { onFile }: RunDeps,
  args: Readonly<Record<string, unknown>>,
  folders: readonly string[],
): void {
  if (!onFile) return
  for (const value of Object.values(args)) {
    const [path = ''] = typeof value === 'string' ? value.split(/\s/, 1) : []
    if (path === '' || isAbsolute(path)) continue
    const places = folders.flatMap(folder => [join(folder, 'files', path), join(folder, path)])
    const found = places.find(place => statSync(place, { throwIfNoEntry: false })?.isFile())
    if (found !== undefined) onFile(found)
  }
}
