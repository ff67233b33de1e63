// Trials on the real host: the built program is struck at one of the points that it really passes, the run is taken up again,
// and the host is asked from outside.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { verifyEvidence } from '../../../src/evidence/verify.ts'
import { type Env, type Ran, Site } from './site.ts'
import type { TrialHost } from './trial-host.ts'

export const realFaults = {
  kill: 'kill -9 of the operator’s process',
  cut: 'the TCP connection is reset, and heals',
  gone: 'the host stays unreachable for the process',
  shell: 'kill -9 of the remote shells',
  session: 'kill -9 of sshd’s sessions',
  stop: 'SIGSTOP; another operator finishes; SIGCONT',
  laptop: 'kill -9, and the operator’s files are gone; another operator finishes',
  'full-operator': 'the operator’s disk is full',
  'full-host': 'the host’s disk is full',
} as const
export type RealFault = keyof typeof realFaults
/** What a command of the host's own can suffer. */
const hostFaults: readonly RealFault[] = ['shell', 'session', 'full-host']

export interface RealTrial {
  readonly fault: RealFault
  readonly at: number
  /** At a command that the host runs, not at a point of the operator's. */
  readonly onHost: boolean
  readonly way: 'resume' | 'rollback'
  /** The recovery is killed too, at this point. */
  readonly again?: number
}
export interface RealVerdict {
  readonly isStruck: boolean
  readonly point: string
  readonly state: string
  readonly wrong: readonly string[]
  /** What the processes printed. */
  readonly output: string
}

/** What works now and what does not, for the values of one env file. */
interface Before {
  readonly env: Env
  readonly token: string | undefined
}

export class RealTrials {
  readonly #site: Site
  readonly #secrets = new Set<string>()
  private constructor(site: Site) {
    this.#site = site
  }
  static async open(open: () => Promise<TrialHost>): Promise<RealTrials> {
    return new RealTrials(await Site.open(open))
  }
  close(): Promise<void> {
    return this.#site.close()
  }

  /** The first run makes keys; the second is as all later ones. */
  async warmUp(): Promise<void> {
    await this.#site.rotate({ fault: 'none', at: 0 }).ended
    this.#site.forget()
    this.#site.takeHostPoints()
  }

  /** The points of a run that nothing strikes: the operator's, and the host's commands. */
  async census(): Promise<{ readonly operator: readonly string[]; readonly host: readonly string[] }> {
    const site = this.#site
    const life = site.rotate({ fault: 'none', at: 1e9, onHost: true })
    const { code, output } = await life.ended
    if (code !== 0) throw new Error(`the rotation does not work by itself: ${output}`)
    const { names } = site.takeHostPoints()
    return { operator: life.points(), host: names }
  }

  async tryOut(trial: RealTrial): Promise<RealVerdict> {
    const site = this.#site
    site.forget()
    const env = site.env()
    const before: Before = { env, token: (await site.login(env)).accessToken }
    this.#remember(env)
    const life = site.rotate(trial.fault === 'laptop' ? { ...trial, fault: 'kill' } : trial)
    if (trial.fault === 'stop' && !trial.onHost && (await life.frozen))
      return this.#tryTakenOver(trial, before, life.points()[0] ?? '?', () => {
        process.kill(life.pid, 'SIGCONT')
        return life.ended
      })
    const ran = await life.ended
    const host = site.takeHostPoints()
    const isStruck = trial.onHost ? host.isStruck : life.points().length === 1
    if (!isStruck) return { isStruck, point: '', state: '', wrong: [], output: ran.output }
    const point = trial.onHost ? `host ${host.names[trial.at - 1]}` : life.points()[0]!
    if (trial.fault === 'laptop') return this.#tryTakenOver(trial, before, point)
    const recovered = await this.#recover(trial)
    const wrong = await this.#look(before, recovered.code)
    return { isStruck, point, state: stateOf(recovered), wrong, output: ran.output + recovered.output }
  }

  /** Resume or rollback, once killed if the trial says so, given again as its own words say. */
  async #recover({ way, again }: RealTrial, desk = this.#site.alice): Promise<Ran> {
    const site = this.#site
    const run = site.newestRun(desk)
    if (run === undefined) return { code: 3, output: 'no run' }
    if (again !== undefined) await site.start(desk, [way, run], { fault: 'kill', at: again }).ended
    let ran = await site.start(desk, [way, run]).ended
    let output = ran.output
    // A rollback that comes too late says so: then forward.
    if (ran.code === 5) {
      ran = await site.start(desk, ['resume', run]).ended
      output += ran.output
    }
    // A run that died before its first record, or before its folder was whole, never began.
    return { code: ran.code === 64 && /never began|there is no/.test(output) ? 3 : ran.code, output }
  }

  /** The other operator, with another age key and another login, finishes from the host. `wake`: then the first one goes on. */
  async #tryTakenOver(
    { way }: RealTrial,
    before: Before,
    point: string,
    wake?: () => Promise<Ran>,
  ): Promise<RealVerdict> {
    const site = this.#site
    const run = site.newestRun(site.alice)!
    if (wake === undefined) site.loseLaptop()
    const from = [way, run, '--from-host', 'crash.example', '-i', site.bob.inventory]
    let bobs = await site.start(site.bob, from).ended
    let output = bobs.output
    if (/rollback .* gives it back/.test(output)) {
      bobs = await site.start(site.bob, ['rollback', ...from.slice(1)]).ended
      output += bobs.output
    } else if (bobs.code === 5) {
      bobs = await site.start(site.bob, ['resume', run]).ended
      output += bobs.output
    }
    // Nothing to take over: the run had not reached the host, or its host was given back unchanged.
    const isTaken = !/had changed nothing|has no journal of run|no lock/.test(output)
    const wrong = isTaken ? await this.#look(before, bobs.code) : []
    const taken = site.env()
    const woken = await wake?.()
    output += woken?.output ?? ''
    if (isTaken) {
      if (JSON.stringify(site.env()) !== JSON.stringify(taken)) wrong.push('whoever woke wrote something')
      wrong.push(...(await this.#look(before, bobs.code)))
      return { isStruck: true, point, state: stateOf(bobs), wrong, output }
    }
    const last = await this.#endUntaken(before, woken)
    wrong.push(...(await this.#look(before, last.code)))
    return { isStruck: true, point, state: stateOf(last), wrong, output: output + last.output }
  }

  /**
   * Nobody took anything over: the first operator committed, or is asked to go back. Without one nothing had begun, or everything was
   * over and nothing is owed: all is as the env file says.
   */
  async #endUntaken({ env }: Before, woken: Ran | undefined): Promise<Ran> {
    const isNew = this.#site.env()['JWT_SECRET'] !== env['JWT_SECRET']
    if (woken === undefined) return { code: isNew ? 0 : 3, output: '' }
    if (woken.code === 0) return woken
    return this.#recover({ fault: 'stop', at: 0, onHost: false, way: 'rollback' })
  }

  #remember(env: Env): void {
    for (const name of this.#site.host.rotated) this.#secrets.add(env[name]!)
  }

  /** What is not whole, given the exit code of the last command. */
  async #look({ env, token }: Before, code: number | null): Promise<string[]> {
    const site = this.#site
    const wrong: string[] = []
    const now = site.env()
    this.#remember(now)
    const isNew = code === 0 || code === 6
    if (![0, 3, 6, 10].includes(code ?? -1)) wrong.push(`the recovery ends with exit ${code}`)
    for (const name of site.host.rotated)
      if ((now[name] !== env[name]) !== isNew) wrong.push(`${name} is ${isNew ? 'old' : 'new'}, exit ${code}`)
    const answer = await site.host.askDatabase(now['POSTGRES_PASSWORD']!)
    if (answer !== 'accepted') wrong.push(`the password of the env file at the database: ${answer}`)
    const old = isNew ? await site.host.askDatabase(env['POSTGRES_PASSWORD']!) : 'refused'
    if (old !== 'refused') wrong.push(`the old password at the database: ${old}`)
    const stale = { ...now, ADMIN_PASSWORD: env['ADMIN_PASSWORD']! }
    if (
      stale['ADMIN_PASSWORD'] !== now['ADMIN_PASSWORD'] &&
      (await site.login(stale).catch(() => ({ status: 0 }))).status !== 401
    )
      wrong.push('the panel takes the old password')
    if ((await site.login(now).catch(() => ({ status: 0 }))).status !== 200) wrong.push('nobody can log in')
    const status = await site.visit(token).catch(() => 0)
    if (status !== (isNew ? 401 : 200)) wrong.push(`a token of before gets ${status}`)
    if (site.highestLock().startsWith('held ')) wrong.push('the host is still locked')
    const kept = site.kept()
    if ([...this.#secrets].some(secret => kept.includes(secret)))
      wrong.push('a secret lies in plain in what rota keeps')
    wrong.push(...(await this.#lookAtEvidence()))
    return wrong
  }
  /** Of the desk that finished the run. */
  async #lookAtEvidence(): Promise<string[]> {
    const site = this.#site
    const desk = site.newestRun(site.bob) === undefined ? site.alice : site.bob
    const run = site.newestRun(desk)
    if (run === undefined) return []
    const folder = join(desk.runs, run)
    const hasBegun = readFileSync(join(folder, 'journal'), { flag: 'a+' }).length > 0
    if (!hasBegun) return []
    const { problems } = await verifyEvidence(join(folder, 'evidence'))
    return problems.map(problem => `evidence: ${JSON.stringify(problem)}`)
  }
}

function stateOf({ code }: Ran): string {
  return (
    { 0: 'committed', 3: 'refused', 6: 'committed_with_warnings', 10: 'rolled_back' }[code ?? -1] ??
    `exit ${code}`
  )
}

/** Trials spread evenly over points, faults, ways and second stops. */
export function* listTrials(operator: number, host: number, only?: RealFault): Generator<RealTrial> {
  const faults = only ? [only] : (Object.keys(realFaults) as RealFault[])
  // Steps by the golden ratio fall everywhere, however early the walk is ended.
  const fraction = (i: number, salt: number): number => ((i + 1) * 0.6180339887 + salt) % 1
  for (let i = 0; ; i++) {
    const fault = faults[i % faults.length]!
    const round = Math.floor(i / faults.length)
    const onHost = hostFaults.includes(fault) && round % 3 !== 0
    const at =
      1 + Math.floor(fraction(round, faults.indexOf(fault) / faults.length) * (onHost ? host : operator))
    const way = (round + faults.indexOf(fault)) % 2 === 0 ? 'resume' : 'rollback'
    const again = round % 2 === 1 ? 1 + Math.floor(fraction(i, 0.3) * operator) : undefined
    yield { fault, at, onHost, way, ...(again !== undefined && { again }) }
  }
}
