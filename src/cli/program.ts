import { inspect } from 'node:util'
import { Command, CommanderError } from 'commander'
import { errors, exits, type Problem, problemsOf } from '../core/error.ts'
import { addIntegrationFlags } from './integration-flags.ts'
import { addConnectionFlags, addOutputFlags, addRunFlags, addVaultFlags, collect } from './options.ts'
import { addPolicyCommands } from './policy-commands.ts'
import { addRotationCommands } from './rotation-commands.ts'
import { showProblems } from './terminal.ts'
import { addVaultCommands } from './vault-commands.ts'

/** argv to exit code. Prints every error in one form; a stack trace only with ROTA_DEBUG set. */
export async function main(argv: readonly string[], version: string): Promise<number> {
  let exit: number = exits.ok.code
  const program = createProgram(version, code => {
    exit = code
  })
  // Nobody reads any more (`rota … | head`): what is under way on the targets is not given up for that.
  let lost: NodeJS.ErrnoException | undefined
  process.stderr.on('error', () => {})
  process.stdout.on('error', error => {
    if (!isReaderGone(error)) lost = error
  })
  process.on('uncaughtException', error => process.exit(showFailure(error)))
  try {
    await program.parseAsync(argv, { from: 'user' })
    // What a stream could not write it says later.
    await new Promise(setImmediate)
    return lost && exit === exits.ok.code ? showLost(lost) : exit
  } catch (error) {
    return showFailure(error)
  }
}

/** Of a pipe or a terminal; a full disk is something else. */
function isReaderGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO'
}

function showLost({ message }: Error): number {
  const say = `it was done, but what there is to say could not be written: ${message}`
  showProblems([{ code: 'E_FILE', message: say, hint: 'make room, or write it elsewhere' }])
  return exits.error.code
}

function showFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok.code : exits.usage.code
  if (process.env['ROTA_DEBUG']) process.stderr.write(`${inspect(error)}\n`)
  const problems = problemsOf(error)
  showProblems(problems)
  return exits[errors[problems[0]!.code].exit].code
}

/** commander's own words (`error: unknown option '--limt'\n(Did you mean --limit?)`) in the form of every other error. */
function toProblem(text: string): Problem {
  const [what = '', suggestion] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n')
  const near = suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?')
  const hint = near ?? 'rota --help shows the commands, rota COMMAND --help the flags'
  return { code: 'E_USAGE', message: what, hint }
}

type Done = (exit: number) => void

function createProgram(version: string, done: Done): Command {
  const program = new Command('rota')
    .description(
      'Run Ansible playbooks over SSH; rotate the secrets of a running application as one transaction.',
    )
    .version(`rota ${version}`, '-V, --version')
    .configureOutput({ outputError: text => showProblems([toProblem(text)]) })
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
  addRunCommands(program, version, done)
  addRotationCommands(program, version, done)
  addExecCommand(program, version, done)
  addPolicyCommands(program, version, done)
  addReadCommands(program, done)
  addVaultCommands(program, done)
  return program
}

const fromHost = [
  '--from-host <host>',
  'take RUN over from the copy on this host: on another machine, by a recipient of the run',
] as const

const abandon = [
  '--abandon <host>',
  'give up a host that never answers again, as it stands, and end the run without it; repeatable, with -m',
  collect,
] as const
const message = ['-m, --message <text>', 'why, for the journal and the evidence'] as const

function addRunCommands(program: Command, version: string, done: Done): void {
  addRunFlags(
    program.command('run <playbook...>').description('run playbooks (takes ansible-playbook’s flags)'),
  ).action(async (playbooks: string[], flags) =>
    done(await (await import('./run.ts')).runCommand(playbooks, flags, version)),
  )
  addRunFlags(
    program
      .command('resume [run]')
      .description('carry an interrupted rotation to its end (default: the newest open one)')
      .option(...fromHost)
      .option(...abandon)
      .option(...message),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('resume', run, flags, version)),
  )
  addRunFlags(
    program
      .command('rollback [run]')
      .description('undo an uncommitted rotation (default: the newest open one)')
      .option(...fromHost)
      .option(...abandon)
      .option(...message),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('rollback', run, flags, version)),
  )
  addRunFlags(
    program
      .command('confirm [run]')
      .description('say that what a rotation waits for at its providers is done (default: the newest one)')
      .option(...fromHost),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('confirm', run, flags, version)),
  )
  addRunFlags(
    program
      .command('finalise [run]')
      .description('end the old values of a committed rotation (default: the newest one)')
      .option(...fromHost),
  ).action(async (run: string | undefined, flags) =>
    done(await (await import('./recover.ts')).recoverCommand('finalise', run, flags, version)),
  )
  addIntegrationFlags(
    program
      .command('rotate-integration-secrets')
      .description(
        'rotate-integration-secrets.yml, or its finalise, by the arguments of the script that it replaces',
      ),
  ).action(async flags => done(await (await import('./integration.ts')).integrationCommand(flags, version)))
}

function addExecCommand(program: Command, version: string, done: Done): void {
  addOutputFlags(
    addVaultFlags(
      addConnectionFlags(
        program.command('exec <pattern>').description('run one module on hosts (takes ansible’s flags)'),
      ),
    ),
  )
    .option('-m, --module-name <module>', 'the module (command)')
    .option('-a, --args <args>', 'its arguments: k=v, free text, or JSON')
    .option('-o, --one-line', 'a line for each host')
    .option('-t, --tree <folder>', 'write each host’s result into a file of its name there')
    .option('-C, --check', 'change nothing; say what would change')
    .option('-D, --diff', 'show what changes in files and states')
    .option('-B, --background <seconds>', 'give up after this time', Number)
    .option('-P, --poll <seconds>', 'how often to look, with -B', Number)
    .option('--task-timeout <seconds>', 'give up after this time', Number)
    .option('--playbook-dir <folder>', 'where group_vars, files and templates are looked for')
    .option('--list-hosts', 'list the hosts and stop')
    .action(async (pattern: string, flags) =>
      done(await (await import('./exec.ts')).execCommand(pattern, flags, version)),
    )
}

function addReadCommands(program: Command, done: Done): void {
  addVaultFlags(
    addConnectionFlags(
      program.command('inventory [group]').description('show the inventory as ansible-inventory does'),
    ),
  )
    .option('--list', 'everything')
    .option('--graph', 'groups as a tree, from all or this group on')
    .option('--host <name>', 'the variables of one host')
    .option('-y, --yaml', 'as YAML instead of JSON')
    .option('--toml', 'as TOML instead of JSON')
    .option('--export', 'variables where they are defined, to be read in again')
    .option('--vars', 'variables in the tree')
    .option('--output <file>', 'write it to a file')
    .option('--playbook-dir <folder>', 'with the group_vars and host_vars of playbooks in this folder')
    .option('-v, --verbose', 'accepted for ansible-inventory’s sake')
    .action(async (group: string | undefined, flags) =>
      done(await (await import('./inventory.ts')).inventoryCommand(group, flags)),
    )
  addVaultFlags(
    addConnectionFlags(
      program
        .command('vars <host>')
        .description('what the inventory says of a host, and which place decides it'),
    ),
  )
    .option('--explain <name>', 'every definition of one variable, the one in force first')
    .option('--playbook-dir <folder>', 'with the group_vars and host_vars beside playbooks in this folder')
    .action(async (host: string, flags) => done(await (await import('./vars.ts')).varsCommand(host, flags)))
  program
    .command('doc [module]')
    .description(
      'the documentation of a module, or of the `keywords` of a playbook; without a name, the list of modules',
    )
    .option('-l, --list', 'the list, a line each')
    .action(async (name: string | undefined) => done((await import('./doc.ts')).docCommand(name)))
  program
    .command('evidence <run>')
    .description('verify the evidence of a run: the chain, the head and every file')
    .action(async (run: string) => done(await (await import('./evidence.ts')).evidenceCommand(run)))
  program
    .command('report <run>')
    .description('a run as a page for a browser: of a rotation, or of the file that --events wrote')
    .option('-o, --output <file>', 'write it to a file')
    .action(async (run: string, flags) => done(await (await import('./report.ts')).reportCommand(run, flags)))
}
