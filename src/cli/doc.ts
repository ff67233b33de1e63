import { exits, problem } from '../core/error.ts'
import { modules } from '../modules/index.generated.ts'
import { createRegistry } from '../modules/registry.ts'
import { renderModule } from './documents.ts'

/** `rota doc [MODULE]`: the module's page as Markdown, or one line a module. */
export function docCommand(name: string | undefined): number {
  const registry = createRegistry(modules)
  if (name === undefined) {
    const width = Math.max(...modules.map(module => module.name.length))
    for (const known of registry.names())
      process.stdout.write(`${known.padEnd(width)}  ${registry.get(known)!.summary}\n`)
    return exits.ok.code
  }
  const module = registry.get(name)
  if (!module)
    throw problem('E_MODULE', `there is no module "${name}"`, { hint: '`rota doc` lists all modules' })
  process.stdout.write(renderModule(module))
  return exits.ok.code
}
