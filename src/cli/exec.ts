import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { exits, problem, RotaError } from '../core/error.ts'
import type { Registry } from '../core/module.ts'
import type { Playbook } from '../core/play.ts'
import { createRedactor } from '../core/redact.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { parsePlaybook } from '../load/playbook.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { createAdHocReporter } from '../report/ad-hoc.ts'
import { createRunId, stateFolder } from '../rotation/run-folder.ts'
import { selectNotes } from './config.ts'
import { applyPlayDefaults, configureFlags } from './config-flags.ts'
import { readCredentials } from './credentials.ts'
import { runEngine } from './engine-run.ts'
import { parseExtraVars } from './extra-vars.ts'
import { createPlaybookLoader, loadRunInventory } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { openOutput } from './output.ts'
import { createRunState } from './run-state.ts'
import { selectSettings } from './settings.ts'
import { readLine, selectPaint, writeShown } from './terminal.ts'
import { openRunVault, type RunVault } from './vault-passwords.ts'

/** Flags of `rota exec`: ansible's. */
export interface ExecFlags extends RunFlags {
  readonly moduleName?: string
  readonly args?: string
  readonly oneLine?: boolean
  readonly background?: number
  readonly poll?: number
  readonly taskTimeout?: number
  readonly playbookDir?: string
  readonly tree?: string
}

/** What messages call the play that is made of the flags. */
const NAME = '(command line)'
const now = (): Date => new Date()

/** `rota exec PATTERN -m MODULE -a ARGS`: one module on many hosts, as `ansible` does. Returns the exit code. */
export async function execCommand(pattern: string, given: ExecFlags, version: string): Promise<number> {
  const { flags, config } = configureFlags(given)
  const registry = createRegistry(modules)
  const redactor = createRedactor()
  const vault = await openRunVault(flags, config.values, redactor.add)
  const folder = flags.playbookDir ?? config.values.playbookDir ?? '.'
  const file = join(resolve(folder), NAME)
  const module = flags.moduleName ?? config.values.moduleName ?? 'command'
  const extraVars = parseExtraVars(flags.extraVars ?? [], vault)
  const refreshInventory = () =>
    loadRunInventory(flags.inventory, {
      playbooks: [file],
      vault,
      isLenient: true,
      config: config.values,
      extraVars,
    })
  const inventory = await refreshInventory()
  const hosts = selectHosts(inventory, pattern, flags.limit)
  if (flags.listHosts) {
    process.stdout.write(`  hosts (${hosts.length}):\n${hosts.map(host => `    ${host}\n`).join('')}`)
    return exits.ok.code
  }
  const playbook = applyPlayDefaults(
    makePlaybook(pattern, module, flags, { file, registry, vault }),
    config.values,
  )
  const id = createRunId(now(), randomBytes)
  return runEngine({
    playbooks: [playbook],
    files: [NAME],
    flags,
    config: config.values,
    notes: selectNotes(config, flags.verbose),
    vault,
    loadPlaybook: createPlaybookLoader({ registry, vault }, config.values),
    credentials: await readCredentials(flags),
    settings: selectSettings(flags, config.values, { id, version, extraVars }),
    registry,
    inventory,
    refreshInventory,
    redactor,
    state: createRunState(id, join(stateFolder(process.env), 'runs', id), flags.recipient ?? []),
    operator: {},
    output: openOutput(flags, {
      now,
      clean: redactor.clean,
      required: [],
      createText: () => [createReporter(module, flags)],
    }),
    now,
  })
}

/** For their owner alone: what hosts answer may be private. */
function keepIn(folder: string): (host: string, json: string) => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return (host, json) => writeFileSync(join(folder, host.replaceAll('/', '_')), json, { mode: 0o600 })
}

function createReporter(module: string, flags: ExecFlags) {
  return createAdHocReporter({
    module: module.replace(/^ansible\.(builtin|legacy)\./, ''),
    isOneLine: flags.oneLine ?? false,
    paint: selectPaint(flags.color, process.stdout.isTTY === true),
    verbosity: flags.verbose ?? 0,
    write: text => writeShown(process.stdout, text),
    warn: text => writeShown(process.stderr, text),
    readLine,
    keep: flags.tree === undefined ? undefined : keepIn(flags.tree),
  })
}

/**
 * The flags as a playbook of one play with one task. JSON is YAML, so what was typed stands in it as the value that it is. Throws
 * E_USAGE, E_MODULE and E_PARAMS; places are left out, since there is no file to look into.
 */
function makePlaybook(
  pattern: string,
  module: string,
  flags: ExecFlags,
  options: { readonly file: string; readonly registry: Registry; readonly vault: RunVault },
): Playbook {
  if (/^(ansible\.builtin\.)?(import_playbook|meta)$/.test(module))
    throw problem('E_USAGE', `${module} makes no sense by itself`, {
      hint: 'write a playbook, and use rota run',
    })
  const { background, poll, taskTimeout, args = '' } = flags
  if (args === '' && /^(ansible\.builtin\.)?(command|shell|raw|script)$/.test(module))
    throw problem('E_USAGE', `No argument passed to ${module} module`, {
      hint: 'say what to run: -a COMMAND',
    })
  const task = [
    `${JSON.stringify(module)}: ${parseArgs(args)}`,
    ...(background === undefined ? [] : [`async: ${background}`, `poll: ${poll ?? DEFAULT_POLL_SECONDS}`]),
    ...(taskTimeout === undefined ? [] : [`timeout: ${taskTimeout}`]),
  ]
  const text = [
    `- hosts: ${JSON.stringify(pattern)}`,
    '  name: rota exec',
    '  gather_facts: false',
    '  tasks:',
    ...task.map((line, index) => `    ${index === 0 ? '-' : ' '} ${line}`),
  ].join('\n')
  try {
    return parsePlaybook(text, options.file, options)
  } catch (error) {
    if (!(error instanceof RotaError)) throw error
    throw new RotaError(error.problems.map(({ code, message, hint }) => ({ code, message, hint })))
  }
}

/** Ansible's own default of `--poll`. */
const DEFAULT_POLL_SECONDS = 15

/** `-a` as YAML: JSON as it is, anything else as one text. */
function parseArgs(args: string): string {
  if (!args.trimStart().startsWith('{') || args.trimStart().startsWith('{{')) return JSON.stringify(args)
  try {
    return JSON.stringify(JSON.parse(args))
  } catch (cause) {
    throw problem('E_USAGE', `-a begins with { and is not JSON: ${(cause as Error).message}`, {
      cause,
      hint: `write -a '{"name": "value"}' or -a 'name=value'`,
    })
  }
}
