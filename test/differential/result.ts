// What of a result is compared.

/** Different in every run or on every machine. */
const volatile = new Set(
  (
    'start end delta stop elapsed atime mtime ctime inode dev device_type version block_size blocks nlink ' +
    'src backup backup_file invocation include include_args include_role ansible_job_id results_file'
  ).split(' '),
)
/** Notes for the reader, in each program's own words. */
const notes = new Set(['warnings', 'deprecations', 'exception', 'module_stdout', 'module_stderr', 'diff'])

const isOwn = (name: string): boolean => name.startsWith('_ansible') || name.startsWith('ansible_delegated')
/** Facts are the host's of that moment: playbooks of the corpus look at those that stay. */
const isSetup = /(^|\.)(setup|gather_facts)$/
/** Its path is a new one each time. */
const isRandom = /(^|\.)tempfile$/
/** Modules whose message on failure is the playbook's own; the others' is the program's. */
const speaksForPlaybook = /(^|\.)(fail|assert)$/
/** All that two programs can agree on when a module failed. */
const ofFailures = ['rc', 'stdout', 'stdout_lines', 'stderr', 'stderr_lines', 'results', 'attempts']

/** A result without what differs by nature: `status` says whether it failed, was skipped or changed something. */
export function comparable(
  action: string,
  status: string,
  result: unknown,
): Readonly<Record<string, unknown>> {
  const { failed: _failed, skipped: _skipped, ...kept } = keep(result) as Record<string, unknown>
  if (isSetup.test(action)) return {}
  if (isRandom.test(action)) return without('path', kept)
  if (status === 'ok' || status === 'changed' || speaksForPlaybook.test(action)) return kept
  return status === 'skipped' ? without('msg', kept) : pick(kept, ofFailures)
}

function keep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(keep)
  if (!isMapping(value)) return value
  const names = Object.keys(value).filter(name => !volatile.has(name) && !notes.has(name) && !isOwn(name))
  const members = Object.fromEntries(names.map(name => [name, keep(value[name])]))
  // A folder's size is the file system's own business, and that of whoever else uses the folder.
  if (members['state'] === 'directory' || members['isdir'] === true) delete members['size']
  const isItem = 'ansible_loop_var' in members
  if (!isItem || members['failed'] !== true) return members
  return pick(members, [...ofFailures, 'failed', 'item'])
}

function pick(from: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter(name => name in from).map(name => [name, from[name]]))
}
function without(name: string, members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return pick(
    members,
    Object.keys(members).filter(each => each !== name),
  )
}
function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
