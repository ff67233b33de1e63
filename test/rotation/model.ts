// The protocol of journal, epoch and commit as a model small enough to look at all of it: two hosts with one change each, two
// operators, and a few faults anywhere. The words are the code's. What it leaves out: phases besides change and verify, waves, and
// the window inside one script between its guard and its rename; and hosts that join, which test/rotation/distribute.test.ts strikes.

export type HostName = 'a' | 'b'
export type Operator = 'alice' | 'bob'
const hostNames: readonly HostName[] = ['a', 'b']
const operators: readonly Operator[] = ['alice', 'bob']
const ways = ['resume', 'rollback'] as const

/** Records of a journal, as far as recovery looks at them: to it `done` is as good as `intent`. */
export type Entry =
  | 'pending'
  | `intent ${HostName}`
  | 'undo'
  | `undone ${HostName}`
  | 'commit'
  /** Host b is given up by a person, who says that it never answers again. */
  | 'abandon'
  | 'end committed'
  | 'end rolled_back'

interface Host {
  readonly value: 'old' | 'new'
  /** What the highest lock says. It names the run: whose process made it, `holds` knows. */
  readonly lock: 'held' | 'free'
  /** The copy of the journal. */
  readonly copy: readonly Entry[]
  /** A write of `new` without an answer that has not landed yet; fenced once the epoch was raised. */
  readonly late: 'on its way' | 'fenced' | null
}
interface Process {
  /** What it does next; `off`: there is none. */
  readonly at: string
  /** On the operator's disk; null: gone, or never there. */
  readonly journal: readonly Entry[] | null
  /** Records that no host has confirmed. */
  readonly unkept: readonly Entry[]
  /** Of a host: not taken, taken by the highest epoch, or by one that was raised since. Only equality of epochs matters. */
  readonly holds: Readonly<Record<HostName, 'no' | 'yes' | 'lost'>>
  /** What people were told. */
  readonly says: 'committed' | 'rolled_back' | null
}
export interface State {
  readonly hosts: Readonly<Record<HostName, Host>>
  readonly processes: Readonly<Record<Operator, Process>>
  /** How many more faults may happen. */
  readonly faults: number
}
export interface Move {
  readonly name: string
  readonly next: State
  readonly isFault: boolean
}

/** The rules, each of which can be broken to see that the search finds it. */
export const rules = {
  intent: 'the intent is durable, here and on the host, before the write',
  epoch: 'a takeover raises the epoch',
  guard: 'a script proves its epoch',
  kept: 'a record that no host has confirmed goes along with the next',
  told: 'committed is said only when a host knows of it',
  probe: 'an undo asks the target what is true',
  pivot: 'after a commit nothing goes back',
  turned: 'a run that turned back never goes forward again',
  late: 'what landed after it was found not applied is undone too',
  stale: 'a journal that lacks records of a copy is not taken up',
  abandoned: 'a host that was given up stays locked until somebody has looked at it',
} as const
export type Rule = keyof typeof rules

const absent: Process = { at: 'off', journal: null, unkept: [], holds: { a: 'no', b: 'no' }, says: null }
function begin(faults: number): State {
  const host: Host = { value: 'old', lock: 'free', copy: [], late: null }
  return {
    hosts: { a: host, b: host },
    processes: { alice: { ...absent, at: 'take a', journal: [] }, bob: absent },
    faults,
  }
}

const add = <T>(list: readonly T[], more: readonly T[]): readonly T[] =>
  [...new Set([...list, ...more])].sort()

/** All that can happen next. `broken` are rules that nobody keeps. */
function listMoves(state: State, broken: ReadonlySet<Rule> = new Set()): readonly Move[] {
  const moves: Move[] = []
  for (const name of operators) moves.push(...new Steps(state, name, broken).list())
  for (const name of hostNames) {
    const { late } = state.hosts[name]
    if (late)
      moves.push({ name: `${name}: the late write lands`, next: land(state, name, broken), isFault: false })
  }
  return moves
}

function withHost(state: State, name: HostName, more: Partial<Host>): State {
  return { ...state, hosts: { ...state.hosts, [name]: { ...state.hosts[name], ...more } } }
}
function land(state: State, name: HostName, broken: ReadonlySet<Rule>): State {
  const { late, value } = state.hosts[name]
  const isRefused = late === 'fenced' && !broken.has('guard')
  return withHost(state, name, { late: null, value: isRefused ? value : 'new' })
}
/** Makes the next lock: every hold of before is lost, and so is what is still on its way. */
function raise(state: State, name: HostName, lock: Host['lock'], by: Operator | undefined): State {
  const { late } = state.hosts[name]
  const raised = withHost(state, name, { lock, late: late && 'fenced' })
  const processes = { ...raised.processes }
  for (const operator of operators) {
    const { holds } = processes[operator]
    const hold = operator === by ? 'yes' : holds[name] === 'no' ? 'no' : 'lost'
    processes[operator] = { ...processes[operator], holds: { ...holds, [name]: hold } }
  }
  return { ...raised, processes }
}

/** The steps that one operator can make in a state. */
class Steps {
  readonly #state: State
  readonly #name: Operator
  readonly #broken: ReadonlySet<Rule>
  constructor(state: State, name: Operator, broken: ReadonlySet<Rule>) {
    this.#state = state
    this.#name = name
    this.#broken = broken
  }
  get #process(): Process {
    return this.#state.processes[this.#name]
  }
  #has(entry: Entry): boolean {
    return this.#process.journal?.includes(entry) ?? false
  }
  #with(more: Partial<Process>, state = this.#state): State {
    const process = { ...state.processes[this.#name], ...more }
    return { ...state, processes: { ...state.processes, [this.#name]: process } }
  }
  #move(name: string, next: State, isFault = false): Move {
    const left = isFault ? next.faults - 1 : next.faults
    return { name: `${this.#name}: ${name}`, next: { ...next, faults: left }, isFault }
  }
  #faulty(name: string, next: State): Move[] {
    return this.#state.faults > 0 ? [this.#move(name, next, true)] : []
  }

  list(): readonly Move[] {
    const { at } = this.#process
    if (at === 'off') return [...this.#comeBack(), ...this.#takeOver()]
    const [verb, host] = at.split(' ') as [string, HostName]
    return [...this.#step(verb, host), ...this.#die()]
  }
  /** The process is no more; what it knew beside its journal is lost. */
  #stop(state = this.#state, more: Partial<Process> = {}): State {
    return this.#with({ at: 'off', unkept: [], holds: absent.holds, ...more }, state)
  }
  #die(): Move[] {
    return [
      ...this.#faulty('is killed', this.#stop()),
      ...this.#faulty('is killed, and the laptop is gone', this.#stop(this.#state, { journal: null })),
    ]
  }
  /** `rota resume` and `rota rollback` on the operator's own machine. */
  #comeBack(): Move[] {
    const { journal } = this.#process
    if (journal === null) return []
    if (this.#isEnded())
      return this.#isAnyHeld() ? [this.#move('comes back after the end', this.#to('free a'))] : []
    return ways.map(way => this.#move(way, this.#with({ at: `take a ${way}`, unkept: journal })))
  }
  #isEnded(): boolean {
    return this.#has('end committed') || this.#has('end rolled_back')
  }
  #isAnyHeld(): boolean {
    return hostNames.some(name => this.#state.hosts[name].lock === 'held')
  }
  /** `--from-host` on the other machine: the epoch of every host, then its copy. */
  #takeOver(): Move[] {
    if (this.#process.journal !== null || !this.#isAnyHeld()) return []
    return [this.#move('takes over', this.#to('fetch a'))]
  }

  #step(verb: string, host: HostName): readonly Move[] {
    switch (verb) {
      case 'fetch':
        return this.#fetch(host)
      case 'choose':
        return this.#choose()
      case 'take':
        return this.#take(host)
      case 'restore':
        return [this.#move('sends the journal', this.#tellBoth(this.#decide()))]
      case 'pending':
        return this.#announce('pending', 'intent a', hostNames)
      case 'intent':
        return this.#announce(`intent ${host}`, `write ${host}`, [host])
      case 'write':
        return this.#write(host)
      case 'ask':
        return this.#ask(host)
      case 'verify':
        return [
          this.#move('verify is green', this.#to('commit')),
          this.#move('verify is red', this.#to('undo')),
        ]
      case 'commit':
        return [this.#move('records commit', this.#record('commit', 'tell'))]
      case 'tell':
        return this.#tell()
      case 'undo':
        return [this.#move('records undo', this.#tellBoth(this.#record('undo', 'probe b')))]
      case 'probe':
        return this.#probe(host)
      case 'unwrite':
        return this.#unwrite(host)
      case 'look':
        return this.#lookLate(host)
      case 'end':
        return [
          this.#move(
            'ends',
            this.#tellBoth(this.#record(this.#has('commit') ? 'end committed' : 'end rolled_back', 'free a')),
          ),
        ]
      case 'free':
        return this.#free(host)
      default:
        throw new Error(`no step ${verb}`)
    }
  }
  #to(at: string, state = this.#state): State {
    return this.#with({ at }, state)
  }
  #record(entry: Entry, at: string, state = this.#state): State {
    const { journal, unkept } = state.processes[this.#name]
    return this.#with({ at, journal: add(journal ?? [], [entry]), unkept: add(unkept, [entry]) }, state)
  }
  #isHeld(host: HostName, state = this.#state): boolean {
    return this.#broken.has('guard') || state.processes[this.#name].holds[host] === 'yes'
  }
  /** A copy to a host: what no host has confirmed goes along. A fenced process changes nothing. */
  #call(host: HostName, state: State, isAnswered = true): State {
    if (!this.#isHeld(host, state)) return this.#stop(state)
    const { unkept, journal } = state.processes[this.#name]
    const sent = this.#broken.has('kept') ? unkept.slice(-1) : add(unkept, hostRecords(journal ?? [], host))
    const copied = withHost(state, host, { copy: add(state.hosts[host].copy, sent) })
    return isAnswered ? this.#with({ unkept: [] }, copied) : copied
  }

  #tellBoth(state: State): State {
    const told = this.#call('a', state)
    if (state.processes[this.#name].journal?.includes('abandon')) return told
    return told.processes[this.#name].at === 'off' ? told : this.#call('b', told)
  }
  /** The epoch of a host that the run holds, then its copy: whoever had the run can add nothing to what is read. */
  #fetch(host: HostName): readonly Move[] {
    if (this.#isGivenUp(host)) return [this.#move('leaves b alone', this.#to('choose'))]
    const { copy } = this.#state.hosts[host]
    const read = this.#with({ journal: add(this.#process.journal ?? [], copy) })
    return [this.#move(`raises and reads ${host}`, this.#raise(host, read))]
  }
  #raise(host: HostName, state: State): State {
    const next = this.#to(host === 'a' ? 'fetch b' : 'choose', state)
    if (state.hosts[host].lock === 'free') return next
    if (this.#broken.has('epoch'))
      return this.#with({ holds: { ...this.#process.holds, [host]: 'yes' } }, next)
    return raise(next, host, 'held', this.#name)
  }
  /** What the copies amount to. Without a pending record nothing was changed anywhere: the hosts are given back. */
  #choose(): readonly Move[] {
    if (!this.#has('pending'))
      return [this.#move('gives the hosts back', this.#with({ at: 'free a', journal: null }))]
    if (this.#isEnded()) return [this.#move('finds it ended', this.#to('free a'))]
    const { journal } = this.#process
    return ways.map(way => this.#move(way, this.#with({ at: `take a ${way}`, unkept: journal ?? [] })))
  }
  #take(host: HostName): readonly Move[] {
    const way = this.#process.at.split(' ')[2] ?? 'resume'
    if (this.#isGivenUp(host)) return [this.#move('leaves b alone', this.#to(`restore - ${way}`))]
    const { copy } = this.#state.hosts[host]
    const isStale = copy.some(entry => !this.#has(entry)) && !this.#broken.has('stale')
    // As its hint says, the folder is moved away, and the run is fetched from the hosts.
    if (isStale)
      return [
        this.#move(`is refused on ${host}: it went on elsewhere`, this.#stop(this.#state, { journal: null })),
      ]
    const isKnown = this.#has('pending')
    const begin = isKnown ? `restore - ${way}` : way === 'resume' ? 'pending' : 'end'
    return [
      this.#move(
        `takes ${host}`,
        raise(this.#to(host === 'a' ? `take b ${way}` : begin), host, 'held', this.#name),
      ),
      ...this.#faulty(`cannot reach ${host}`, this.#stop()),
      ...(host === 'b' && isKnown && !this.#isEnded() ? this.#faulty('gives b up', this.#giveUp(way)) : []),
    ]
  }
  #isGivenUp(host: HostName): boolean {
    return host === 'b' && this.#has('abandon')
  }
  /** By a person's word. What stands on b is not touched any more, by whomever. */
  #giveUp(way: string): State {
    return this.#call('a', this.#record('abandon', `restore - ${way}`))
  }
  /** Which way a run that is taken up goes: see transaction.ts. */
  #decide(): State {
    const way = this.#process.at.split(' ')[2]
    if (this.#has('commit') && !(this.#broken.has('pivot') && way === 'rollback')) return this.#to('tell')
    if (this.#has('undo') && !(this.#broken.has('turned') && way === 'resume')) return this.#to('probe b')
    return this.#to(way === 'rollback' ? 'undo' : this.#has('intent a') ? 'ask a' : 'intent a')
  }
  /** A record that has to be on the hosts before what it announces; if it cannot be, the run goes back. */
  #announce(entry: Entry, at: string, keepers: readonly HostName[]): readonly Move[] {
    if (this.#broken.has('intent') && entry !== 'pending') return [this.#move(`skips ${entry}`, this.#to(at))]
    const recorded = this.#record(entry, at)
    const sent = keepers.reduce((state, host) => this.#call(host, state), recorded)
    const back = entry === 'pending' ? 'end' : 'undo'
    const first = keepers[0]!
    return [
      this.#move(`announces ${entry}`, sent),
      ...this.#faulty(`announces ${entry} here only`, this.#to(back, recorded)),
      ...this.#faulty(`announces ${entry}, no answer`, this.#to(back, this.#call(first, recorded, false))),
    ]
  }
  #afterWrite(host: HostName): string {
    if (host === 'b' || this.#has('abandon')) return 'verify'
    return this.#has('intent b') ? 'ask b' : 'intent b'
  }
  #write(host: HostName): readonly Move[] {
    const { value, late } = this.#state.hosts[host]
    if (!this.#isHeld(host)) return [this.#move(`is fenced on ${host}`, this.#stop())]
    if (value === 'new') return [this.#move(`finds ${host} written`, this.#to(this.#afterWrite(host)))]
    const written = withHost(this.#state, host, { value: 'new' })
    const onItsWay = withHost(this.#state, host, { late: late ?? 'on its way' })
    return [
      this.#move(`writes ${host}`, this.#to(this.#afterWrite(host), written)),
      ...this.#faulty(`writes ${host}, no answer`, this.#to(`ask ${host}`, written)),
      ...this.#faulty(`writes ${host}, the session dies`, this.#to(`ask ${host}`, onItsWay)),
    ]
  }
  /** After a write without an answer, and when a run is taken up: what is true? Not applied: the change is red, or written. */
  #ask(host: HostName): readonly Move[] {
    const isNew = this.#state.hosts[host].value === 'new'
    const found = isNew ? this.#to(this.#afterWrite(host)) : this.#to(`write ${host}`)
    return [
      this.#move(`finds ${host} ${isNew ? 'applied' : 'not applied'}`, found),
      ...(isNew ? [] : [this.#move(`gives ${host} up`, this.#to('undo'))]),
      ...this.#faulty(`cannot ask ${host}`, this.#stop()),
    ]
  }
  #tell(): readonly Move[] {
    const toldBoth = this.#tellBoth(this.#state)
    const isOff = toldBoth.processes[this.#name].at === 'off'
    const said = isOff ? toldBoth : this.#with({ at: 'end', says: 'committed' }, toldBoth)
    const untold = this.#broken.has('told') ? this.#with({ at: 'end', says: 'committed' }) : this.#stop()
    return [
      this.#move('tells the hosts of the commit', said),
      ...this.#faulty('can tell nobody of the commit', untold),
      ...this.#faulty('tells the hosts, no answer', this.#stop(this.#call('a', this.#state, false))),
    ]
  }
  #probe(host: HostName): readonly Move[] {
    const next = host === 'b' ? 'probe a' : 'look b'
    if (!this.#has(`intent ${host}`) || this.#has(`undone ${host}`) || this.#isGivenUp(host))
      return [this.#move(`skips ${host}`, this.#to(next))]
    const isNew = this.#state.hosts[host].value === 'new' && !this.#broken.has('probe')
    return [
      this.#move(
        `finds ${host} ${isNew ? 'applied' : 'not applied'}`,
        isNew ? this.#to(`unwrite ${host}`) : this.#record(`undone ${host}`, next),
      ),
      ...this.#faulty(`cannot ask ${host}`, this.#stop()),
    ]
  }
  #unwrite(host: HostName): readonly Move[] {
    const next = host === 'b' ? 'probe a' : 'look b'
    if (!this.#isHeld(host)) return [this.#move(`is fenced on ${host}`, this.#stop())]
    const written = withHost(this.#state, host, { value: 'old' })
    return [
      this.#move(`undoes ${host}`, this.#record(`undone ${host}`, next, written)),
      ...this.#faulty(`undoes ${host}, no answer`, this.#to(`probe ${host}`, written)),
    ]
  }
  /** The last look at what had no answer. A script that outlived its session has landed by now, or never will: the model's one assumption about time. */
  #lookLate(host: HostName): readonly Move[] {
    const next = host === 'b' ? 'look a' : 'end'
    if (this.#isGivenUp(host)) return [this.#move('leaves b alone', this.#to(next))]
    const { late, value } = this.#state.hosts[host]
    // Only then has it to have happened.
    if (late) return []
    const isLate =
      value === 'new' &&
      this.#has(`intent ${host}`) &&
      !this.#broken.has('late') &&
      !this.#broken.has('probe')
    return [this.#move(`looks again at ${host}`, this.#to(isLate ? `unwrite ${host}` : next))]
  }
  /** Gives back what this process holds; after the end, what any process of the run held. */
  #free(host: HostName): readonly Move[] {
    const hold = this.#process.holds[host]
    const isKnown = this.#state.hosts[host].copy.every(entry => this.#has(entry)) || this.#broken.has('stale')
    const isOurs = hold === 'no' ? this.#isEnded() && isKnown : this.#isHeld(host)
    const isLeft = this.#isGivenUp(host) && !this.#broken.has('abandoned')
    const isFreed = isOurs && !isLeft && this.#state.hosts[host].lock === 'held'
    const freed = isFreed ? raise(this.#state, host, 'free', undefined) : this.#state
    if (host === 'a') return [this.#move('frees a', this.#to('free b', freed))]
    const says = this.#has('end committed')
      ? 'committed'
      : this.#has('end rolled_back')
        ? 'rolled_back'
        : null
    return [this.#move('frees b', this.#stop(freed, { says: this.#process.says ?? says }))]
  }
}

/** Records that are about one host go to it alone, the others to all. */
function hostRecords(journal: readonly Entry[], host: HostName): readonly Entry[] {
  return journal.filter(entry => !entry.includes(' ') || entry.endsWith(` ${host}`))
}

/** A state as text, for telling states apart. */
function keyOf({ hosts, processes, faults }: State): string {
  const host = ({ value, lock, copy, late }: Host): string => `${value} ${lock} ${late} ${copy.join()}`
  const process = ({ at, journal, unkept, holds, says }: Process): string =>
    `${at} ${says} ${holds.a} ${holds.b} ${journal?.join() ?? '-'} ${unkept.join()}`
  return [faults, host(hosts.a), host(hosts.b), process(processes.alice), process(processes.bob)].join('|')
}

/** Host b was given up: of it nobody says anything any more. */
function isAbandoned({ hosts, processes }: Pick<State, 'hosts' | 'processes'>): boolean {
  return (
    hosts.a.copy.includes('abandon') || operators.some(name => processes[name].journal?.includes('abandon'))
  )
}

/** What is wrong with a state; undefined when nothing is. */
function findFault({ hosts, processes }: State): string | undefined {
  const isGivenUp = isAbandoned({ hosts, processes })
  const asked = hostNames.filter(name => name === 'a' || !isGivenUp)
  const values = asked.map(name => hosts[name].value)
  const says = operators.map(name => processes[name].says)
  const isOver =
    asked.every(name => hosts[name].lock === 'free') && operators.every(name => processes[name].at === 'off')
  // Whoever ended the run before it was given up may still give it back, as it is.
  const isEnded = says.includes(hosts.b.value === 'new' ? 'committed' : 'rolled_back')
  if (isGivenUp && hosts.b.lock === 'free' && hosts.b.copy.includes('intent b') && !isEnded)
    return 'a host was given up and never looked at, and is free'
  const copies = hostNames.flatMap(name => hosts[name].copy)
  if (copies.includes('undo') && copies.includes('commit')) return 'the run turned twice'
  if (says.includes('committed') && values.includes('old')) return 'committed, and a host is old'
  const isSaidBack = says.includes('rolled_back') && !says.includes('committed')
  if (isOver && (isSaidBack || copies.includes('end rolled_back')) && values.includes('new'))
    return 'rolled back, and a host is new'
  const holders = hostNames.filter(name =>
    operators.every(operator => processes[operator].holds[name] === 'yes'),
  )
  if (holders.length > 0) return `${holders.join()} has two holders`
  const isKnown = operators.some(n => processes[n].journal?.includes('pending'))
  const isCopied = hostNames.every(name => hosts[name].copy.includes('pending'))
  if (values.includes('new') && !isKnown && !isCopied)
    return 'a host is new and nobody has the pending secret'
  return undefined
}

/** Over: nobody works, no host is held, and the hosts agree; one that was given up stays held. */
function isSettled({ hosts, processes }: State): boolean {
  const isQuiet = operators.every(name => processes[name].at === 'off')
  if (isAbandoned({ hosts, processes })) return isQuiet && hosts.a.lock === 'free'
  const isFree = hostNames.every(name => hosts[name].lock === 'free')
  return isQuiet && isFree && hosts.a.value === hosts.b.value
}

export interface Search {
  readonly states: number
  /** What went wrong first, and how to get there. */
  readonly fault?: { readonly what: string; readonly path: readonly string[] }
}

/** Looks at every state that can be reached: none may be faulty, and from each a settled one can be reached without another fault. */
export function searchAll(faults: number, broken: ReadonlySet<Rule> = new Set()): Search {
  const first = begin(faults)
  const seen = new Map<string, { readonly from: string | undefined; readonly by: string }>()
  const before = new Map<string, string[]>()
  const settled: string[] = []
  let wave: [string, State][] = [[keyOf(first), first]]
  seen.set(wave[0]![0], { from: undefined, by: 'begin' })
  const pathTo = (key: string): string[] => {
    const { from, by } = seen.get(key)!
    return from === undefined ? [by] : [...pathTo(from), by]
  }
  while (wave.length > 0) {
    const following: [string, State][] = []
    for (const [key, state] of wave) {
      const what = findFault(state)
      if (what) return { states: seen.size, fault: { what, path: pathTo(key) } }
      if (isSettled(state)) settled.push(key)
      for (const { name, next, isFault } of listMoves(state, broken)) {
        const nextKey = keyOf(next)
        if (!isFault) before.set(nextKey, [...(before.get(nextKey) ?? []), key])
        if (seen.has(nextKey)) continue
        seen.set(nextKey, { from: key, by: name })
        following.push([nextKey, next])
      }
    }
    wave = following
  }
  const good = new Set(settled)
  for (const key of good) for (const earlier of before.get(key) ?? []) good.add(earlier)
  const stuck = [...seen.keys()].find(key => !good.has(key))
  if (stuck) return { states: seen.size, fault: { what: 'no way to an end', path: pathTo(stuck) } }
  return { states: seen.size }
}
