import { randomBytes } from 'node:crypto'
import type { Emit } from '../core/event.ts'
import type { Registry } from '../core/module.ts'
import type { Redactor } from '../core/redact.ts'
import type { Address, Become } from '../core/remote.ts'
import { isSameSecret, Secret } from '../core/secret.ts'
import type { Value } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import { checkArgs } from '../load/params.ts'
import { loadTasks } from '../load/playbook.ts'
import { loadVarsFile } from '../load/vars-file.ts'
import { addressOf, becomeOf } from '../remote/address.ts'
import { createConnections } from '../remote/connections.ts'
import { renderDiff } from '../report/diff.ts'
import type {
  BecomeKeywords,
  ConnectionKeywords,
  GetVariable,
  RunDeps,
  Terminal,
  VarsPrompt,
} from '../run/deps.ts'
import type { Settings } from '../run/engine.ts'
import { mergingScopeOf } from '../vars/merge.ts'
import { scopeOf } from '../vars/scope.ts'
import type { ConfigValues } from './config.ts'
import type { Credentials } from './credentials.ts'
import { createFactCache } from './fact-cache.ts'
import { createStepper } from './interactive.ts'
import type { LoadPlaybook } from './load-run.ts'
import type { RunFlags } from './options.ts'
import { ask, askSecret } from './prompt.ts'
import type { RunState } from './run-state.ts'
import { createOperatorTemplar } from './templar.ts'
import type { RunVault } from './vault-passwords.ts'

export interface WiringOptions {
  readonly flags: RunFlags
  readonly config: ConfigValues
  readonly vault: RunVault
  readonly loadPlaybook: LoadPlaybook
  readonly credentials: Credentials
  readonly settings: Settings
  readonly registry: Registry
  readonly inventory: Inventory
  readonly refreshInventory?: () => Promise<Inventory>
  readonly redactor: Redactor
  readonly state: RunState
  readonly emit: Emit
  readonly stop: AbortSignal
  readonly terminal?: Terminal | undefined
  readonly now: () => Date
  /** Told of every file besides the inventory that decides what is done, before it is read. May throw. */
  readonly onFile?: ((path: string) => void) | undefined
}

/** The engine's world made of the real parts. The caller closes `connections`. */
export function createDeps(options: WiringOptions): RunDeps {
  const { credentials, registry, state, redactor, vault } = options
  const { onFile } = options
  const templar = createOperatorTemplar(options.now, vault, onFile)
  const loading = { registry, vault }
  const watched =
    <T, More extends readonly unknown[]>(load: (file: string, ...more: More) => T) =>
    (file: string, ...more: More): T => {
      onFile?.(file)
      return load(file, ...more)
    }
  return {
    registry,
    templar,
    redactor,
    inventory: options.inventory,
    ...(options.refreshInventory && { refreshInventory: options.refreshInventory }),
    settings: options.settings,
    emit: options.emit,
    stop: options.stop,
    now: options.now,
    random: randomBytes,
    connections: createConnections({
      redactor,
      onLogin: ({ name, by, ...login }) =>
        options.emit({ type: 'login', host: name, ...login, by: redactor.clean(by) }),
      ...(options.settings.verbosity > 3 && {
        onBecome: (name, command) =>
          options.emit({ type: 'note', level: 'info', text: redactor.clean(`<${name}> EXEC ${command}`) }),
      }),
    }),
    checkArgs,
    ...(onFile && { onFile }),
    loadPlaybook: watched(options.loadPlaybook),
    loadTasks: watched((file: string, isGuarded = false) => loadTasks(file, { ...loading, isGuarded })),
    loadHandlers: watched(file => loadTasks(file, { ...loading, isHandlers: true })),
    loadVarsFile: watched(file => loadVarsFile(file, { vault })),
    selectHosts,
    scopeOf: selectScopeOf(options.config),
    runLookup: (name, terms, scope) => templar.runLookup(name, terms, scope),
    addressOf: (name, get, keywords) => selectAddress(name, get, keywords, options),
    becomeOf: (get, keywords) => selectBecome(get, keywords, options.flags, credentials),
    renderDiff,
    askVariable,
    terminal: options.terminal,
    ...(options.flags.step && { confirmTask: createStepper(options.terminal) }),
    openVault: (armored, file) => vault.open(armored, file).plain,
    factCache: createFactCache(options.config, options.now),
    backupFolder: state.backupFolder,
    seal: state.seal,
    unseal: state.unseal,
  }
}

/** How layers of variables become a scope: `hash_behaviour`. */
export function selectScopeOf(config: ConfigValues): typeof mergingScopeOf {
  return config.hashBehaviour?.toLowerCase() === 'merge' ? mergingScopeOf : scopeOf
}

const SECOND_MS = 1000

/** Variables of the host win over keywords of the play, those over flags: Ansible's order. */
export function selectAddress(
  name: string,
  get: GetVariable,
  keywords: ConnectionKeywords,
  { flags, config, credentials }: Pick<WiringOptions, 'flags' | 'config' | 'credentials'>,
): Address {
  const connection = keywords.connection ?? flags.connection
  const find = (variable: string): unknown =>
    get(variable) ?? (variable === 'ansible_connection' ? connection : undefined)
  return addressOf(name, find, {
    user: keywords.user ?? flags.user,
    port: keywords.port ?? config.remotePort,
    password: credentials.password,
    sshArgs: config.sshArgs,
    sshCommonArgs: flags.sshCommonArgs,
    sshExtraArgs: flags.sshExtraArgs,
    shell: config.executable,
    ...(flags.privateKey !== undefined && { identityFiles: [flags.privateKey] }),
    ...(flags.timeout !== undefined && { connectTimeoutMs: flags.timeout * SECOND_MS }),
    ...(flags.acceptNewHostKeys && { hostKeyChecking: 'accept-new' as const }),
  })
}

export function selectBecome(
  get: GetVariable,
  keywords: BecomeKeywords,
  flags: RunFlags,
  credentials: Credentials,
): Become | undefined {
  return becomeOf('become', get, {
    become: keywords.become ?? flags.become,
    user: keywords.user ?? flags.becomeUser,
    method: keywords.method ?? flags.becomeMethod,
    password: credentials.becomePassword,
  })
}

async function askVariable(prompt: VarsPrompt): Promise<Value> {
  const instead = `give -e ${prompt.name}=…`
  // As in ansible-playbook the default answers where nobody can.
  if (prompt.default !== undefined && !process.stdin.isTTY) return prompt.default
  const askOnce = (text: string): Promise<string | Secret> =>
    prompt.isSecret
      ? askSecret(text, prompt.name, `${instead} or run it in a terminal`)
      : ask(text, { hidden: prompt.private, instead })
  const shown = prompt.default === undefined || prompt.private ? '' : ` [${String(prompt.default)}]`
  for (;;) {
    const answer = await askOnce(`${prompt.text}${shown}`)
    const isEmpty = isSameAnswer(answer, '')
    if (!prompt.confirm || isSameAnswer(answer, await askOnce(`confirm ${prompt.text}`)))
      return isEmpty && prompt.default !== undefined ? prompt.default : answer
    process.stderr.write('***** VALUES ENTERED DO NOT MATCH ****\n')
  }
}

function isSameAnswer(a: string | Secret, b: string | Secret): boolean {
  const secret = (answer: string | Secret): Secret =>
    answer instanceof Secret ? answer : new Secret(answer, 'answer')
  return isSameSecret(secret(a), secret(b))
}
