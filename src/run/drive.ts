import { problem } from '../core/error.ts'
import { createCrew } from './crew.ts'
import { hasFacts } from './fleet.ts'
import { renderNumber, renderText } from './keyword.ts'
import type { Node } from './plan.ts'
import type { PlayPlan } from './play-plan.ts'
import type { PlayRun } from './play-run.ts'
import { strategies } from './strategy.ts'
import { walkNodes } from './walk.ts'

/** With `gathering = smart` a host whose facts are known gathers none; the places of the other tasks stay. */
function nodesOf({ deps, fleet, play }: PlayRun, host: string, nodes: readonly Node[]): readonly Node[] {
  const [first, ...rest] = nodes
  const isGathering =
    first?.kind === 'task' && first.task.module === 'gather_facts' && first.task.at === play.at
  if (!isGathering || !deps.settings.gathersOnce || !hasFacts(fleet.host(host))) return nodes
  return [{ kind: 'block', block: [] }, ...rest]
}

/** The name of the play's strategy; it may be unknown. */
export function strategyOf({ play, reading }: PlayPlan): string {
  const name = renderText(reading, 'strategy', play.strategy) ?? 'linear'
  return name.replace(/^ansible\.builtin\./, '')
}

/** Walks every host of the run through nodes. Afterwards the hosts that did not come through stand as failed or lost. */
export async function driveHosts(run: PlayRun, plan: PlayPlan, nodes: readonly Node[]): Promise<void> {
  const { play, reading } = plan
  const name = strategyOf(plan)
  const strategy = strategies.get(name)
  if (!strategy)
    throw problem('E_PLAYBOOK', `there is no strategy "${name}"`, {
      at: play.valuesAt?.get('strategy')?.[0] ?? play.at,
      hint: `one of ${[...strategies.keys()].join(', ')}`,
    })
  // A rotation counts over the whole run, and undoes: see fleet-rule.ts.
  const limit = play.rotation
    ? undefined
    : renderNumber(reading, 'max_fail_percentage', play.maxFailPercentage)
  const crew = createCrew(run, limit)
  await strategy(new Map(run.hosts.map(host => [host, walkNodes(nodesOf(run, host, nodes))])), crew)
  if (!run.deps.stop.aborted) return
  for (const [host, task] of crew.lastTasks)
    run.deps.emit({
      type: 'note',
      level: 'warn',
      text: run.deps.redactor.clean(`${host}: stopped after "${task}"; later tasks were not started`),
    })
}
