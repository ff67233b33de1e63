import { errors, exits } from '../core/error.ts'
import type { Module } from '../core/module.ts'
import type { Param } from '../core/params.ts'
import { modules } from '../modules/index.generated.ts'

/** Every document that is made from the code: path in the project → text. `npm run gen` writes them, `npm run check` compares. */
export function documents(): Readonly<Record<string, string>> {
  const pages = modules.map(module => [`docs/modules/${module.name}.md`, renderModule(module)] as const)
  return {
    'docs/exit-codes.md': renderExits(),
    'docs/errors.md': renderErrors(),
    'docs/modules.md': renderModuleList(modules),
    ...Object.fromEntries(pages),
  }
}

function renderExits(): string {
  const rows = Object.values(exits).map(({ code, say }) => `| ${code} | ${say} |`)
  return `# Exit codes\n\nStable, one meaning each.\n\n| code | meaning |\n| --- | --- |\n${rows.join('\n')}\n`
}

function renderErrors(): string {
  const rows = Object.entries(errors).map(
    ([code, { exit, say }]) => `| ${code} | ${say} | ${exits[exit].code} |`,
  )
  return `# Errors\n\nEach message has one of these codes, in front of it or behind it.\n\n| code | meaning | exit |\n| --- | --- | --- |\n${rows.join('\n')}\n`
}

function renderModuleList(all: readonly Module[]): string {
  const rows = all.map(
    ({ name, kind, summary }) => `| [${name}](modules/${name}.md) | ${kind} | ${summary} |`,
  )
  return `# Modules\n\nA *state* module has check mode, diff and undo by construction; an *action* does something.\n\n| module | kind | what it does |\n| --- | --- | --- |\n${rows.join('\n')}\n`
}

/** The page of one module, as `rota doc NAME` prints it. */
export function renderModule(module: Module): string {
  const params = Object.entries(module.params).map(
    ([name, param]) =>
      `| ${[name, ...(param.aliases ?? [])].join(', ')} | ${renderType(param)} | ${renderDefault(param)} | ${param.doc} |`,
  )
  const returns = Object.entries(module.returns).map(([name, { doc }]) => `| ${name} | ${doc} |`)
  const refused = Object.entries(module.refused ?? {}).map(([name, hint]) => `| ${name} | ${hint} |`)
  const kind =
    module.kind === 'state'
      ? 'State module: has check mode, diff and undo.'
      : module.reads
        ? 'Action that only reads: it also runs in check mode.'
        : 'Action: skipped in check mode, cannot be undone.'
  return [
    `# ${module.name}`,
    module.summary,
    kind,
    ...(module.notes ?? []),
    `| option | type | default | meaning |\n| --- | --- | --- | --- |\n${params.join('\n')}`,
    ...(refused.length > 0
      ? [
          `Refused, of the options that Ansible's module has:\n\n| option | instead |\n| --- | --- |\n${refused.join('\n')}`,
        ]
      : []),
    ...(returns.length > 0 ? [`Returns:\n\n| key | meaning |\n| --- | --- |\n${returns.join('\n')}`] : []),
    `\`\`\`yaml\n${module.examples.trim()}\n\`\`\``,
  ]
    .join('\n\n')
    .concat('\n')
}

function renderType(param: Param): string {
  return 'choices' in param && param.choices ? param.choices.join(' \\| ') : param.type
}

function renderDefault(param: Param): string {
  if (param.required) return 'required'
  return param.default === undefined ? '' : `\`${String(param.default)}\``
}
