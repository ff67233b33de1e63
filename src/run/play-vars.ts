import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { problem } from '../core/error.ts'
import type { Field } from '../core/play.ts'
import type { Source } from '../core/source.ts'
import type { Scope, Value } from '../core/value.ts'
import type { Layer } from '../core/vars.ts'
import type { VarsFile } from './deps.ts'
import { scopeOfTask } from './host-vars.ts'
import type { PlayPlan } from './play-plan.ts'
import type { PlayRun } from './play-run.ts'
import { renderLabel } from './result.ts'

/** Functions of templates, and what a host is: a variable of such a name is not seen, or hides what others need. */
const reserved: ReadonlySet<string> = new Set([
  ...['cycler', 'dict', 'joiner', 'lipsum', 'namespace', 'range', 'undef', 'now', 'omit'],
  ...['lookup', 'query', 'q', 'hostvars', 'groups', 'group_names', 'inventory_hostname', 'vars'],
])

/** A play's variables for each host, weakest first: vars, prompts, vars_files. Throws RotaError E_VARS, E_FILE. */
export function loadPlayLayers(run: PlayRun, plan: PlayPlan): Map<string, readonly Layer[]> {
  const { play } = plan
  const values = (play.vars ?? new Map()) as ReadonlyMap<string, Value>
  for (const name of values.keys())
    if (reserved.has(name)) run.warn(`Found variable using reserved name: ${name}`)
  const shared: Layer[] = [
    { rank: 'play vars', from: `play vars at ${play.at.file}:${play.at.line}`, values },
    { rank: 'play vars_prompt', from: 'vars_prompt', values: plan.answers },
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
  const places = plan.play.valuesAt?.get('vars_files')
  for (const [index, field] of (plan.play.varsFiles ?? []).entries()) {
    const scope = scopeOfTask({ ...run, playLayers: new Map([[host, layers]]) }, host, plan.outer, new Map())
    const path = findVarsFile(run, field, scope, places?.[index] ?? plan.play.at)
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

function findVarsFile(run: PlayRun, field: Field, scope: Scope, at: Source): string {
  const value = run.deps.templar.render(field, scope)
  const names = Array.isArray(value) ? (value as readonly Value[]) : [value]
  const places = names.flatMap(name => {
    const path = renderLabel(name)
    return [resolve(run.folder, 'vars', path), resolve(run.folder, path)]
  })
  const found = places.find(place => existsSync(place))
  if (found !== undefined) return found
  throw problem('E_FILE', `cannot find the vars_files entry ${names.map(renderLabel).join(', ')}`, {
    at,
    hint: `looked for ${places.join(', ')}`,
  })
}
