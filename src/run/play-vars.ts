import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { Field } from '../core/play.ts'
import { type Dict, type Scope, Template, type Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import type { VarsFile } from './deps.ts'
import { scopeOfTask } from './host-vars.ts'
import type { PlayPlan } from './play-plan.ts'
import type { PlayRun } from './play-run.ts'
import { renderLabel } from './result.ts'

/** A play's variables for each host, weakest first: vars, prompts, vars_files. Throws RotaError E_VARS, E_FILE. */
export async function loadPlayLayers(run: PlayRun, plan: PlayPlan): Promise<Map<string, readonly Layer[]>> {
  const { play } = plan
  const values = (play.vars ?? new Map()) as ReadonlyMap<string, Value>
  const shared: Layer[] = [
    { rank: 'play vars', from: `play vars at ${play.at.file}:${play.at.line}`, values },
    { rank: 'play vars_prompt', from: 'vars_prompt', values: await askAll(run, plan) },
  ]
  const files = new Map<string, VarsFile>()
  const layers = new Map<string, readonly Layer[]>()
  const fields = play.varsFiles ?? []
  for (const host of run.allHosts)
    layers.set(host, fields.length === 0 ? shared : loadVarsFiles(run, plan, host, shared, files))
  return layers
}

/** Names may use the host's variables; a list of names stands for the first of them that exists. */
function loadVarsFiles(
  run: PlayRun,
  plan: PlayPlan,
  host: string,
  shared: readonly Layer[],
  files: Map<string, VarsFile>,
): Layer[] {
  const layers = [...shared]
  for (const field of plan.play.varsFiles ?? []) {
    const scope = scopeOfTask({ ...run, playLayers: new Map([[host, layers]]) }, host, plan.outer, new Map())
    const path = findVarsFile(run, plan, field, scope)
    const file = files.get(path) ?? run.deps.loadVarsFile(path)
    files.set(path, file)
    layers.push({
      rank: 'play vars_files',
      from: path,
      values: file.values,
      ...(file.at ? { at: file.at } : {}),
    })
  }
  return layers
}

function findVarsFile(run: PlayRun, plan: PlayPlan, field: Field, scope: Scope): string {
  const value = run.deps.templar.render(field, scope)
  const names = Array.isArray(value) ? (value as readonly Value[]) : [value]
  const places = names.flatMap(name => {
    const path = renderLabel(name)
    return [resolve(run.folder, 'vars', path), resolve(run.folder, path)]
  })
  const found = places.find(place => existsSync(place))
  if (found !== undefined) return found
  throw problem('E_FILE', `cannot find the vars_files entry ${names.map(renderLabel).join(', ')}`, {
    at: field instanceof Template ? field.at : plan.play.at,
    hint: `looked for ${places.join(', ')}`,
  })
}

/** Extra vars answer a prompt without asking. */
async function askAll(run: PlayRun, { play }: PlayPlan): Promise<Map<string, Value>> {
  const answers = new Map<string, Value>()
  for (const prompt of play.varsPrompt ?? []) {
    const name = renderLabel(prompt.get('name') ?? '')
    if (!run.deps.settings.extraVars.has(name)) answers.set(name, await ask(run, play.at, name, prompt))
  }
  return answers
}

async function ask(run: PlayRun, at: PlayPlan['play']['at'], name: string, prompt: Dict): Promise<Value> {
  const standard = prompt.get('default')
  if (run.deps.askVariable)
    return run.deps.askVariable({
      name,
      text: renderLabel(prompt.get('prompt') ?? name),
      private: prompt.get('private') !== false,
      confirm: prompt.get('confirm') === true,
      default: standard,
    })
  if (standard !== undefined) return standard
  throw problem('E_VARS', `nobody can be asked for ${name}`, { at, hint: `give it with -e ${name}=VALUE` })
}
