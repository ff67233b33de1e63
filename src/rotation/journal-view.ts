import type { JournalRecord, ParsedJournal } from './journal.ts'

/** The part of a record that everybody may read: what is sealed is left out, and so are the keys to it. */
export type PlainRecord = Omit<JournalRecord, 'sealed' | 'key' | 'invocation'>

export function selectPlain(record: JournalRecord): PlainRecord {
  const { sealed: _sealed, key: _key, ...plain } = record
  if (!('invocation' in plain)) return plain
  const { invocation: _invocation, ...begin } = plain
  return begin
}

/** What a change is for people: task and place. Sealed in its intent. */
export type DescribeChange = (step: string) => string | undefined

function renderWhat(record: JournalRecord, describe: DescribeChange): string {
  switch (record.type) {
    case 'begin':
      return `reason ${record.reason}, plan ${record.plan.slice(0, 16)}, hosts ${record.hosts.join(', ')}`
    case 'pending':
      return `the new values of ${Object.keys(record.secrets ?? {}).join(', ') || 'all hosts'}, sealed`
    case 'admit':
      return `${record.hosts.join(', ')} joined since the run began: of the run from now on`
    case 'phase':
      return `${record.phase} ${record.status}  ${record.hosts.join(', ')}`
    case 'commit':
      return `the pivot of ${record.hosts?.join(', ') ?? 'the run'}: from here on nothing goes back`
    case 'forgotten':
      return `what was sealed is taken out; the head was ${record.head}`
    case 'drop':
      return `the run goes on without ${record.hosts.join(', ')}: undone there`
    case 'abandon':
      return `${record.hosts.join(', ')} given up as it stands by ${record.by}: ${record.why}`
    case 'awaiting':
      return record.gates.map(({ name, say }) => `${name}: ${say}`).join('; ')
    case 'confirm':
      return `what was waited for is done, says ${record.by}`
    case 'grace':
      return `the values of before count: ${Object.entries(record.until)
        .map(([name, time]) => `${name} until ${time}`)
        .join(', ')}`
    case 'held':
    case 'end':
      return `${record.state}  ${Object.entries(record.hosts)
        .map(([host, state]) => `${host} ${state}`)
        .join(', ')}`
    case 'intent':
      return `${record.host}  ${record.module}  ${describe(record.step) ?? record.step}`
    default:
      return `${record.host}  ${describe(record.step) ?? record.step}`
  }
}

/** One line a record: number, time, kind, and what it says. Order is by number; times are for people. */
export function renderRecords(
  records: readonly JournalRecord[],
  describe: DescribeChange = () => undefined,
): string {
  return records
    .map(record => {
      const number = String(record.seq).padStart(4)
      return `${number}  ${record.at.slice(0, 19)}Z  ${record.type.padEnd(11)}  ${renderWhat(record, describe)}\n`
    })
    .join('')
}

/** What can be said of the file as a whole. */
export function renderChain({
  file,
  records,
  last,
  tornBytes,
}: ParsedJournal & { readonly file: string; readonly tornBytes: number }): string {
  const torn =
    tornBytes === 0
      ? ''
      : `\nits end is torn: ${tornBytes} bytes of a record that nothing relied on are passed over (the process died writing it)`
  return `${file}: ${records.length} records, each follows the one before it; head sha256 ${last}${torn}`
}
