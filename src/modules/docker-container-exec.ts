import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args, Params } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { programReturns, stdinParams } from './command.ts'
import { dockerRefused } from './docker-words.ts'
import { outcomeOf, runProgram } from './program.ts'
import { splitWords } from './words.ts'

const params = {
  container: { type: 'string', required: true, doc: 'The container, by name or id.' },
  command: { type: 'string', doc: 'The program and its words, split by the rules of Python’s shlex.' },
  argv: { type: 'list', doc: 'The same as a list.' },
  user: { type: 'string', doc: 'As whom, by name or number.' },
  chdir: { type: 'string', doc: 'Folder of the container to be in.' },
  env: { type: 'dict', doc: 'Variables for it; no secrets.' },
  ...stdinParams,
} as const satisfies Params

async function run(t: Target, args: Args<typeof params>): Promise<Outcome> {
  const env = [...(args.env ?? [])].flatMap(([name, value]) => {
    if (value instanceof Secret)
      throw problem(
        'E_PARAMS',
        `docker_container_exec: the secret in env ${String(name)} can be seen by every user of the host`,
        {
          hint: 'give it by stdin, or put it into the env file of the container',
        },
      )
    return ['--env', `${String(name)}=${String(value)}`]
  })
  const argv = [
    'docker',
    'container',
    'exec',
    ...(args.stdin === undefined ? [] : ['--interactive']),
    ...(args.user === undefined ? [] : ['--user', args.user]),
    ...(args.chdir === undefined ? [] : ['--workdir', args.chdir]),
    ...env,
    args.container,
    ...(args.argv ?? splitWords(args.command ?? '')),
  ]
  const started = await runProgram(t, {
    start: { argv },
    stdin: args.stdin,
    addNewline: args.stdin_add_newline,
  })
  return outcomeOf(started, argv, args.strip_empty_ends)
}

const module = {
  summary: 'Start a program in a container that runs.',
  notes: [
    'A secret is given by `stdin`: every user of the host can read words and variables of a command line.',
  ],
  params,
  refused: {
    ...dockerRefused,
    detach: 'use async with poll: 0',
    tty: 'use the module expect with docker exec --tty',
  },
  rules: { mutuallyExclusive: [['argv', 'command']], requiredOneOf: [['argv', 'command']] },
  returns: programReturns,
  examples: `
- community.docker.docker_container_exec: { container: panel, command: node seed.mjs, chdir: /app }
`,
  run,
} as const

export const dockerContainerExec = defineAction<typeof params>({ name: 'docker_container_exec', ...module })

/** A shorter name of the same module. */
export const dockerExec = defineAction<typeof params>({ name: 'docker_exec', ...module })
