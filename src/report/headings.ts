import { resolve } from 'node:path'
import type { Stamped } from '../core/event.ts'
import type { ResultOptions } from './result-text.ts'

type Event<T extends Stamped['type']> = Extract<Stamped, { type: T }>

/** Which headings are due. */
export interface Headings {
  startPlay(event: Event<'play.start'>): void
  startTask(event: Event<'task.start'>): void
  /** The task's heading, unless it is the last one that was written. */
  show(task: string): void
  /** Of the task; undefined when it never began. */
  module(task: string): string | undefined
  /** Where the task stands, as a line. */
  path(task: string): string
}

/**
 * Headings as ansible-playbook writes them: a task's when it begins; where its results may be hidden, and where hosts do not wait for
 * one another, above the first of its results and again when results of another task came between.
 */
export function createHeadings({ display }: ResultOptions, write: (text: string) => void): Headings {
  const tasks = new Map<string, Event<'task.start'>>()
  let isLate = false
  let last: string | undefined
  const mark = (check: boolean | undefined): string =>
    check && display.marksCheckMode ? ' [CHECK MODE]' : ''
  const pathOf = (place = ''): string => `task path: ${resolve(place.replace(/:\d+$/, ''))}`
  const show = (task: string): void => {
    const event = tasks.get(task)
    if (!event || last === task) return
    last = task
    write(`${event.handler ? 'RUNNING HANDLER' : 'TASK'} [${event.name}]${mark(event.check)}`)
  }
  return {
    startPlay({ name, check, free }) {
      isLate = free === true || !display.showsOk || !display.showsSkipped
      last = undefined
      write(`PLAY [${name}]${mark(check)}`)
    },
    startTask(event) {
      tasks.set(event.task, event)
      last = undefined
      if (!isLate) show(event.task)
    },
    show,
    module: task => tasks.get(task)?.module,
    path: task => pathOf(tasks.get(task)?.place),
  }
}
