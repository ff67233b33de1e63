import { type Command, Option } from 'commander'
import { addConnectionFlags, addRunFlags, addVaultFlags } from './options.ts'

type Done = (exit: number) => void
const policyFlag = ['--policy <file>', 'the policy file (rota.yml here)'] as const

/** The commands that go by the policy: what is due, everything at once, and when what is run. */
export function addPolicyCommands(program: Command, version: string, done: Done): void {
  addVaultFlags(
    addConnectionFlags(
      program
        .command('status [run-or-pattern]')
        .description('what is open; with a policy, how every secret on the hosts stands: age, due, drift'),
    ),
  )
    .option(...policyFlag)
    .addOption(
      new Option('--format <form>', 'how it is shown').choices(['text', 'json', 'prometheus', 'ics']),
    )
    .option('--offline', 'ask no host: ages and what is due, not whether places agree')
    .action(async (name: string | undefined, flags) =>
      done(await (await import('./status.ts')).statusCommand(name, flags, version)),
    )
  addRunFlags(
    program
      .command('incident <pattern>')
      .description(
        'rotate every secret of a host or group at once, with reason incident, as the policy says',
      ),
  )
    .option(...policyFlag)
    .action(async (pattern: string, flags) =>
      done(await (await import('./incident.ts')).incidentCommand(pattern, flags, version)),
    )
  program
    .command('schedule <scheduler> [playbook]')
    .description(
      'print what makes systemd, cron, github or gitlab run rotations: of a playbook, or of the policy',
    )
    .option(...policyFlag)
    .option('-i, --inventory <source>', 'as for rota run')
    .addOption(
      new Option('--every <period>', 'how often (from the cryptoperiods of the policy; monthly)').choices([
        'daily',
        'weekly',
        'monthly',
        'quarterly',
        'yearly',
      ]),
    )
    .option('--to <folder>', 'write the files into this folder instead of printing them')
    .action(async (scheduler: string, playbook: string | undefined, flags) =>
      done(await (await import('./schedule.ts')).scheduleCommand(scheduler, playbook, flags)),
    )
}
