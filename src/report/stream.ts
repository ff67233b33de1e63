import type { Emit, Reporter, Stamped } from '../core/event.ts'

/**
 * Fan-out of events to reporters, stamped with a sequence number and the time. A reporter that throws is dropped and
 * said so once; it never stops a run. `required` reporters (evidence) are different: their failure is thrown.
 */
export function createStream(
  reporters: readonly Reporter[],
  options: { readonly required?: readonly Reporter[]; now: () => Date; warn: (text: string) => void },
): { readonly emit: Emit; close(): Promise<void> } {
  const live = new Set(reporters)
  const required = options.required ?? []
  let seq = 0
  return {
    emit(event) {
      const stamped = { ...event, seq: seq++, at: options.now().toISOString() } as Stamped
      for (const reporter of required) reporter.on(stamped)
      for (const reporter of live)
        try {
          reporter.on(stamped)
        } catch (cause) {
          live.delete(reporter)
          options.warn(`a reporter failed and was dropped: ${cause instanceof Error ? cause.message : cause}`)
        }
    },
    async close() {
      await Promise.allSettled([...live].map(reporter => reporter.close()))
      for (const reporter of required) await reporter.close()
    },
  }
}
