import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { downWords, runCompose, seconds, stackParams, upWords } from './compose-run.ts'
import { projectOf } from './compose-service.ts'

const params = {
  project_src: {
    type: 'path',
    required: true,
    aliases: ['project_dir'],
    doc: 'Folder in which your own compose command runs.',
  },
  files: {
    type: 'list',
    default: [],
    doc: 'Compose files, as in `-f`; default: the one that compose finds there.',
  },
  env_file: { type: 'path', default: '', doc: 'As in `--env-file`.' },
  project_name: { type: 'string', default: '', doc: 'As in `-p`.' },
  state: {
    type: 'string',
    choices: ['present', 'stopped', 'restarted', 'absent'],
    default: 'present',
    doc: '`present` is `up -d`. `restarted` starts the same containers again: they keep their old environment.',
  },
  ...stackParams,
} as const
type StackArgs = Args<typeof params>

/** The words after `docker compose`, and the first of them that compose v1 does not know. */
function selectWords(args: StackArgs): { readonly words: readonly string[]; readonly v2Only: string } {
  const stop = seconds('-t', args.timeout)
  if (args.state === 'stopped') return { words: ['stop', ...stop, ...args.services], v2Only: '' }
  if (args.state === 'restarted') return { words: ['restart', ...stop, ...args.services], v2Only: '' }
  if (args.state === 'absent') return { words: downWords(args), v2Only: '' }
  const { words, v2 } = upWords(args)
  return { words: [...words, ...v2, ...args.services], v2Only: v2[0] ?? '' }
}

export const composeStack = defineAction({
  name: 'compose_stack',
  summary: 'Starts, stops or removes the containers of a compose project.',
  notes: [
    'Runs `docker compose`, or `docker-compose` where the host has only that, in project_src, so that the project’s name is the one your own command gives it.',
    'Changed means that a container is another one, or was started or stopped.',
  ],
  params,
  returns: {
    containers: { doc: 'name, id, state and start of each container afterwards.' },
    rc: { doc: 'Exit status of compose.' },
    stderr: { doc: 'What compose said.' },
  },
  examples: `
- name: Recreate the stack with its new environment
  compose_stack:
    project_src: /opt/proxpanel
    files: [infra/deploy/docker-compose.production.yml]
    env_file: .env.production
    build: always
`,
  async run(t, args): Promise<Outcome> {
    if (args.state === 'absent' && args.services.length > 0)
      throw problem(
        'E_PARAMS',
        'compose_stack: state absent removes the whole project, not single services',
        {
          hint: 'leave out services, or use state: stopped',
        },
      )
    const { words, v2Only } = selectWords(args)
    return runCompose(t, projectOf(args.project_src, args), words, v2Only)
  },
})
