import { parseTruth } from '../core/ansible-text.ts'
import { problem } from '../core/error.ts'
import type { Condition, Field, Task } from '../core/play.ts'
import { Secret } from '../core/secret.ts'
import type { Source } from '../core/source.ts'
import type { Templar } from '../core/templar.ts'
import { Float, isDict, Omit, type Scope, Template, type Value } from '../core/value.ts'
import { shortName } from './module-name.ts'

/** A keyword as it stands in the file, with what is needed to render it for one host. */
export interface Reading {
  readonly templar: Templar
  readonly scope: Scope
  readonly at: Source
}

/** A keyword's template that stands for what the block or play around says when it renders to `omit`. */
export class InheritingTemplate extends Template {
  readonly around: Field
  constructor({ text, at, secretLabel }: Template, around: Field) {
    super(text, at, secretLabel)
    this.around = around
  }
}

/** The keyword's value, or undefined where it is not given, renders to `omit` or to nothing. */
function renderField(reading: Reading, field: Field | undefined, keepsText = false): Value | undefined {
  if (field === undefined) return undefined
  const value = needsRendering(field) ? reading.templar.render(field, reading.scope, keepsText) : field
  if (value instanceof Omit && field instanceof InheritingTemplate)
    return renderField(reading, field.around, keepsText)
  return value === null || value instanceof Omit ? undefined : value
}

/** Scalars without braces are what they are: the template engine need not see them. */
export function needsRendering(value: Value): boolean {
  return value instanceof Template || Array.isArray(value) || isDict(value)
}

/** true, yes, on, 1 and their opposites, as Ansible reads them. Throws E_TASK for anything else. */
export function renderBoolean(reading: Reading, name: string, field: Field | undefined): boolean | undefined {
  const value = renderField(reading, field)
  if (value === undefined || typeof value === 'boolean') return value
  const word = value instanceof Secret ? '' : String(fromScalar(value)).toLowerCase()
  const truth = word === '' ? false : parseTruth(word)
  if (truth !== undefined) return truth
  throw problem('E_TASK', `${name}: The value '${word}' is not a valid boolean`, {
    at: reading.at,
    hint: `write ${name}: true or ${name}: false`,
  })
}

/** Throws E_TASK when it is no number. */
export function renderNumber(reading: Reading, name: string, field: Field | undefined): number | undefined {
  const value = renderField(reading, field)
  if (value === undefined) return undefined
  const number = value instanceof Secret || value === '' ? Number.NaN : Number(fromScalar(value))
  if (Number.isFinite(number)) return number
  throw problem('E_TASK', `${name} is not a number`, { at: reading.at, hint: `write ${name}: 5` })
}

/** Throws E_TASK for a list or dict, and for a Secret: what a task is called or run as must not be secret. */
export function renderText(reading: Reading, name: string, field: Field | undefined): string | undefined {
  const value = renderField(reading, field, true)
  if (value === undefined || typeof value === 'string') return value
  if (typeof value !== 'object' || value instanceof Float) return String(fromScalar(value))
  throw problem('E_TASK', `${name} is not text`, { at: reading.at, hint: `give ${name} one plain value` })
}

/** A task's name, or its module's; as Ansible does, as it is written where it cannot be rendered: names may need a loop's item. */
export function renderName(reading: Reading, task: Pick<Task, 'name' | 'module' | 'args'>): string {
  const { name } = task
  try {
    return renderText(reading, 'name', name) ?? nameByModule(task)
  } catch {
    return name instanceof Template ? name.text : ''
  }
}

/** A task without a name has its module's; `include_role` says the role too, as it is written. */
function nameByModule({ module, args }: Pick<Task, 'module' | 'args'>): string {
  const role = args.get('name') ?? args.get('role')
  if (role === undefined || shortName(String(module)) !== 'include_role') return String(module)
  return `${module} : ${role instanceof Template ? role.text : String(role)}`
}

/** A keyword that takes one text or a list of them; commas separate too where Ansible splits at them. */
export function renderTexts(reading: Reading, name: string, fields: readonly Field[]): string[] {
  return fields.flatMap(field => {
    const value = renderField(reading, field)
    const list = Array.isArray(value) ? (value as readonly Value[]) : value === undefined ? [] : [value]
    return list.map(one => renderText(reading, name, one) ?? '')
  })
}

function fromScalar(value: Value): unknown {
  return value instanceof Float ? value.value : value
}

/**
 * A condition's truth. One that yields no boolean is taken by Python's rules, and `warn` is told: ansible-core 2.19 and later
 * refuse it, earlier ones take it.
 */
export function isConditionTrue(
  reading: Reading,
  condition: Condition,
  warn: (text: string) => void,
): boolean {
  if (typeof condition === 'boolean') return condition
  // `when: "{{ x }}"`: the braces are not needed, and a text that comes out of them is data: it is not evaluated again.
  const { templar, scope } = reading
  const value = condition.text.includes('{{')
    ? templar.render(condition, scope)
    : templar.evaluate(condition, scope)
  if (typeof value === 'boolean') return value
  warn(
    `${condition.at.file}:${condition.at.line}: the condition "${condition.text}" is no boolean; ` +
      'it is taken by Python truth, which ansible-core 2.19 refuses',
  )
  return templar.isTrue(value)
}
