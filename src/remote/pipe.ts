import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Call, Link } from '../core/remote.ts'
import type { Fate } from './pending.ts'
import type { Shell } from './shell.ts'

/** Where a pipe's bytes come from and go to. */
export interface PipeEnds {
  readonly stdin?: Readable
  readonly stdout?: Writable
}

/**
 * Runs a script on a shell of its own with bytes of any size flowing through. `stdout` is ended after the last byte,
 * and destroyed when the outcome is unknown, so that half a dump never looks like a whole one. When a local stream
 * fails, `kill` is called before the script could take its end for the end of the data, and the failure is thrown.
 */
export async function runPipe(
  shell: Shell,
  call: Omit<Call, 'stdin' | 'onText'>,
  ends: PipeEnds,
  kill: () => Promise<void>,
): Promise<Fate> {
  const failure = watch(ends)
  const fate = shell.pipe(call, bytes => pass(bytes, shell.link, ends.stdout))
  if (ends.stdin) ends.stdin.pipe(shell.link.stdin)
  else shell.link.stdin.end()
  const first = await Promise.race([fate, failure.first])
  ends.stdin?.unpipe(shell.link.stdin)
  if (first instanceof LocalFailure) {
    // Paused by a full local stream, the link would never come to its end.
    shell.link.stdout.resume()
    await kill()
    ends.stdout?.destroy()
    throw first.cause
  }
  shell.link.close()
  await finish(ends.stdout, first)
  return first
}

/** Tells "the local stream failed" from what a call may resolve to. */
class LocalFailure {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

/** Resolves when one of the streams fails, and keeps its error from being thrown into the process. */
function watch(ends: PipeEnds): { readonly first: Promise<LocalFailure> } {
  const first = new Promise<LocalFailure>(resolve => {
    const fail = (cause: unknown): void => resolve(new LocalFailure(cause))
    if (ends.stdin) finished(ends.stdin, { writable: false }).catch(fail)
    if (ends.stdout) finished(ends.stdout, { readable: false }).catch(fail)
  })
  return { first }
}

function pass(bytes: Buffer, link: Link, to: Writable | undefined): void {
  if (to === undefined || to.destroyed || to.write(bytes)) return
  link.stdout.pause()
  to.once('drain', () => link.stdout.resume())
}

async function finish(stdout: Writable | undefined, fate: Fate): Promise<void> {
  if (stdout === undefined) return
  if (fate === 'unbegun' || fate.status === 'unknown') {
    stdout.destroy(new Error('the outcome of the pipe is unknown'))
    return
  }
  stdout.end()
  await finished(stdout, { readable: false })
}
