import { Template, type Value } from '../core/value.ts'
import type { PlayPlan } from './play-plan.ts'
import { renderLabel } from './result.ts'

/** The pattern of a play's `hosts`, rendered. */
export function patternOf(hosts: Value, reading: PlayPlan['reading']): string {
  const value = hosts instanceof Template ? reading.templar.render(hosts, reading.scope) : hosts
  return Array.isArray(value) ? (value as readonly Value[]).map(renderLabel).join(',') : renderLabel(value)
}
