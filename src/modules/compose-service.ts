import { problem } from '../core/error.ts'
import type { Args } from '../core/params.ts'
import type { ComposeProject } from '../resources/compose.ts'

/** A server that runs in a service of a compose project: options that the modules for databases share. */
export const composeServiceParams = {
  compose_project_dir: { type: 'path', default: '', doc: 'Folder in which your own compose command runs.' },
  compose_files: { type: 'list', default: [], doc: 'Compose files, as in `-f`.' },
  compose_env_file: { type: 'path', default: '', doc: 'As in `--env-file`.' },
  compose_project_name: { type: 'string', default: '', doc: 'As in `-p`.' },
  compose_service: {
    type: 'string',
    default: '',
    doc: 'The service that runs the server, and has its client where one is needed.',
  },
} as const

/** Null: it is no service. Throws E_PARAMS for a service without a project and the other way round. */
export function composeServiceOf(
  args: Args<typeof composeServiceParams>,
  server: string,
): ({ readonly service: string } & ComposeProject) | null {
  if ((args.compose_service === '') !== (args.compose_project_dir === ''))
    throw problem('E_PARAMS', `${server}: compose_service and compose_project_dir go together`, {
      hint: 'give both, or neither',
    })
  if (args.compose_service === '') return null
  const { compose_files: files, compose_env_file: env_file, compose_project_name: project_name } = args
  const project = projectOf(args.compose_project_dir, { files, env_file, project_name })
  return { service: args.compose_service, ...project }
}

/** The project that the options of a module name; an empty one is not given. */
export function projectOf(
  folder: string,
  args: { readonly files: readonly string[]; readonly env_file: string; readonly project_name: string },
): ComposeProject {
  return {
    folder,
    files: args.files,
    env_file: args.env_file || null,
    project_name: args.project_name || null,
  }
}
