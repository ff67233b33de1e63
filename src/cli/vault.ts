import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { isVaultText } from '../core/ansible-text.ts'
import { exits, problem, RotaError } from '../core/error.ts'
import { isSameSecret, type Secret } from '../core/secret.ts'
import { encryptVault } from '../secrets/vault.ts'
import {
  createVaultOpener,
  type OpenedVault,
  parseVaultId,
  type VaultOpener,
  type VaultPassword,
} from '../secrets/vault-passwords.ts'
import { type ConfigValues, loadConfig } from './config.ts'
import { ask, askSecret } from './prompt.ts'
import { editBytes, readInput, showBytes, writeOutput } from './vault-file.ts'
import {
  isPrompt,
  readVaultPasswords,
  selectVaultSources,
  type VaultFlags,
  type VaultSource,
  warnOfPassword,
} from './vault-passwords.ts'

/** Flags of `rota vault …`: ansible-vault's. */
export interface VaultCommandFlags extends VaultFlags {
  readonly output?: string
  readonly encryptVaultId?: string
  readonly newVaultId?: string
  readonly newVaultPasswordFile?: string
  readonly name?: readonly string[]
  readonly stdinName?: string
  readonly prompt?: boolean
  readonly showInput?: boolean
}

/** A password to encrypt with, and its id. */
interface Sealing {
  readonly label: string
  readonly password: Secret
}

/** `rota vault encrypt [FILE…]`: in place, or to --output; stdin to stdout without a file. */
export async function encryptCommand(files: readonly string[], flags: VaultCommandFlags): Promise<number> {
  const sealing = await selectSealing(flags)
  for (const file of inputsOf(files, flags)) {
    const plain = await readInput(file)
    if (isVaultText(plain))
      throw problem('E_VAULT', `${file} is a vault already`, {
        hint: 'change its password: rota vault rekey',
      })
    writeOutput(flags.output ?? file, seal(plain, sealing))
  }
  say('Encryption successful')
  return exits.ok.code
}

/** `rota vault decrypt [FILE…]`: the one command that leaves plaintext on disk, since that is what it is asked for. */
export async function decryptCommand(files: readonly string[], flags: VaultCommandFlags): Promise<number> {
  const opener = await createOpener(flags)
  for (const file of inputsOf(files, flags))
    writeOutput(flags.output ?? file, (await openFile(opener, file)).plain)
  say('Decryption successful')
  return exits.ok.code
}

/** `rota vault view FILE…` */
export async function viewCommand(files: readonly string[], flags: VaultCommandFlags): Promise<number> {
  const opener = await createOpener(flags)
  for (const file of files) showBytes((await openFile(opener, file)).plain)
  return exits.ok.code
}

/** `rota vault edit FILE…`: keeps the file's own id and password unless --encrypt-vault-id names another. */
export async function editCommand(files: readonly string[], flags: VaultCommandFlags): Promise<number> {
  const opener = await createOpener(flags)
  for (const file of files) {
    const { plain, ...own } = await openFile(opener, file)
    const edited = editBytes(plain, file)
    const sealing = flags.encryptVaultId === undefined ? own : await selectSealing(flags)
    if (!edited.equals(plain) || sealing.label !== own.label) writeOutput(file, seal(edited, sealing))
  }
  return exits.ok.code
}

/** `rota vault create FILE`: opens the editor on nothing. */
export async function createCommand(file: string, flags: VaultCommandFlags): Promise<number> {
  if (existsSync(file)) throw problem('E_FILE', `${file} exists`, { hint: `rota vault edit ${file}` })
  const sealing = await selectSealing(flags)
  writeOutput(file, seal(editBytes(Buffer.alloc(0), file), sealing))
  return exits.ok.code
}

/** `rota vault rekey FILE…`: every file is opened before the first one is written. */
export async function rekeyCommand(files: readonly string[], flags: VaultCommandFlags): Promise<number> {
  const from = selectNewSource(flags)
  const opener = await createOpener(flags)
  const opened: { readonly file: string; readonly plain: Buffer }[] = []
  for (const file of files) opened.push({ file, plain: (await openFile(opener, file)).plain })
  const sealing = await readNew(from)
  for (const { file, plain } of opened) writeOutput(file, seal(plain, sealing))
  say('Rekey successful')
  return exits.ok.code
}

/** `rota vault encrypt_string [TEXT…]`: as YAML to paste into a file of variables. */
export async function encryptStringCommand(
  texts: readonly string[],
  flags: VaultCommandFlags,
): Promise<number> {
  const sealing = await selectSealing(flags)
  const strings = [
    ...(await promptedString(flags)),
    ...(await stdinString(texts, flags)),
    ...namedStrings(texts, flags),
  ]
  if (texts.some(text => text !== '-'))
    say(
      '[WARNING]: what is typed on a command line stays in the history, and others see it while it runs: use -p',
    )
  const blocks = strings.map(({ name, plain }) => renderBlock(name, seal(plain, sealing)))
  writeOutput(flags.output ?? '-', `${blocks.join('\n')}`)
  if (process.stdout.isTTY || flags.output !== undefined) say('Encryption successful')
  return exits.ok.code
}

interface Named {
  readonly name: string | undefined
  readonly plain: Buffer
}

function namedStrings(texts: readonly string[], flags: VaultCommandFlags): Named[] {
  return texts
    .filter(text => text !== '-')
    .map((text, index) => ({ name: flags.name?.[index], plain: Buffer.from(text) }))
}

async function stdinString(texts: readonly string[], flags: VaultCommandFlags): Promise<Named[]> {
  const isWanted =
    texts.includes('-') || flags.stdinName !== undefined || (texts.length === 0 && !flags.prompt)
  if (!isWanted) return []
  if (process.stdin.isTTY) say('Type the text to encrypt; ^D ends it')
  const name = flags.stdinName ?? (texts.length === 0 ? flags.name?.[0] : undefined)
  return [{ name, plain: await readInput('-') }]
}

async function promptedString(flags: VaultCommandFlags): Promise<Named[]> {
  if (!flags.prompt) return []
  const instead = 'give the text by stdin: --stdin-name NAME'
  const name = flags.name?.[0] ?? (await ask('Variable name (enter for none)', { hidden: false, instead }))
  const plain = await ask('String to encrypt', { hidden: !flags.showInput, instead })
  return [{ name: name === '' ? undefined : name, plain: Buffer.from(plain) }]
}

/** The indent of ansible-vault. */
const INDENT = ' '.repeat(10)

function renderBlock(name: string | undefined, armored: string): string {
  const head = name === undefined ? '!vault |' : `${name}: !vault |`
  return `${head}\n${armored.replace(/^(?=.)/gm, INDENT)}`
}

function inputsOf(files: readonly string[], flags: VaultCommandFlags): readonly string[] {
  const inputs = files.length > 0 ? files : ['-']
  if (inputs.length > 1 && flags.output !== undefined)
    throw problem('E_USAGE', '--output takes one file, and several are given', { hint: 'leave --output out' })
  return inputs
}

function seal(plain: Uint8Array, { label, password }: Sealing): string {
  return encryptVault(plain, password, { label, random: randomBytes })
}

const loadValues = (): ConfigValues => loadConfig(process.env, process.cwd()).values

/** Opens with the passwords there are; the operator is asked for one when none is given. */
async function createOpener(flags: VaultFlags): Promise<VaultOpener> {
  const values = loadValues()
  const sources = selectVaultSources(flags, values)
  const passwords = await readVaultPasswords(
    sources.length > 0 ? sources : [{ label: 'default', source: 'prompt' }],
  )
  return createVaultOpener(passwords, { isMatched: values.vaultIdMatch === true, warn: warnOfPassword })
}

async function openFile(opener: VaultOpener, file: string): Promise<OpenedVault> {
  return opener.open((await readInput(file)).toString('latin1'), file)
}

/** What to encrypt with: the one password there is, the one of --encrypt-vault-id, or one that is asked for. */
async function selectSealing(flags: VaultCommandFlags): Promise<Sealing> {
  const values = loadValues()
  const wanted = flags.encryptVaultId ?? values.vaultEncryptIdentity
  const sources = selectVaultSources(flags, values)
  if (sources.length === 0) return askNew(wanted ?? 'default')
  const asked = sources.filter(isPrompt)
  const files = selectReadable(await readVaultPasswords(sources.filter(source => !isPrompt(source))), asked)
  const labels = [...files, ...asked].map(({ label }) => label)
  if (wanted === undefined && labels.length > 1)
    throw problem('E_USAGE', `The vault-ids ${labels.join(',')} are available to encrypt`, {
      hint: `say which one to encrypt with: --encrypt-vault-id ${labels[0]}`,
    })
  const isWanted = ({ label }: { readonly label: string }): boolean => label === (wanted ?? label)
  const file = files.find(isWanted)
  if (file) return { label: file.label, password: file.read() }
  if (asked.some(isWanted)) return askNew(wanted ?? labels[0]!)
  throw noMatch(wanted!, labels)
}

function noMatch(wanted: string, labels: readonly string[]): RotaError {
  const known = labels.map(label => `'${label}'`).join(', ')
  const message = `Did not find a match for --encrypt-vault-id=${wanted} in the known vault-ids [${known}]`
  return problem('E_VAULT', message, {
    hint: `give --vault-id ${wanted}@prompt or --vault-id ${wanted}@FILE`,
  })
}

/** Those that can be read; the others are warned of. Throws the first one's error when nothing else is left, not even to ask. */
function selectReadable(
  files: readonly VaultPassword[],
  asked: readonly VaultSource[],
): readonly VaultPassword[] {
  const lost: RotaError[] = []
  const readable = files.filter(file => {
    try {
      file.read()
      return true
    } catch (error) {
      if (!(error instanceof RotaError)) throw error
      lost.push(error)
      return false
    }
  })
  if (lost[0] && readable.length + asked.length === 0) throw lost[0]
  for (const error of lost) warnOfPassword(error)
  return readable
}

/** Where the password of `rekey` comes from. Throws E_USAGE and E_VAULT. */
function selectNewSource(flags: VaultCommandFlags): VaultSource {
  const { newVaultId, newVaultPasswordFile, encryptVaultId } = flags
  if (newVaultPasswordFile !== undefined && newVaultId !== undefined)
    throw problem('E_USAGE', '--new-vault-id and --new-vault-password-file are two answers to one question', {
      hint: 'give --new-vault-id LABEL@FILE',
    })
  const from = parseVaultId(newVaultId ?? newVaultPasswordFile ?? 'prompt', 'default')
  if (encryptVaultId === undefined || encryptVaultId === from.label) return from
  throw noMatch(encryptVaultId, [from.label])
}

async function readNew(from: VaultSource): Promise<Sealing> {
  if (isPrompt(from)) return askNew(from.label)
  const [file] = await readVaultPasswords([from])
  return { label: from.label, password: file!.read() }
}

/** A password to encrypt with is asked for twice: a slip of the finger would lock everybody out. */
async function askNew(label: string): Promise<Sealing> {
  const suffix = label === 'default' ? '' : ` (${label})`
  const instead = 'give --vault-password-file FILE (to rekey also --new-vault-password-file FILE)'
  const password = await askSecret(`New vault password${suffix}`, 'vault password', instead)
  const again = await askSecret(`Confirm new vault password${suffix}`, 'vault password', instead)
  if (!isSameSecret(password, again)) throw problem('E_VAULT', 'the two passwords are not the same')
  return { label, password }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
