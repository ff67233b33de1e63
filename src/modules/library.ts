import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { join, parse } from 'node:path'
import { problem } from '../core/error.ts'
import { defineAction, type Module, type Outcome, type Registry, type Target } from '../core/module.ts'
import type { Ran } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { type Dict, fromValue, holdsSecret, isDict, toValue, type Value } from '../core/value.ts'
import { environmentParams } from './environment.ts'

/**
 * The registry with the operator's own modules behind it: programs in folders named `library`, beside a playbook or in a role. A
 * program gets the path of a file with its options and answers in JSON on stdout. What needs Ansible's Python code on the target is
 * none of them. `onFile` is told of a program before it is read, and may throw.
 */
export function withLibrary(registry: Registry, onFile?: (path: string) => void): Registry {
  const folders = new Set<string>()
  const found = new Map<string, Module>()
  return {
    names: () => registry.names(),
    get(name) {
      const known = registry.get(name) ?? found.get(name)
      if (known || folders.size === 0) return known
      const path = [...folders].flatMap(folder => findProgram(folder, name))[0]
      if (path === undefined) return undefined
      onFile?.(path)
      const own = createModule(name, path)
      if (own) found.set(name, own)
      return own
    },
    addLibrary: folder => void folders.add(folder),
  }
}

/** NAME, or NAME with any ending. */
function findProgram(folder: string, name: string): string[] {
  return entriesOf(folder)
    .filter(entry => !entry.isDirectory() && (entry.name === name || parse(entry.name).name === name))
    .map(entry => join(folder, entry.name))
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    // Most playbooks and roles have no library.
    return []
  }
}

/** Undefined: a module in Python for Ansible, whose other half would have to be on the target. */
function createModule(name: string, path: string): Module | undefined {
  const file = readFileSync(path)
  if (/\bansible\.module_utils\b|#<<INCLUDE_ANSIBLE_MODULE_COMMON>>/.test(file.toString('latin1')))
    return undefined
  return defineAction({
    name,
    summary: `A program of the operator's own: ${path}.`,
    params: {},
    otherParams: { type: 'any', doc: 'An option of this name.' },
    freeForm: '_raw_params',
    returns: {},
    examples: '',
    async run(t, args) {
      const options = new Map(
        Object.entries(args as Readonly<Record<string, Value>>).filter(([, value]) => value !== undefined),
      )
      const given = renderOptions(name, file, options)
      const params = { ...environmentParams(t), options: given, interpreter: interpreterOf(file, t) }
      const ran = await t.run(program, params, { stdin: file })
      return readAnswer(name, ran, t)
    },
  })
}

const program = sh`
umask 077
folder=$(mktemp -d "\${TMPDIR:-/tmp}/rota-module.XXXXXX") || exit 1
trap 'rm -rf -- "$folder"' EXIT
trap 'exit 130' INT TERM HUP
cat >"$folder/module" && printf '%s' "$p_options" >"$folder/options" && chmod 700 "$folder/module" || exit 1
umask 022
(
  for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
  case $p_interpreter in
    '') exec "$folder/module" "$folder/options" </dev/null ;;
    python*) if command -v python3 >/dev/null 2>&1; then p_interpreter=python3; fi ;;
  esac
  exec "$p_interpreter" "$folder/module" "$folder/options" </dev/null
)
`

/**
 * What runs a script instead of the first line's program: the variable `ansible_python_interpreter` for one in Python, and so for others
 * that it names; else the Python that the host has. '': the first line's.
 */
function interpreterOf(file: Buffer, t: Target): string {
  const line = /^#!\s*(\S+)/.exec(file.toString('latin1'))?.[1]
  if (line === undefined) return ''
  const kind = /^(?:.*\/)?([a-z]+)[\d.]*$/i.exec(line)?.[1] ?? ''
  const named = t.operator.scope.get(`ansible_${kind}_interpreter`)
  if (named !== undefined && kind !== 'env') {
    const text = String(t.operator.render(named))
    return text.startsWith('auto') ? 'python' : text
  }
  return kind === 'python' ? 'python' : ''
}

/** JSON for a program that says WANT_JSON and for one that is no script, else `k=v` words. Throws E_PARAMS for a secret. */
function renderOptions(name: string, file: Buffer, options: Dict): string {
  if (holdsSecret(options))
    throw problem('E_PARAMS', `${name}: a secret would lie in a file on the host`, {
      hint: 'give it by `environment:`',
    })
  const isScript = file.subarray(0, 2).toString('latin1') === '#!'
  if (!isScript || file.includes('WANT_JSON')) return JSON.stringify(fromValue(options))
  const words = [...options].map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(fromValue(value))
    return `${String(key)}='${text.replaceAll("'", `'"'"'`)}'`
  })
  return words.join(' ')
}

/** Names that say how a host is reached and what runs there: no program on the host may change them for the operator. */
const FORBIDDEN =
  /^(?:ansible_facts|discovered_interpreter_.*|ansible_(?:.*_interpreter|become.*|connection|host|port|user|password|ssh_.*|shell_.*))$/

function readAnswer(name: string, ran: Ran, t: Target): Outcome {
  const stdout = ran.stdout.toString('utf8')
  const [, json = '', junk = ''] = /^(\s*\{[\s\S]*\}[^\S\n]*)$([\s\S]*)/m.exec(stdout) ?? []
  const answer = parseAnswer(json)
  if (answer && junk.trim() !== '') t.warn(`Module invocation had junk after the JSON data: ${junk.trim()}`)
  if (!answer)
    return {
      changed: false,
      failed: true,
      msg: `${name} did not answer in JSON`,
      values: { module_stdout: stdout, module_stderr: ran.stderr.toString('utf8'), rc: ran.exit },
    }
  const { changed, failed, skipped, msg, ansible_facts: facts, ...values } = answer
  return {
    changed: changed === true,
    failed: failed === true || (failed === undefined && ran.exit !== 0),
    ...(skipped === true && { skipped: true }),
    ...(msg !== undefined && { msg: typeof msg === 'string' ? msg : JSON.stringify(msg) }),
    values,
    ...factsOf(toValue(facts ?? null)),
  }
}

function factsOf(facts: Value): Pick<Outcome, 'facts'> {
  if (!isDict(facts)) return {}
  const kept = [...facts].filter(([key]) => !FORBIDDEN.test(String(key)))
  return { facts: new Map(kept.map(([key, value]) => [String(key), value])) }
}

/** What a login script printed before it, and what came after it, is no part of it. */
function parseAnswer(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
