import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { ScriptParams } from '../core/remote.ts'

/**
 * The `environment:` keyword as parameters of a script: `$p_environment` holds the names, `$p_env_NAME` each value.
 * The script exports them inside its own subshell, so that only the user's program sees them. Throws E_PARAMS for a name
 * that no shell can export.
 */
export function environmentParams(t: Target): ScriptParams {
  const names = Object.keys(t.environment)
  const bad = names.find(name => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
  if (bad !== undefined)
    throw problem('E_PARAMS', `environment: ${JSON.stringify(bad)} is not a name that a shell can export`, {
      hint: 'use letters, digits and _, not beginning with a digit',
    })
  return {
    environment: names.join(' '),
    ...Object.fromEntries(names.map(name => [`env_${name}`, t.environment[name]!])),
  }
}
