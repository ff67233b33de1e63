import { exits } from '../core/error.ts'
import type { Playbook } from '../core/play.ts'
import { type RunDeps, runPlaybooks } from '../run/engine.ts'
import { openTerminal } from './interactive.ts'
import { listenForStop, type Output } from './output.ts'
import { createDeps, type WiringOptions } from './wiring.ts'

export interface EngineRun extends Omit<WiringOptions, 'emit' | 'stop' | 'terminal'> {
  readonly playbooks: readonly Playbook[]
  /** The playbooks as they were named. */
  readonly files: readonly string[]
  readonly operator: Readonly<Record<string, string>>
  /** What is said of the configuration. */
  readonly notes: readonly string[]
  readonly output: Output
  /** Makes a rotation of a play with `rotation:`. */
  readonly join?: ((deps: RunDeps) => RunDeps) | undefined
}

/** Runs playbooks with everything wired, from `run.start` to `run.end`, and closes what it opened. Returns the exit code. */
export async function runEngine(run: EngineRun): Promise<number> {
  const { settings, redactor, output } = run
  const { emit } = output
  const signals = listenForStop()
  const terminal = openTerminal(signals.abort)
  const deps = createDeps({ ...run, emit, stop: signals.stop, terminal })
  const work = async (): Promise<number> => {
    emit({
      type: 'run.start',
      run: settings.runId,
      version: settings.version,
      playbooks: run.files,
      check: settings.check,
      operator: run.operator,
    })
    for (const text of run.notes) emit({ type: 'note', level: 'info', text: redactor.clean(text) })
    const end = await runPlaybooks(run.playbooks, run.join ? run.join(deps) : deps)
    const exit = exits[end.exit].code
    const { recap, missingRole } = end
    emit({
      type: 'run.end',
      run: settings.runId,
      exit,
      recap,
      ...(missingRole.length > 0 && { missingRole }),
    })
    return exit
  }
  const done = await work().then(
    exit => ({ exit }),
    (error: unknown) => ({ error }),
  )
  signals.close()
  await deps.connections.close()
  if ('error' in done) throw await output.fail(settings.runId, done.error)
  await output.close()
  return done.exit
}
