import { exits, problem } from '../core/error.ts'
import { type Keyword, keywords } from '../load/keywords.ts'
import { renderDidYouMean } from '../load/problem.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { renderModule } from './documents.ts'

/** `rota doc [MODULE|keywords]`: the page as Markdown, or one line a module. */
export function docCommand(name: string | undefined): number {
  const registry = createRegistry(modules)
  if (name === undefined) {
    const width = Math.max(...modules.map(module => module.name.length))
    for (const known of registry.names())
      process.stdout.write(`${known.padEnd(width)}  ${registry.get(known)!.summary}\n`)
    return exits.ok.code
  }
  const module = registry.get(name)
  if (!module && name !== 'keywords')
    throw problem('E_MODULE', `there is no module "${name}"`, {
      hint: renderDidYouMean(name, registry.names(), '`rota doc` lists all modules'),
    })
  process.stdout.write(module ? renderModule(module) : renderKeywords())
  return exits.ok.code
}

/** What may be said at each place of a playbook. */
function renderKeywords(): string {
  return Object.entries(keywords)
    .map(([place, known]) => {
      const rows = Object.entries<Keyword>(known).map(([name, { doc }]) => `| ${name} | ${doc} |\n`)
      return `# ${place}\n\n| keyword | meaning |\n| --- | --- |\n${rows.join('')}`
    })
    .join('\n')
}
