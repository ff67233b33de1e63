import type { Command } from 'commander'
import { addVaultFlags, collect } from './options.ts'

type Done = (exit: number) => void
const load = () => import('./vault.ts')

/** `rota vault …`: ansible-vault's commands with its arguments. */
export function addVaultCommands(program: Command, done: Done): void {
  const vault = program
    .command('vault')
    .description('encrypt and open files and values as ansible-vault does')
  addSealing(vault.command('encrypt [file...]').description('encrypt files in place'))
    .option('--output <file>', 'write there instead; - is stdout')
    .action(async (files: string[], flags) => done(await (await load()).encryptCommand(files, flags)))
  addVaultFlags(
    vault.command('decrypt [file...]').description('decrypt files in place: they are plain afterwards'),
  )
    .option('--output <file>', 'write there instead; - is stdout')
    .action(async (files: string[], flags) => done(await (await load()).decryptCommand(files, flags)))
  addVaultFlags(vault.command('view <file...>').description('show what is in vaults')).action(
    async (files: string[], flags) => done(await (await load()).viewCommand(files, flags)),
  )
  addSealing(vault.command('edit <file...>').description('open vaults in $EDITOR')).action(
    async (files: string[], flags) => done(await (await load()).editCommand(files, flags)),
  )
  addSealing(vault.command('create <file>').description('write a new vault in $EDITOR'))
    .option('--skip-tty-check', 'accepted for ansible-vault’s sake')
    .action(async (file: string, flags) => done(await (await load()).createCommand(file, flags)))
  addSealing(vault.command('rekey <file...>').description('encrypt vaults with a new password'))
    .option('--new-vault-id <[label@]source>', 'the new password: prompt, or a file or script')
    .option('--new-vault-password-file <file>', 'a file or script with the new password')
    .action(async (files: string[], flags) => done(await (await load()).rekeyCommand(files, flags)))
  addEncryptString(vault, done)
  for (const command of vault.commands) command.option('-v, --verbose', 'accepted for ansible-vault’s sake')
}

function addEncryptString(vault: Command, done: Done): void {
  addSealing(
    vault.command('encrypt_string [text...]').description('encrypt a value, as YAML for a file of variables'),
  )
    .option('-p, --prompt', 'ask for the text')
    .option('--show-input', 'show what is typed at -p')
    .option('-n, --name <name>', 'the name of the variable; repeatable', collect)
    .option('--stdin-name <name>', 'read the text from stdin, for the variable of this name')
    .option('--output <file>', 'write there instead of stdout')
    .action(async (texts: string[], flags) => done(await (await load()).encryptStringCommand(texts, flags)))
}

function addSealing(command: Command): Command {
  return addVaultFlags(command).option(
    '--encrypt-vault-id <label>',
    'the vault id to encrypt with, when passwords for several are given',
  )
}
