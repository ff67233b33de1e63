import { type Command, Option } from 'commander'
import { addConnectionFlags, addOutputFlags, addRunFlags, addVaultFlags, collect } from './options.ts'

type Done = (exit: number) => void

/** The commands around a rotation besides running it: what it recorded, and who holds a host. */
export function addRotationCommands(program: Command, version: string, done: Done): void {
  addApprovalCommands(program, version, done)
  addVaultFlags(
    addConnectionFlags(
      program
        .command('recover <host>')
        .description('say which run holds a host, and take that run over to this machine'),
    ),
  )
    .option('--yes', 'do not ask')
    .option('--abandon', 'only free the host, as it stands: for a run that nobody has a key to any more')
    .action(async (host: string, flags) =>
      done(await (await import('./recover-host.ts')).recoverHostCommand(host, flags)),
    )
  addVaultFlags(
    addConnectionFlags(
      program
        .command('prune [pattern]')
        .description('remove from hosts what is left there of rotations that ended long ago'),
    ),
  )
    .option('--older-than <time>', 'only of runs that ended before that', '90d')
    .action(async (pattern: string | undefined, flags) =>
      done(await (await import('./prune.ts')).pruneCommand(pattern ?? 'all', flags)),
    )
  const journal = program.command('journal').description('what a rotation has recorded')
  journal
    .command('show <run>')
    .description('the records of a run in order, the chain checked; no secret is in them')
    .addOption(new Option('--format <format>', 'how to show them').choices(['text', 'json']).default('text'))
    .action(async (run: string, flags) =>
      done(await (await import('./journal.ts')).journalShowCommand(run, flags)),
    )
}

/** Two persons: one says what is to be done, another one approves just that. */
function addApprovalCommands(program: Command, version: string, done: Done): void {
  addRunFlags(
    program
      .command('plan <playbook...>')
      .description('write down what a rotation would do, for somebody else to approve; touches nothing'),
  )
    .requiredOption('-o, --out <file>', 'where to write the plan')
    .action(async (files: string[], flags) =>
      done(await (await import('./plan.ts')).planCommand(files, flags, version)),
    )
  program
    .command('approve <plan>')
    .description('show a plan, and sign it with an SSH key')
    .option(
      '--key <file>',
      'private key; or a .pub file whose key is in the ssh agent (~/.ssh/id_ed25519, …)',
    )
    .option('--valid <time>', 'how long the approval counts', '24h')
    .option('--yes', 'do not ask')
    .action(async (file: string, flags) =>
      done(await (await import('./approve.ts')).approveCommand(file, flags)),
    )
  addOutputFlags(
    addVaultFlags(
      addConnectionFlags(
        program
          .command('apply <plan>')
          .description('run a plan that somebody else approved, if it is still the very same'),
      ),
    ),
  )
    .option(
      '--allowed-signers <file>',
      'who may approve, as ssh-keygen -Y verify reads it',
      'allowed_signers',
    )
    .option('--secret <NAME=->', 'give a secret of the rotation again, as for run; repeatable', collect)
    .option('--recipient <age1…>', 'an age recipient besides you; repeatable', collect)
    .action(async (file: string, flags) =>
      done(await (await import('./apply.ts')).applyCommand(file, flags, version)),
    )
}
