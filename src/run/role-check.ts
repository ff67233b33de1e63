import type { Task } from '../core/play.ts'
import { type Dict, isDict, toValue } from '../core/value.ts'
import { renderLabel } from './result.ts'
import type { Role } from './role.ts'
import type { RoleUse } from './roles.ts'

/**
 * The task that checks what a role is given, before its own tasks: one when the argument specs of the role's meta/ have an entry for
 * its file of tasks. Named and tagged as Ansible does, since a rescue may look at its name and `--tags` must not leave it out.
 */
export function renderCheck(role: Role, { files, params, isUnchecked, at }: RoleUse): Task[] {
  const entry = files.tasks.replace(/\.(?:ya?ml|json)$/, '')
  const spec = role.argumentSpecs.get(entry) ?? null
  if (isUnchecked || !isDict(spec) || spec.size === 0) return []
  const about = spec.get('short_description')
  const name = `Validating arguments against arg spec '${entry}'`
  return [
    {
      kind: 'task',
      name: about === undefined || about === null ? name : `${name} - ${renderLabel(about)}`,
      module: 'validate_argument_spec',
      moduleAt: at,
      args: renderOptions(role, entry, spec, params),
      argsAt: new Map(),
      tags: ['always'],
      at,
    },
  ]
}

function renderOptions(role: Role, entry: string, spec: Dict, params: Dict): Dict {
  return new Map([
    ['argument_spec', spec.get('options') ?? new Map()],
    ['provided_arguments', params],
    [
      'validate_args_context',
      toValue({ type: 'role', name: role.name, argument_spec_name: entry, path: role.path }),
    ],
  ])
}
