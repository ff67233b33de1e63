import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { fromValue } from '../core/value.ts'
import { downWords, flag, runCompose, seconds, stackParams, upWords } from './compose-run.ts'

const params = {
  project_src: { type: 'path', required: true, doc: 'Folder of the project on the target.' },
  project_name: { type: 'string', doc: 'As in `-p`.' },
  files: { type: 'list', default: [], doc: 'Compose files, relative to project_src.' },
  env_files: { type: 'list', default: [], doc: 'Each as in `--env-file`.' },
  profiles: { type: 'list', default: [], doc: 'Each as in `--profile`.' },
  state: {
    type: 'string',
    choices: ['absent', 'present', 'restarted', 'stopped'],
    default: 'present',
    doc: '`present` is `up`, `absent` is `down`; the others are `stop` and `restart`.',
  },
  ...stackParams,
  renew_anon_volumes: {
    type: 'bool',
    default: false,
    doc: 'New containers do not take over the anonymous volumes of the old ones.',
  },
  scale: { type: 'dict', doc: 'Service to number of its containers.' },
  remove_images: {
    type: 'string',
    choices: ['all', 'local'],
    doc: 'With `absent`: remove images too; `local`: only those without a name of their own.',
  },
  check_files_existing: {
    type: 'bool',
    default: true,
    doc: 'Taken for compatibility: compose itself says when there is no compose file.',
  },
  ignore_build_events: {
    type: 'bool',
    default: true,
    doc: 'Taken for compatibility: a build alone is never a change here, another container is.',
  },
} as const
type V2Args = Args<typeof params>

function scaleWords(scale: V2Args['scale']): readonly string[] {
  return [...(scale ?? [])].flatMap(([service, value]) => {
    const count = Number(fromValue(value))
    if (!Number.isInteger(count) || count < 0)
      throw problem('E_PARAMS', `docker_compose_v2: scale of ${String(service)} is no number of containers`, {
        hint: 'write scale: { worker: 2 }',
      })
    return ['--scale', `${String(service)}=${count}`]
  })
}

function selectWords(args: V2Args): readonly string[] {
  const stop = seconds('-t', args.timeout)
  if (args.state === 'stopped') return ['stop', ...stop, ...args.services]
  if (args.state === 'restarted')
    return ['restart', ...flag(!args.dependencies, '--no-deps'), ...stop, ...args.services]
  if (args.state === 'absent') {
    const images = args.remove_images === undefined ? [] : ['--rmi', args.remove_images]
    return [...downWords(args), ...images, ...args.services]
  }
  const { words, v2 } = upWords(args)
  return [
    ...words,
    ...v2,
    ...flag(args.renew_anon_volumes, '--renew-anon-volumes'),
    ...scaleWords(args.scale),
    ...args.services,
  ]
}

export const dockerComposeV2 = defineAction({
  name: 'docker_compose_v2',
  summary:
    'Starts, stops or removes the containers of a compose project, with the options of community.docker.',
  notes: [
    'Changed means that a container is another one, or was started or stopped.',
    '`stopped` does not make containers that are not there. A project in the playbook itself (`definition`) is not supported: put the file onto the host with copy or template.',
    'The same with fewer options, and on hosts that have only docker-compose 1, is compose_stack.',
  ],
  params,
  returns: {
    containers: { doc: 'name, id, state and start of each container afterwards.' },
    rc: { doc: 'Exit status of compose.' },
    stdout: { doc: 'What compose printed.' },
    stderr: { doc: 'What compose said.' },
  },
  examples: `
- name: Recreate the stack with its new environment
  community.docker.docker_compose_v2:
    project_src: /opt/proxpanel
    files: [infra/deploy/docker-compose.production.yml]
    env_files: [.env.production]
    recreate: always
    wait: true
`,
  async run(t, args): Promise<Outcome> {
    const options = [
      ...args.env_files.flatMap(file => ['--env-file', file]),
      ...args.profiles.flatMap(profile => ['--profile', profile]),
    ]
    const project = {
      folder: args.project_src,
      files: args.files,
      env_file: null,
      project_name: args.project_name ?? null,
      options,
    }
    return runCompose(t, project, selectWords(args), 'options of docker_compose_v2 (use compose_stack)')
  },
})
