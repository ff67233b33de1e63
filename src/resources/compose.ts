import { listParams, type ScriptParams } from '../core/remote.ts'
import { sh } from '../core/script.ts'

/** A compose project as the operator's own command line names it. Plain data: part of a role's state. */
export type ComposeProject = {
  /** Where the command runs; relative paths start here. */
  readonly folder: string
  readonly files: readonly string[]
  readonly env_file: string | null
  readonly project_name: string | null
  /** More words between `docker compose` and its verb, such as `--profile NAME`. */
  readonly options?: readonly string[] | undefined
}

/**
 * Defines `compose`, which runs `docker compose` or, where the host has only that, `docker-compose`, and sets
 * `$compose_version` to 2 or 1. It changes into the project's folder instead of passing --project-directory: that option
 * would give the project another name than the operator's own command does, and so start a second stack.
 */
export const composeCli = sh`
if docker compose version </dev/null >/dev/null 2>&1; then compose_version=2
elif command -v docker-compose >/dev/null 2>&1; then compose_version=1
else rt_set problem "the host has neither docker compose nor docker-compose"; exit 90
fi
cd -- "$p_folder" 2>/dev/null || { rt_set problem "there is no folder $p_folder"; exit 90; }
compose() (
  if [ -n "$p_project_name" ]; then set -- -p "$p_project_name" "$@"; fi
  i=$p_files
  while [ "$i" -gt 0 ]; do i=$((i - 1)); eval "set -- -f \"\$p_file$i\" \"\$@\""; done
  i=\${p_options:-0}
  while [ "$i" -gt 0 ]; do i=$((i - 1)); eval "set -- \"\$p_option$i\" \"\$@\""; done
  if [ -n "$p_env_file" ]; then set -- --env-file "$p_env_file" "$@"; fi
  if [ "$compose_version" = 2 ]; then exec docker compose "$@"; fi
  exec docker-compose "$@"
)
`

/** The parameters that `composeCli` reads. */
export function composeParams(project: ComposeProject): ScriptParams {
  const options = project.options ?? []
  return {
    folder: project.folder,
    env_file: project.env_file ?? '',
    project_name: project.project_name ?? '',
    files: project.files.length,
    ...listParams('file', project.files),
    options: options.length,
    ...listParams('option', options),
  }
}
