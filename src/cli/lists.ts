import { exits, RotaError } from '../core/error.ts'
import type { Playbook } from '../core/play.ts'
import { planPlaybooks, type RunDeps } from '../run/engine.ts'
import { renderName, renderTexts } from '../run/keyword.ts'
import type { Node, TaskNode } from '../run/plan.ts'
import { playName } from '../run/play.ts'
import { patternOf } from '../run/play-hosts.ts'
import type { PlayPlan } from '../run/play-plan.ts'
import type { RunFlags } from './options.ts'

/**
 * `--list-hosts`, `--list-tasks`, `--list-tags` as ansible-playbook prints them, and `--syntax-check`: what would run, with roles and
 * imports in place and tags selected. What is included while running is not known yet. Throws what planning throws.
 */
export function showLists(playbooks: readonly Playbook[], deps: RunDeps, flags: RunFlags): number {
  for (const { file, plays } of planPlaybooks(playbooks, deps)) {
    process.stdout.write(`\nplaybook: ${file}\n`)
    if (!flags.syntaxCheck) for (const [index, plan] of plays.entries()) showPlay(plan, index, deps, flags)
  }
  return exits.ok.code
}

function showPlay(plan: PlayPlan, index: number, deps: RunDeps, flags: RunFlags): void {
  const { play, reading } = plan
  const pattern = patternOf(play.hosts, reading)
  const tags = renderTexts(reading, 'tags', play.tags ?? [])
  const lines = ['', `  play #${index + 1} (${pattern}): ${playName(plan)}\tTAGS: [${tags.join(',')}]`]
  if (flags.listHosts) lines.push(...listHosts(pattern, deps))
  const tasks = [...plan.nodes, ...[...plan.phases.values()].flat()].flatMap(node => collectTasks(node, plan))
  if (flags.listTasks)
    lines.push('    tasks:', ...tasks.map(({ name, tags }) => `      ${name}\tTAGS: [${tags.join(', ')}]`))
  if (flags.listTags)
    lines.push(`      TASK TAGS: [${sortTags(tasks.flatMap(({ tags }) => tags)).join(', ')}]`)
  process.stdout.write(`${deps.redactor.clean(lines.join('\n'))}\n`)
}

function listHosts(pattern: string, deps: RunDeps): string[] {
  const hosts = selectKnown(pattern, deps)
  const names = pattern.split(',').map(name => `'${name}'`)
  return [
    `    pattern: [${names.join(', ')}]`,
    `    hosts (${hosts.length}):`,
    ...hosts.map(host => `      ${host}`),
  ]
}

/** An earlier play might make the group: naming one that is not there is no mistake here. */
function selectKnown(pattern: string, { selectHosts, inventory, settings }: RunDeps): readonly string[] {
  try {
    return selectHosts(inventory, pattern, settings.limit)
  } catch (error) {
    if (error instanceof RotaError && error.code === 'E_HOSTS') return []
    throw error
  }
}

interface ListedTask {
  readonly name: string
  readonly tags: readonly string[]
}

/** The tasks of a node in the order in which they stand; those that the play has of itself (facts, handlers) are left out. */
function collectTasks(node: Node, plan: PlayPlan): ListedTask[] {
  if (node.kind === 'block')
    return [...node.block, ...(node.rescue ?? []), ...(node.always ?? [])].flatMap(each =>
      collectTasks(each, plan),
    )
  return node.task.at === plan.play.at ? [] : [listTask(node, plan)]
}

function listTask({ task, keywords }: TaskNode, { reading }: PlayPlan): ListedTask {
  const name = renderName(reading, task)
  const isOfRole = keywords.role && task.name !== undefined
  return {
    name: isOfRole ? `${keywords.role.name} : ${name}` : name,
    tags: sortTags(renderTexts(reading, 'tags', keywords.tags)),
  }
}

function sortTags(tags: readonly string[]): string[] {
  return [...new Set(tags)].sort()
}
