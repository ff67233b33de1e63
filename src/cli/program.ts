import { Command, CommanderError } from 'commander'
import { errors, exits, RotaError } from '../core/error.ts'
import { addConnectionFlags, addOutputFlags, addRunFlags } from './options.ts'
import { showProblems } from './terminal.ts'

/** argv to exit code. Prints every error in one form; a stack trace only with ROTA_DEBUG set. */
export async function main(argv: readonly string[], version: string): Promise<number> {
  let exit: number = exits.ok.code
  const program = createProgram(version, code => {
    exit = code
  })
  process.on('uncaughtException', error => process.exit(showFailure(error)))
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exit
  } catch (error) {
    return showFailure(error)
  }
}

function showFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok.code : exits.usage.code
  if (process.env['ROTA_DEBUG'])
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  if (error instanceof RotaError) {
    showProblems(error.problems)
    return exits[errors[error.code].exit].code
  }
  const message = error instanceof Error ? error.message : String(error)
  showProblems([{ code: 'E_BUG', message, hint: 'set ROTA_DEBUG=1 for the stack trace, and report it' }])
  return exits.internal.code
}

type Done = (exit: number) => void

function createProgram(version: string, done: Done): Command {
  const program = new Command('rota')
    .description(
      'Run Ansible playbooks over SSH; rotate the secrets of a running application as one transaction.',
    )
    .version(`rota ${version}`, '-V, --version')
    .showHelpAfterError('(rota --help shows the commands, rota COMMAND --help the flags)')
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
  addRunCommands(program, version, done)
  addReadCommands(program, done)
  return program
}

const fromHost = [
  '--from-host <host>',
  'take RUN over from the copy on this host: on another machine, by a recipient of the run',
] as const

function addRunCommands(program: Command, version: string, done: Done): void {
  addRunFlags(
    program.command('run <playbook...>').description('run playbooks (takes ansible-playbook’s flags)'),
  ).action(async (playbooks: string[], flags) =>
    done(await (await import('./run.ts')).runCommand(playbooks, flags, version)),
  )
  addRunFlags(
    program
      .command('resume [run]')
      .description('carry an interrupted rotation to its end (default: the newest run)')
      .option(...fromHost),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('resume', run, flags, version)),
  )
  addRunFlags(
    program
      .command('rollback [run]')
      .description('undo an uncommitted rotation (default: the newest run)')
      .option(...fromHost),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('rollback', run, flags, version)),
  )
  addRunFlags(
    program
      .command('finalise [run]')
      .description('run the finalise phase of a committed rotation (default: the newest run)'),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('finalise', run, flags, version)),
  )
}

function addReadCommands(program: Command, done: Done): void {
  addOutputFlags(
    program.command('status [run]').description('state of the runs on this machine, or of one run'),
  ).action(async (run: string | undefined) => done(await (await import('./status.ts')).statusCommand(run)))
  addConnectionFlags(program.command('inventory').description('show the inventory as ansible-inventory does'))
    .option('--list', 'everything as JSON')
    .option('--graph', 'groups as a tree')
    .option('--host <name>', 'the variables of one host as JSON')
    .action(async flags => done(await (await import('./inventory.ts')).inventoryCommand(flags)))
  program
    .command('doc [module]')
    .description('the documentation of a module; without a name, the list')
    .action(async (name: string | undefined) => done((await import('./doc.ts')).docCommand(name)))
  program
    .command('evidence <run>')
    .description('verify the evidence of a run: the chain, the head and every file')
    .action(async (run: string) => done(await (await import('./evidence.ts')).evidenceCommand(run)))
}
