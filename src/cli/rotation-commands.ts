import { type Command, Option } from 'commander'
import { addConnectionFlags, addVaultFlags } from './options.ts'

type Done = (exit: number) => void

/** The commands around a rotation besides running it: what it recorded, and who holds a host. */
export function addRotationCommands(program: Command, done: Done): void {
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
  const journal = program.command('journal').description('what a rotation has recorded')
  journal
    .command('show <run>')
    .description('the records of a run in order, the chain checked; no secret is in them')
    .addOption(new Option('--format <format>', 'how to show them').choices(['text', 'json']).default('text'))
    .action(async (run: string, flags) =>
      done(await (await import('./journal.ts')).journalShowCommand(run, flags)),
    )
}
