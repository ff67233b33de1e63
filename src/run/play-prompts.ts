import { problem } from '../core/error.ts'
import { isSecretName } from '../core/secret.ts'
import { type Dict, type Scope, Template, type Value } from '../core/value.ts'
import type { RunDeps } from './deps.ts'
import { renderBoolean, renderNumber, renderText } from './keyword.ts'
import type { PlayPlan } from './play-plan.ts'
import { renderLabel } from './result.ts'

/**
 * Asks for the play's `vars_prompt` and keeps the answers in the plan, before its hosts are selected: `hosts` may name one. Extra vars
 * answer without asking. Throws E_VARS where nobody can be asked.
 */
export async function askPrompts(deps: RunDeps, plan: PlayPlan): Promise<void> {
  for (const prompt of plan.play.varsPrompt ?? []) {
    const name = renderLabel(prompt.get('name') ?? '')
    if (deps.settings.extraVars.has(name) || plan.answers.has(name)) continue
    plan.answers.set(name, encrypt(deps, plan, prompt, await ask(deps, plan, name, prompt)))
  }
}

async function ask(deps: RunDeps, { play, reading }: PlayPlan, name: string, prompt: Dict): Promise<Value> {
  const standard = prompt.get('default')
  const isPrivate = renderBoolean(reading, 'private', prompt.get('private')) ?? true
  // `private` is the default, and so says little; a hash is there to be handed on.
  const isKept = play.rotation !== undefined || (isSecretName(name) && !prompt.get('encrypt'))
  if (deps.askVariable)
    return deps.askVariable({
      name,
      text: renderText(reading, 'prompt', prompt.get('prompt')) ?? name,
      private: isPrivate,
      isSecret: isPrivate && isKept,
      confirm: renderBoolean(reading, 'confirm', prompt.get('confirm')) ?? false,
      default: standard === undefined ? standard : reading.templar.render(standard, reading.scope),
    })
  if (standard !== undefined) return standard
  throw problem('E_VARS', `nobody can be asked for ${name}`, {
    at: play.at,
    hint: `give it with -e ${name}=VALUE`,
  })
}

/** `encrypt`: what the variable gets is the hash that the filter password_hash makes. */
function encrypt(deps: RunDeps, { play, reading }: PlayPlan, prompt: Dict, answer: Value): Value {
  const scheme = renderText(reading, 'encrypt', prompt.get('encrypt'))
  if (scheme === undefined || scheme === '') return answer
  const names: ReadonlyMap<string, Value> = new Map<string, Value>([
    ['answer', answer],
    ['scheme', scheme],
    ['salt', renderText(reading, 'salt', prompt.get('salt')) ?? null],
    ['salt_size', renderNumber(reading, 'salt_size', prompt.get('salt_size')) ?? null],
  ])
  const scope: Scope = { get: name => names.get(name), names: () => names.keys() }
  const hash = new Template('answer | password_hash(scheme, salt, salt_size)', play.at)
  return deps.templar.evaluate(hash, scope)
}
