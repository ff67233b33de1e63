// The protocol of journal, epoch and commit as a model small enough to look at all of it: two hosts with one change each, two
// operators, and a few faults anywhere. The words are the code's. What it leaves out: phases besides change and verify, waves, and
// the window inside one script between its guard and its rename.

export type HostName = 'a' | 'b'
export type Operator = 'alice' | 'bob'
const hostNames: readonly HostName[] = ['a', 'b']
const operators: readonly Operator[] = ['alice', 'bob']

/** Records of a journal, as far as recovery looks at them. */
export type Entry =
  | 'pending'
  | `intent ${HostName}`
  | `done ${HostName}`
  | 'undo'
  | `undone ${HostName}`
  | 'commit'
  | 'end'

interface Host {
  readonly value: 'old' | 'new'
  /** The highest lock, and who made it. */
  readonly epoch: number
  readonly holder: Operator | 'free'
  /** The copy of the journal. */
  readonly copy: readonly Entry[]
  /** A write without an answer that has not landed yet, with the epoch that its guard asks for. */
  readonly late: { readonly to: 'old' | 'new'; readonly epoch: number } | null
}
interface Process {
  /** What it does next; `off`: there is none. */
  readonly at: string
  /** On the operator's disk; null: gone, or never there. */
  readonly journal: readonly Entry[] | null
  /** Records that no host has confirmed. */
  readonly unkept: readonly Entry[]
  readonly holds: Readonly<Record<HostName, number>>
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
  fresh: 'copies are read after the epoch is raised',
  kept: 'a record that no host has confirmed goes along with the next',
  told: 'committed is said only when a host knows of it',
  probe: 'an undo asks the target what is true',
  pivot: 'after a commit nothing goes back',
  turned: 'a run that turned back never goes forward again',
  late: 'what landed after it was found not applied is undone too',
  stale: 'a journal that lacks records of a copy is not taken up',
} as const
export type Rule = keyof typeof rules

const absent: Process = { at: 'off', journal: null, unkept: [], holds: { a: 0, b: 0 }, says: null }
export function begin(faults: number): State {
  const host: Host = { value: 'old', epoch: 0, holder: 'free', copy: [], late: null }
  return {
    hosts: { a: host, b: host },
    processes: { alice: { ...absent, at: 'take a', journal: [] }, bob: absent },
    faults,
  }
}

const add = <T>(list: readonly T[], more: readonly T[]): readonly T[] =>
  [...new Set([...list, ...more])].sort()

/** All that can happen next. `broken` are rules that nobody keeps. */
export function listMoves(state: State, broken: ReadonlySet<Rule> = new Set()): readonly Move[] {
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
  const { late, epoch, value } = state.hosts[name]
  const isFenced = late!.epoch !== epoch && !broken.has('guard')
  return withHost(state, name, { late: null, value: isFenced ? value : late!.to })
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
  #die(): Move[] {
    const off = { at: 'off', unkept: [], holds: absent.holds }
    return [
      ...this.#faulty('is killed', this.#with(off)),
      ...this.#faulty('is killed, and the laptop is gone', this.#with({ ...off, journal: null })),
    ]
  }
  /** `rota resume` and `rota rollback` on the operator's own machine. */
  #comeBack(): Move[] {
    const { journal } = this.#process
    if (journal === null || this.#has('end')) return []
    // What was begun before the host was taken left nothing behind.
    return ['resume', 'rollback'].map(way =>
      this.#move(way, this.#with({ at: `take a ${way}`, unkept: journal })),
    )
  }
  /** `--from-host` on the other machine: the epoch of every host, then its copy. Only one process has its folder. */
  #takeOver(): Move[] {
    const { hosts } = this.#state
    if (this.#process.journal !== null || this.#name === 'alice') return []
    if (!hostNames.some(name => hosts[name].holder === 'alice')) return []
    return [this.#move('takes over', this.#with({ at: 'fetch a', journal: null }))]
  }

  #step(verb: string, host: HostName): readonly Move[] {
    switch (verb) {
      case 'fetch':
        return this.#fetch(host)
      case 'take':
        return this.#take(host)
      case 'restore':
        return [this.#move('sends the journal', this.#call('a', this.#call('b', this.#decide())))]
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
        return [this.#move('records undo', this.#call('a', this.#call('b', this.#record('undo', 'probe b'))))]
      case 'probe':
        return this.#probe(host)
      case 'unwrite':
        return this.#unwrite(host)
      case 'look':
        return this.#lookLate(host)
      case 'end':
        return [this.#move('ends', this.#call('a', this.#call('b', this.#record('end', 'free a'))))]
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
    const { epoch } = state.hosts[host]
    return this.#broken.has('guard') || epoch === state.processes[this.#name].holds[host]
  }
  /** A copy to a host: what no host has confirmed goes along. A fenced process changes nothing. */
  #call(host: HostName, state: State, isAnswered = true): State {
    if (!this.#isHeld(host, state)) return this.#to('off', state)
    const { unkept, journal } = state.processes[this.#name]
    const sent = this.#broken.has('kept') ? unkept.slice(-1) : add(unkept, hostRecords(journal ?? [], host))
    const copied = withHost(state, host, { copy: add(state.hosts[host].copy, sent) })
    return isAnswered ? this.#with({ unkept: [] }, copied) : copied
  }

  #fetch(host: HostName): readonly Move[] {
    const { hosts } = this.#state
    const { copy, epoch, holder } = hosts[host]
    const isRaised = holder !== 'free' && !this.#broken.has('epoch')
    const raised = isRaised
      ? withHost(this.#state, host, { epoch: epoch + 1, holder: this.#name })
      : this.#state
    const journal = add(this.#process.journal ?? [], copy)
    const holds = { ...this.#process.holds, [host]: isRaised ? epoch + 1 : epoch }
    const next = host === 'a' ? 'fetch b' : 'choose'
    if (next === 'choose')
      // Without a pending record nothing was changed anywhere: the hosts are given back.
      return journal.includes('pending')
        ? ['resume', 'rollback'].map(way =>
            this.#move(
              `has ${host}, ${way}`,
              this.#with({ journal, holds, unkept: journal, at: `restore - ${way}` }, raised),
            ),
          )
        : [
            this.#move(
              'gives back',
              this.#with({ journal: add(journal, ['end']), holds, at: 'free a' }, raised),
            ),
          ]
    return [this.#move(`has ${host}`, this.#with({ journal, holds, at: next }, raised))]
  }
  #take(host: HostName): readonly Move[] {
    const way = this.#process.at.split(' ')[2] ?? 'resume'
    const { epoch, holder, copy } = this.#state.hosts[host]
    const isForeign = holder !== 'free' && holder !== this.#name
    const isStale = copy.some(entry => !this.#process.journal?.includes(entry)) && !this.#broken.has('stale')
    if (isForeign || isStale) return [this.#move(`is refused on ${host}`, this.#to('off'))]
    const taken = withHost(this.#state, host, { epoch: epoch + 1, holder: this.#name })
    const holds = { ...this.#process.holds, [host]: epoch + 1 }
    const isKnown = this.#has('pending')
    const next =
      host === 'a' ? `take b ${way}` : isKnown ? `restore - ${way}` : way === 'resume' ? 'pending' : 'end'
    return [
      this.#move(`takes ${host}`, this.#with({ holds, at: next }, taken)),
      ...this.#faulty(`cannot reach ${host}`, this.#to('off')),
    ]
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
    if (host === 'b') return 'verify'
    return this.#has('intent b') ? 'ask b' : 'intent b'
  }
  #write(host: HostName): readonly Move[] {
    const { value, late } = this.#state.hosts[host]
    if (!this.#isHeld(host)) return [this.#move(`is fenced on ${host}`, this.#to('off'))]
    if (value === 'new')
      return [this.#move(`finds ${host} written`, this.#record(`done ${host}`, this.#afterWrite(host)))]
    const written = withHost(this.#state, host, { value: 'new' })
    const onItsWay = withHost(this.#state, host, {
      late: late ?? { to: 'new', epoch: this.#process.holds[host] },
    })
    return [
      this.#move(`writes ${host}`, this.#record(`done ${host}`, this.#afterWrite(host), written)),
      ...this.#faulty(`writes ${host}, no answer`, this.#to(`ask ${host}`, written)),
      ...this.#faulty(`writes ${host}, the session dies`, this.#to(`ask ${host}`, onItsWay)),
    ]
  }
  /** After a write without an answer, and when a run is taken up: what is true? Not applied: the change is red, or written. */
  #ask(host: HostName): readonly Move[] {
    const isNew = this.#state.hosts[host].value === 'new'
    const found = isNew ? this.#record(`done ${host}`, this.#afterWrite(host)) : this.#to(`write ${host}`)
    return [
      this.#move(`finds ${host} ${isNew ? 'applied' : 'not applied'}`, found),
      ...(isNew ? [] : [this.#move(`gives ${host} up`, this.#to('undo'))]),
      ...this.#faulty(`cannot ask ${host}`, this.#to('off')),
    ]
  }
  #tell(): readonly Move[] {
    const toldOne = this.#call('a', this.#state)
    const toldBoth = toldOne.processes[this.#name].at === 'off' ? toldOne : this.#call('b', toldOne)
    const isOff = toldBoth.processes[this.#name].at === 'off'
    const said = isOff ? toldBoth : this.#with({ at: 'end', says: 'committed' }, toldBoth)
    const untold = this.#broken.has('told') ? this.#with({ at: 'end', says: 'committed' }) : this.#to('off')
    return [
      this.#move('tells the hosts of the commit', said),
      ...this.#faulty('can tell nobody of the commit', untold),
      ...this.#faulty('tells the hosts, no answer', this.#to('off', this.#call('a', this.#state, false))),
    ]
  }
  #probe(host: HostName): readonly Move[] {
    const next = host === 'b' ? 'probe a' : 'look b'
    if (!this.#has(`intent ${host}`) || this.#has(`undone ${host}`))
      return [this.#move(`skips ${host}`, this.#to(next))]
    const isNew = this.#state.hosts[host].value === 'new' && !this.#broken.has('probe')
    return [
      this.#move(
        `finds ${host} ${isNew ? 'applied' : 'not applied'}`,
        isNew ? this.#to(`unwrite ${host}`) : this.#record(`undone ${host}`, next),
      ),
      ...this.#faulty(`cannot ask ${host}`, this.#to('off')),
    ]
  }
  #unwrite(host: HostName): readonly Move[] {
    const next = host === 'b' ? 'probe a' : 'look b'
    if (!this.#isHeld(host)) return [this.#move(`is fenced on ${host}`, this.#to('off'))]
    const written = withHost(this.#state, host, { value: 'old' })
    return [
      this.#move(`undoes ${host}`, this.#record(`undone ${host}`, next, written)),
      ...this.#faulty(`undoes ${host}, no answer`, this.#to(`probe ${host}`, written)),
    ]
  }
  /** The last look at what had no answer. A script that outlived its session has landed by now, or never will: the model's one assumption about time. */
  #lookLate(host: HostName): readonly Move[] {
    const next = host === 'b' ? 'look a' : 'end'
    const { late, value } = this.#state.hosts[host]
    // Only then has it to have happened.
    if (late) return []
    const isLate = value === 'new' && this.#has(`intent ${host}`) && !this.#broken.has('late')
    return [this.#move(`looks again at ${host}`, this.#to(isLate ? `unwrite ${host}` : next))]
  }
  #free(host: HostName): readonly Move[] {
    const { epoch } = this.#state.hosts[host]
    const freed = this.#isHeld(host)
      ? withHost(this.#state, host, { epoch: epoch + 1, holder: 'free' })
      : this.#state
    if (host === 'a') return [this.#move('frees a', this.#to('free b', freed))]
    const says = this.#process.says ?? (this.#has('commit') ? 'committed' : 'rolled_back')
    return [this.#move('frees b', this.#with({ at: 'off', says }, freed))]
  }
}

/** Records that are about one host go to it alone, the others to all. */
function hostRecords(journal: readonly Entry[], host: HostName): readonly Entry[] {
  return journal.filter(entry => !entry.includes(' ') || entry.endsWith(` ${host}`))
}

/** What is wrong with a state; undefined when nothing is. */
export function findFault({ hosts, processes }: State): string | undefined {
  const values = hostNames.map(name => hosts[name].value)
  const says = operators.map(name => processes[name].says)
  if (says.includes('committed') && says.includes('rolled_back'))
    return 'one says committed, the other rolled back'
  const isOver =
    hostNames.every(name => hosts[name].holder === 'free') && operators.every(n => processes[n].at === 'off')
  if (says.includes('committed') && values.includes('old')) return 'committed, and a host is old'
  if (isOver && says.includes('rolled_back') && values.includes('new'))
    return 'rolled back, and a host is new'
  const holders = hostNames.flatMap(name =>
    operators.filter(operator => {
      const { at, holds } = processes[operator]
      return at !== 'off' && holds[name] === hosts[name].epoch && hosts[name].epoch > 0
    }).length > 1
      ? [name]
      : [],
  )
  if (holders.length > 0) return `${holders.join()} has two holders`
  const isKnown = operators.some(n => processes[n].journal?.includes('pending'))
  const isCopied = hostNames.every(name => hosts[name].copy.includes('pending'))
  if (values.includes('new') && !isKnown && !isCopied)
    return 'a host is new and nobody has the pending secret'
  return undefined
}

/** Over: nobody works, no host is held, and the hosts agree. */
export function isSettled({ hosts, processes }: State): boolean {
  const isQuiet = operators.every(name => processes[name].at === 'off')
  const isFree = hostNames.every(name => hosts[name].holder === 'free')
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
  let wave: [string, State][] = [[JSON.stringify(first), first]]
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
        const nextKey = JSON.stringify(next)
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
