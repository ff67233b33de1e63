// Runs one case of the oracle through the public Templar and says what differs.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { RotaError } from '../../src/core/error.ts'
import { Template } from '../../src/core/value.ts'
import { encode, here, normalize, scopeOf, templar } from './engine.ts'

export interface Case {
  readonly id: string
  readonly mode: 'expr' | 'text' | 'var' | 'jinja'
  readonly src: string
  readonly vars?: Readonly<Record<string, unknown>>
  readonly opts?: Readonly<Record<string, unknown>>
  readonly templates?: Readonly<Record<string, string>>
  readonly expect?: { readonly t: string; readonly v?: unknown }
  readonly error?: { readonly kind: string; readonly line?: number; readonly name?: string }
}

const folder = mkdtempSync(join(tmpdir(), 'rota-template-'))
function writeTemplates(id: string, templates: Readonly<Record<string, string>>): string {
  const path = join(folder, id)
  mkdirSync(path, { recursive: true })
  for (const [name, text] of Object.entries(templates)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return path
}
/** Options of Jinja2's environment as the header of a template file; autoescape as its statement. */
function withOptions(text: string, opts: Readonly<Record<string, unknown>>): string {
  const { extensions: _on, autoescape, ...others } = opts
  const pairs = Object.entries(others).map(([name, value]) =>
    typeof value === 'boolean' ? `${name}: ${value ? 'True' : 'False'}` : `${name}: '${value}'`,
  )
  const body = autoescape ? `{% autoescape true %}${text}{% endautoescape %}` : text
  return pairs.length > 0 ? `#jinja2: ${pairs.join(', ')}\n${body}` : body
}
function run(test: Case): unknown {
  const search = test.templates ? { ansible_search_path: [writeTemplates(test.id, test.templates)] } : {}
  const scope = scopeOf({ ...test.vars, ...search })
  if (test.mode === 'expr') return templar.evaluate(new Template(test.src, here), scope)
  if (test.mode === 'var')
    return /\{\{|\{%|\{#/.test(test.src) ? templar.render(new Template(test.src, here), scope) : test.src
  const plainJinja = test.mode === 'jinja' ? { keep_trailing_newline: true } : {}
  const text = withOptions(test.src, { ...plainJinja, ...test.opts })
  return templar.renderFile(text, '/nowhere/case.j2', scope)
}

/** undefined: as the oracle. Otherwise what is different. */
export function difference(test: Case): string | undefined {
  let result: unknown
  try {
    result = encode(run(test))
  } catch (error) {
    if (!(error instanceof RotaError)) return `crashed: ${(error as Error).stack}`
    return errorDifference(test, error)
  }
  if (test.error) return `gave ${JSON.stringify(result)}, expected the error ${JSON.stringify(test.error)}`
  const wanted = normalize(test.expect as never)
  const got = normalize(result as never)
  return isDeepStrictEqual(got, wanted) || isNumericallyEqual(got, wanted)
    ? undefined
    : `gave ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`
}
const isNumericallyEqual = (a: any, b: any): boolean =>
  a.t === 'float' && b.t === 'float' && Object.is(a.v, b.v)
function errorDifference(test: Case, error: RotaError): string | undefined {
  if (!test.error) return `failed: ${error.message}`
  const { kind, name, line } = test.error
  if (kind === 'undefined' && error.code !== 'E_UNDEFINED')
    return `expected an undefined error, got ${error.code}: ${error.message}`
  if (name !== undefined && !error.message.includes(name)) return `does not name ${name}: ${error.message}`
  if (line !== undefined && test.src.includes('\n') && error.at?.line !== line)
    return `line ${error.at?.line}, expected ${line}: ${error.message}`
  return undefined
}
