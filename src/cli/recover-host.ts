import { join } from 'node:path'
import { exits, problem, RotaError } from '../core/error.ts'
import type { HostHolder } from '../core/fence.ts'
import type { Inventory } from '../core/vars.ts'
import type { RunOnHost } from '../rotation/host-folder.ts'
import { type Hold, readHold } from '../rotation/host-hold.ts'
import { findBegin, findRemains, readCopy } from '../rotation/host-journal.ts'
import { freeHost } from '../rotation/host-lock.ts'
import { findLast, readJournal } from '../rotation/journal.ts'
import type { Abandoned } from '../rotation/journal-entry.ts'
import { type RotationSummary, readSummary, stateFolder, summarize } from '../rotation/run-folder.ts'
import { fetchCopies } from './from-host.ts'
import { openReach, type Reach } from './host-reach.ts'
import { openInvocation } from './invocation.ts'
import type { RunFlags } from './options.ts'
import { ask } from './prompt.ts'
import { createRunState } from './run-state.ts'

export interface RecoverHostFlags extends RunFlags {
  readonly yes?: boolean | undefined
  readonly abandon?: boolean | undefined
}

/** A host that a run holds, as this operator finds it. */
interface Case {
  readonly reach: Reach
  readonly host: string
  readonly inventory: Inventory
  readonly runOnHost: RunOnHost
  readonly hold: Hold
  readonly holder: HostHolder
  readonly isYes: boolean
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/**
 * `rota recover HOST`: says who holds a host, since when, and how that run stands; then, when confirmed, takes the run over by
 * raising the epoch of every host of it, so that `resume` and `rollback` work here. `--abandon` only gives the host back, for
 * a run that nobody here can open. Throws E_HOSTS, E_SEAL, E_USAGE where nobody can confirm, and what connecting throws.
 */
export async function recoverHostCommand(host: string, given: RecoverHostFlags): Promise<number> {
  const { yes: isYes = false, abandon = false, ...flags } = given
  const reach = await openReach(flags)
  try {
    const inventory = await reach.loadInventory([])
    const { found: hold, runOnHost } = await reach.look(
      host,
      inventory,
      runOnHost => readHold(host, runOnHost),
      ({ holder }) => holder !== undefined,
    )
    const { holder } = hold
    if (!holder) {
      say(`${host} is held by no run (epoch ${hold.epoch}): there is nothing to recover`)
      return exits.ok.code
    }
    const found: Case = { reach, host, inventory, runOnHost, hold, holder, isYes }
    say(renderHold(found))
    const left = await findAbandoned(found)
    if (left) return await freeAbandoned(found, left)
    return abandon ? await abandonHost(found) : await takeOver(found)
  } finally {
    await reach.close()
  }
}

function renderHold({ host, hold, holder }: Case): string {
  const summary = summarize(holder.run, readCopy(hold.journal ?? ''))
  return [
    `${host} is held (epoch ${hold.epoch})`,
    `  run    ${holder.run}${summary ? `, reason ${summary.reason}, begun ${summary.began}` : ''}`,
    `  by     ${holder.operator} since ${holder.since}`,
    `  state  ${summary ? renderState(summary) : 'nothing was changed anywhere yet'}`,
    ...(summary ? [`  hosts  ${summary.hosts.join(', ')}`] : []),
  ].join('\n')
}

function renderState({ state, changed }: RotationSummary): string {
  const touched = Object.entries(changed).filter(([, how]) => how === 'yes')
  const stands = touched.map(([host]) => host).join(', ')
  return `${state}${stands === '' ? '' : `; changes stand on ${stands}, as far as this host knows`}`
}

/** Throws E_USAGE for any other answer than yes, and where nobody can answer. */
async function confirm(question: string, { host, isYes }: Case): Promise<void> {
  if (isYes) return
  const answer = await ask(`${question} (yes/no)`, { hidden: false, instead: `rota recover ${host} --yes` })
  if (answer.trim() !== 'yes')
    throw problem('E_USAGE', `not confirmed: ${host} is left as it is`, { hint: 'answer yes, or give --yes' })
}

async function takeOver(found: Case): Promise<number> {
  const { reach, host, inventory, holder, hold } = found
  const { run } = holder
  const folder = join(stateFolder(process.env), 'runs', run)
  const own = await readSummary(folder)
  if (own) {
    say(`The run is this operator’s own: ${own.ways.join(', or ') || `rota resume ${run}`}`)
    return exits.held.code
  }
  const state = createRunState(run, folder, [])
  const begin = findBegin(hold.journal ?? '')
  if (begin) await openInvocation(state, [begin]).catch(error => Promise.reject(nameWayOut(error, found)))
  await confirm('Take it over? The process that has it can change nothing any more', found)
  const fetch = { reach, run, folder, state, mode: begin ? ('resume' as const) : ('rollback' as const) }
  const givenBack = await fetchCopies(fetch, host, inventory)
  if (givenBack) say(`run ${run} ${givenBack.why}: ${host} is free again`)
  else say(`run ${run} is here now. Forward: rota resume ${run}\n  back: rota rollback ${run}`)
  return exits.ok.code
}

/** Who gave this host up, when its run has ended without it: as the run's journal here says, or what the other hosts keep of it. */
async function findAbandoned({ reach, host, inventory, hold, holder }: Case): Promise<Abandoned | undefined> {
  const { run } = holder
  const own = await readJournal(join(stateFolder(process.env), 'runs', run)).catch(() => [])
  if (own.length > 0) return findLast(own, 'end')?.abandoned?.[host]
  const others = findBegin(hold.journal ?? '')?.hosts.filter(other => other !== host) ?? []
  for (const other of others) {
    const read = (runOnHost: RunOnHost) => readHold(other, runOnHost, run)
    // Whoever does not answer says nothing.
    const looked = await reach
      .look(other, inventory, read, ({ journal }) => journal !== undefined)
      .catch(() => {})
    const found = findRemains(looked?.found.journal ?? '')?.abandoned?.[host]
    if (found) return found
  }
  return undefined
}

/** A host that its run ended without: what stands there only a person can say. */
async function freeAbandoned(found: Case, { by, at, why }: Abandoned): Promise<number> {
  const { reach, host, holder, runOnHost } = found
  say(
    `${host} was given up by ${by} at ${at}: ${why}\n` +
      'Its run has ended without it. It may have the old secrets, the new ones, or some of both: see that all on it works with one set',
  )
  await confirm(`Has ${host} been looked at, and may other runs work on it again?`, found)
  await freeHost(host, reach.ownerOf(holder.run, runOnHost), { isOver: true })
  say(`${host} is free. Nothing on it was changed or undone: rotate it anew, with --limit ${host}`)
  return exits.ok.code
}

function nameWayOut(error: unknown, { host, holder }: Case): unknown {
  if (!(error instanceof RotaError) || error.code !== 'E_SEAL') return error
  return problem('E_SEAL', `run ${holder.run} is not sealed to you: you can neither finish nor undo it`, {
    hint: `a recipient of it types rota recover ${host}. Only when every key to it is lost: rota recover ${host} --abandon`,
    cause: error,
  })
}

/** Gives a host back as it stands, for a run whose keys are lost. Whoever can open the run is sent to the way that ends it. */
async function abandonHost(found: Case): Promise<number> {
  const { reach, host, hold, holder, runOnHost } = found
  const begin = findBegin(hold.journal ?? '')
  const state = createRunState(holder.run, join(stateFolder(process.env), 'runs', holder.run), [])
  const isOpenable =
    begin !== undefined &&
    (await openInvocation(state, [begin]).then(
      () => true,
      () => false,
    ))
  if (isOpenable)
    throw problem('E_USAGE', `run ${holder.run} can be ended properly, so ${host} is not abandoned`, {
      hint: `rota recover ${host}, then rota rollback ${holder.run}`,
    })
  await confirm(`Leave ${host} as it stands, half changed perhaps, and free it for other runs?`, found)
  await freeHost(host, reach.ownerOf(holder.run, runOnHost))
  say(`${host} is free. Nothing on it was changed or undone: look at it, then rotate anew`)
  return exits.ok.code
}
