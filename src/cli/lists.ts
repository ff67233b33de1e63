import { exits } from '../core/error.ts'
import type { Item, Play, Playbook } from '../core/play.ts'
import { phases } from '../core/play.ts'
import { Template, type Value } from '../core/value.ts'
import type { Inventory } from '../core/vars.ts'
import { selectHosts } from '../inventory/pattern.ts'
import type { RunFlags } from './options.ts'

/** `--list-hosts`, `--list-tasks`, `--list-tags`: what is in the playbooks, as written; nothing is run or rendered. */
export function showLists(playbooks: readonly Playbook[], inventory: Inventory, flags: RunFlags): number {
  for (const playbook of playbooks) {
    process.stdout.write(`\nplaybook: ${playbook.file}\n`)
    for (const [index, play] of playbook.plays.entries()) {
      if (play.kind === 'import_playbook') {
        process.stdout.write(`\n  import #${index + 1}: ${renderField(play.playbook)}\n`)
        continue
      }
      const tags = (play.tags ?? []).map(renderField)
      const hosts = renderField(play.hosts)
      process.stdout.write(
        `\n  play #${index + 1} (${hosts}): ${renderField(play.name ?? hosts)}\tTAGS: [${tags.join(', ')}]\n`,
      )
      if (flags.listHosts) showHosts(play, inventory, flags.limit)
      if (flags.listTasks) showTasks(play, tags)
      if (flags.listTags) process.stdout.write(`      TASK TAGS: [${collectTags(play, tags).join(', ')}]\n`)
    }
  }
  return exits.ok.code
}

function showHosts(play: Play, inventory: Inventory, limit: string | undefined): void {
  if (play.hosts instanceof Template) return
  const hosts = selectHosts(inventory, renderField(play.hosts), limit)
  process.stdout.write(`    hosts (${hosts.length}):\n${hosts.map(host => `      ${host}\n`).join('')}`)
}

function showTasks(play: Play, tags: readonly string[]): void {
  process.stdout.write('    tasks:\n')
  for (const item of itemsOf(play))
    walkItems(
      item,
      tags,
      (name, all) => void process.stdout.write(`      ${name}\tTAGS: [${all.join(', ')}]\n`),
    )
}

function collectTags(play: Play, tags: readonly string[]): string[] {
  const found = new Set<string>()
  for (const item of itemsOf(play))
    walkItems(item, tags, (_, all) => {
      for (const tag of all) found.add(tag)
    })
  return [...found].sort()
}

function itemsOf(play: Play): readonly Item[] {
  const { rotation } = play
  const inPhases = rotation ? phases.flatMap(phase => rotation.phases[phase]) : []
  return [...play.preTasks, ...play.tasks, ...play.postTasks, ...inPhases]
}

/** Every task with the tags it inherits. */
function walkItems(
  item: Item,
  above: readonly string[],
  visit: (name: string, tags: readonly string[]) => void,
): void {
  const tags = [...new Set([...above, ...(item.tags ?? []).map(renderField)])]
  if (item.kind === 'task') visit(renderField(item.name ?? item.module), tags)
  else
    for (const inner of [...item.block, ...(item.rescue ?? []), ...(item.always ?? [])])
      walkItems(inner, tags, visit)
}

function renderField(value: Value): string {
  if (Array.isArray(value)) return (value as readonly Value[]).map(renderField).join(',')
  return value instanceof Template ? value.toJSON() : String(value)
}
